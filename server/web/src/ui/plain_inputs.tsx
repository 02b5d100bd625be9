import { asText } from '../record/values';
import type { ControlProps } from './field_input';
import { useTranslator } from './hooks';

function common({ id, describedBy, isInvalid }: ControlProps) {
  return {
    id,
    'aria-describedby': describedBy,
    'aria-invalid': isInvalid ? ('true' as const) : undefined,
    autocomplete: 'off',
  };
}

const orNull = (text: string) => (text === '' ? null : text);

export function TextInput(props: ControlProps) {
  return (
    <input
      {...common(props)}
      type="text"
      dir="auto"
      value={asText(props.value)}
      onInput={(event) => props.onChange(orNull(event.currentTarget.value))}
    />
  );
}

export function LongTextInput(props: ControlProps) {
  const text = asText(props.value);
  return (
    <textarea
      {...common(props)}
      dir="auto"
      rows={Math.min(14, Math.max(4, Math.ceil(text.length / 80)))}
      value={text}
      onInput={(event) => props.onChange(orNull(event.currentTarget.value))}
    />
  );
}

export function DateInput(props: ControlProps) {
  return (
    <input
      {...common(props)}
      type="date"
      value={asText(props.value)}
      onInput={(event) => props.onChange(orNull(event.currentTarget.value))}
    />
  );
}

/** Hands on a number where one was typed, and otherwise the text, to be refused in words. */
export function IntegerInput(props: ControlProps) {
  const read = (text: string) => {
    const trimmed = text.trim();
    props.onChange(/^-?\d{1,15}$/.test(trimmed) ? Number(trimmed) : orNull(trimmed));
  };
  return (
    <input
      {...common(props)}
      type="text"
      inputMode="numeric"
      class="short"
      value={asText(props.value)}
      onInput={(event) => read(event.currentTarget.value)}
    />
  );
}

/** Yes, no, or not known: three answers, because no answer is not a no. */
export function BooleanInput(props: ControlProps) {
  const translator = useTranslator();
  const read = (text: string) => props.onChange(text === '' ? null : text === 'true');
  return (
    <select
      {...common(props)}
      class="short"
      value={asText(props.value)}
      onChange={(event) => read(event.currentTarget.value)}
    >
      <option value="">{translator.text('form.notKnown')}</option>
      <option value="true">{translator.text('app.yes')}</option>
      <option value="false">{translator.text('app.no')}</option>
    </select>
  );
}
