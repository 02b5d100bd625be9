import { useState } from 'preact/hooks';
import type { FieldDefinition } from '../api/types';
import { asList, asText } from '../record/values';
import { inLanguage } from '../store/programmes';
import type { ControlProps } from './field_input';
import { useTranslator } from './hooks';

interface Choice {
  readonly code: string;
  readonly label: string;
}

/** The codes that may be chosen, and those that are there already though not in the list. */
function useChoices(field: FieldDefinition, present: readonly string[]): readonly Choice[] {
  const { language } = useTranslator();
  const listed = (field.codes ?? []).map(({ code, label }) => ({
    code,
    label: inLanguage(label, language),
  }));
  const others = present
    .filter((code) => code !== '' && !listed.some((choice) => choice.code === code))
    .map((code) => ({ code, label: code }));
  return [...listed, ...others];
}

export function CodeInput({ id, field, value, onChange, describedBy, isInvalid }: ControlProps) {
  const translator = useTranslator();
  const text = asText(value);
  const choices = useChoices(field, [text]);
  const read = (code: string) => onChange(code === '' ? null : code);
  const common = {
    id,
    value: text,
    'aria-describedby': describedBy,
    'aria-invalid': isInvalid ? ('true' as const) : undefined,
  };
  if (field.open) {
    return (
      <>
        <input
          {...common}
          type="text"
          list={`${id}-list`}
          autocomplete="off"
          onInput={(event) => read(event.currentTarget.value)}
        />
        <datalist id={`${id}-list`}>
          {choices.map(({ code, label }) => (
            <option key={code} value={code}>
              {label}
            </option>
          ))}
        </datalist>
      </>
    );
  }
  return (
    <select {...common} onChange={(event) => read(event.currentTarget.value)}>
      <option value="">{translator.text('form.choose')}</option>
      {choices.map(({ code, label }) => (
        <option key={code} value={code}>
          {label}
        </option>
      ))}
    </select>
  );
}

function OtherCode({ id, onAdd }: { id: string; onAdd: (code: string) => void }) {
  const translator = useTranslator();
  const [typed, setTyped] = useState('');
  const add = () => {
    if (typed.trim() !== '') onAdd(typed.trim());
    setTyped('');
  };
  return (
    <div class="side">
      <label for={`${id}-other`}>{translator.text('form.addCode')}</label>
      <input
        id={`${id}-other`}
        type="text"
        class="short"
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      <button type="button" onClick={add}>
        {translator.text('form.addCodeSubmit')}
      </button>
    </div>
  );
}

export function CodesInput({ id, field, value, onChange, describedBy }: ControlProps) {
  const chosen = asList(value) ?? [];
  const choices = useChoices(field, chosen);
  const put = (code: string, isChosen: boolean) => {
    const others = chosen.filter((each) => each !== code);
    onChange(isChosen ? [...others, code] : others);
  };
  return (
    <div
      role="group"
      id={id}
      tabIndex={-1}
      class="checks"
      aria-labelledby={`${id}-label`}
      aria-describedby={describedBy}
    >
      {choices.map(({ code, label }) => (
        <label key={code} class="check">
          <input
            type="checkbox"
            checked={chosen.includes(code)}
            onChange={(event) => put(code, event.currentTarget.checked)}
          />
          <span>{label}</span>
        </label>
      ))}
      {field.open && <OtherCode id={id} onAdd={(code) => put(code, true)} />}
    </div>
  );
}
