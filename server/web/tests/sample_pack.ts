import type { Localized, Programme } from '../src/api/types';

/** A label that is good enough for a test: marked by its language. */
function label(en: string, ar = en): Localized {
  return { en, fr: `${en} (fr)`, es: `${en} (es)`, ar };
}

const yes = { code: 'done', label: label('Closed', 'مغلقة') };

export const kSamplePacks: readonly Programme[] = [
  {
    id: 'core',
    name: label('People', 'الأشخاص'),
    kinds: [
      {
        kind: 'person',
        name: label('Person', 'شخص'),
        root: true,
        title: ['given_name', 'family_name'],
        sections: [
          { section: 'identity', label: label('Identity', 'الهوية') },
          { section: 'contact', label: label('Contact', 'الاتصال') },
        ],
        fields: [
          {
            name: 'given_name',
            label: label('Given name', 'الاسم الأول'),
            type: 'text',
            required: true,
            rule: 'ask',
            section: 'identity',
          },
          {
            name: 'family_name',
            label: label('Family name', 'اسم العائلة'),
            type: 'text',
            required: false,
            rule: 'ask',
            section: 'identity',
          },
          {
            name: 'birth_date',
            label: label('Date of birth', 'تاريخ الميلاد'),
            type: 'date',
            required: false,
            rule: 'ask',
            section: 'identity',
          },
          {
            name: 'sex',
            label: label('Sex', 'الجنس'),
            type: 'code',
            required: false,
            rule: 'ask',
            section: 'identity',
            codes: [
              { code: 'F', label: label('Female', 'أنثى') },
              { code: 'M', label: label('Male', 'ذكر') },
            ],
          },
          {
            name: 'consent',
            label: label('Consent to sharing', 'الموافقة على المشاركة'),
            type: 'boolean',
            required: false,
            rule: 'most-restrictive',
            section: 'contact',
            sensitive: true,
          },
          {
            name: 'phone',
            label: label('Telephone', 'الهاتف'),
            type: 'text',
            required: false,
            rule: 'latest',
            section: 'contact',
          },
          {
            name: 'place',
            label: label('Place', 'المكان'),
            type: 'place',
            required: false,
            rule: 'latest',
            section: 'contact',
          },
        ],
      },
    ],
  },
  {
    id: 'avrr',
    name: label('Voluntary return and reintegration', 'العودة الطوعية وإعادة الإدماج'),
    kinds: [
      {
        kind: 'avrr_case',
        name: label('Return case', 'حالة عودة'),
        root: true,
        title: ['case_number', 'applicant'],
        stageField: 'stage',
        fields: [
          {
            name: 'case_number',
            label: label('Case number', 'رقم الحالة'),
            type: 'text',
            required: true,
            rule: 'ask',
          },
          {
            name: 'applicant',
            label: label('Applicant', 'صاحب الطلب'),
            type: 'ref',
            ref: ['person'],
            required: true,
            rule: 'ask',
          },
          {
            name: 'stage',
            label: label('Stage', 'المرحلة'),
            type: 'code',
            required: false,
            rule: 'highest',
            codes: [{ code: 'open', label: label('Counselling', 'المشورة') }, yes],
          },
          {
            name: 'household_size',
            label: label('Household size', 'حجم الأسرة'),
            type: 'integer',
            required: false,
            rule: 'latest',
          },
          {
            name: 'needs',
            label: label('Needs', 'الاحتياجات'),
            type: 'codes',
            required: false,
            rule: 'unite',
            open: true,
            codes: [
              { code: 'medical', label: label('Medical care', 'رعاية طبية') },
              { code: 'shelter', label: label('Shelter', 'مأوى') },
              { code: 'school', label: label('School for children', 'مدرسة للأطفال') },
            ],
          },
          {
            name: 'summary',
            label: label('Summary', 'ملخص'),
            type: 'longtext',
            required: false,
            rule: 'ask',
          },
        ],
      },
      {
        kind: 'avrr_note',
        name: label('Note', 'ملاحظة'),
        root: false,
        parents: ['avrr_case'],
        title: ['on', 'text'],
        fields: [
          { name: 'on', label: label('Date', 'التاريخ'), type: 'date', required: true, rule: 'ask' },
          {
            name: 'text',
            label: label('Text', 'النص'),
            type: 'longtext',
            required: true,
            rule: 'ask',
          },
        ],
      },
    ],
  },
];
