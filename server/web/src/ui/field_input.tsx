import type { FieldDefinition, FieldValue } from '../api/types';
import { inLanguage } from '../store/programmes';
import { CodeInput, CodesInput } from './code_inputs';
import { useTranslator } from './hooks';
import { RefInput } from './ref_input';
import { BooleanInput, DateInput, IntegerInput, LongTextInput, TextInput } from './plain_inputs';

/** What every control of a field is given. */
export interface ControlProps {
  readonly id: string;
  readonly field: FieldDefinition;
  readonly value: FieldValue | undefined;
  readonly onChange: (value: FieldValue) => void;
  /** Ids of the texts that explain the control. */
  readonly describedBy: string | undefined;
  readonly isInvalid: boolean;
}

function Control(props: ControlProps) {
  switch (props.field.type) {
    case 'text':
    case 'place':
      return <TextInput {...props} />;
    case 'longtext':
      return <LongTextInput {...props} />;
    case 'date':
      return <DateInput {...props} />;
    case 'integer':
      return <IntegerInput {...props} />;
    case 'boolean':
      return <BooleanInput {...props} />;
    case 'code':
      return <CodeInput {...props} />;
    case 'codes':
      return <CodesInput {...props} />;
    case 'ref':
      return <RefInput {...props} />;
  }
}

interface FieldInputProps {
  readonly id: string;
  readonly field: FieldDefinition;
  readonly value: FieldValue | undefined;
  readonly onChange: (value: FieldValue) => void;
  readonly complaint?: string | undefined;
}

function useHint(field: FieldDefinition): string | undefined {
  const translator = useTranslator();
  if (field.type === 'place') return translator.text('form.place');
  if (field.type === 'code' && field.open) return translator.text('form.openCodes');
  return undefined;
}

/** A field for writing: label, control, hint, and what is wrong with it. */
export function FieldInput({ id, field, value, onChange, complaint }: FieldInputProps) {
  const translator = useTranslator();
  const hint = useHint(field);
  const describedBy = [hint && `${id}-hint`, complaint && `${id}-complaint`]
    .filter((each) => each !== undefined && each !== '')
    .join(' ');
  const isGroup = field.type === 'codes';
  const label = (
    <>
      {inLanguage(field.label, translator.language)}
      {field.required && <span class="quiet"> ({translator.text('form.required')})</span>}
      {field.sensitive && <span class="mark">{translator.text('record.sensitive')}</span>}
    </>
  );
  const isWide = field.type === 'longtext' || field.type === 'codes';
  return (
    <div class={`field${isWide ? ' wide' : ''}${complaint ? ' wrong' : ''}`}>
      {isGroup ? (
        <span id={`${id}-label`} class="label">
          {label}
        </span>
      ) : (
        <label for={id} id={`${id}-label`}>
          {label}
        </label>
      )}
      {hint && (
        <span id={`${id}-hint`} class="hint">
          {hint}
        </span>
      )}
      {complaint && (
        <span id={`${id}-complaint`} class="complaint" dir="auto">
          {complaint}
        </span>
      )}
      <Control
        id={id}
        field={field}
        value={value}
        onChange={onChange}
        describedBy={describedBy === '' ? undefined : describedBy}
        isInvalid={complaint !== undefined}
      />
    </div>
  );
}
