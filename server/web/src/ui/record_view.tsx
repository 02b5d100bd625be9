import type { KindDefinition, RecordAnswer } from '../api/types';
import { isEmpty } from '../record/values';
import { inLanguage, type Section, sectionsOf } from '../store/programmes';
import { FieldValueText } from './field_value';
import { useTranslator } from './hooks';

function SectionView({ section, record }: { section: Section; record: RecordAnswer }) {
  const translator = useTranslator();
  const label = (text: Section['fields'][number]['label']) =>
    inLanguage(text, translator.language);
  const filled = section.fields.filter((field) => !isEmpty(record.fields[field.name]));
  const isMasked = (name: string) => record.masked?.includes(name) === true;
  const masked = section.fields.filter((field) => isMasked(field.name));
  const missing = section.fields.filter(
    (field) => isEmpty(record.fields[field.name]) && !isMasked(field.name),
  );
  return (
    <section class="card">
      {section.title !== '' && <h2>{section.title}</h2>}
      <dl>
        {filled.map((field) => (
          <div key={field.name} class={field.type === 'longtext' ? 'wide' : undefined}>
            <dt>
              {label(field.label)}
              {field.sensitive && <span class="mark">{translator.text('record.sensitive')}</span>}
            </dt>
            <dd>
              <FieldValueText field={field} value={record.fields[field.name]} />
            </dd>
          </div>
        ))}
      </dl>
      {masked.length > 0 && (
        <p class="quiet">
          {translator.text('record.masked', {
            fields: translator.list(masked.map((field) => label(field.label))),
          })}
        </p>
      )}
      {missing.length > 0 && (
        <p class="quiet">
          {translator.text('record.notFilled', {
            fields: translator.list(missing.map((field) => label(field.label))),
          })}
        </p>
      )}
    </section>
  );
}

/** A record's fields for reading, in the pack's sections. */
export function RecordView({
  definition,
  record,
}: {
  definition: KindDefinition;
  record: RecordAnswer;
}) {
  const translator = useTranslator();
  return (
    <>
      {sectionsOf(definition, translator.language).map((section) => (
        <SectionView key={section.title} section={section} record={record} />
      ))}
    </>
  );
}
