import { useEffect, useRef, useState } from 'preact/hooks';
import { asProblem } from '../api/problem';
import type { Fields, KindDefinition } from '../api/types';
import { type Complaints, complaintsOf } from '../record/problems';
import { useObserved } from '../store/observable';
import { sectionsOf } from '../store/programmes';
import { FieldInput } from './field_input';
import { useApp, useTranslator } from './hooks';

interface RecordFormProps {
  readonly definition: KindDefinition;
  /** The values that the editing began with. */
  readonly original: Fields;
  /** Complaints that stop the form from being sent; none means that it goes. */
  readonly check?: (fields: Fields) => Complaints;
  /** Resolves when what was typed is on the office's disk; gets the changed fields. */
  readonly save: (changed: Fields) => Promise<void>;
  readonly cancel: () => void;
}

function idOf(name: string): string {
  return `field-${name}`;
}

/** Moves to the first field that is complained about, else to the sentence at the top. */
function useFocusOnComplaint(complaints: Complaints) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (Object.keys(complaints).length === 0) return;
    const target =
      form.current?.querySelector<HTMLElement>('.field.wrong :is(input, select, textarea, .checks)') ??
      form.current?.querySelector<HTMLElement>('.notice.bad');
    target?.focus();
    target?.scrollIntoView({ block: 'center' });
  }, [complaints]);
  return form;
}

function useSaving({ definition, original, check, save }: RecordFormProps) {
  const { drafts } = useApp();
  const translator = useTranslator();
  const [isSaving, setIsSaving] = useState(false);
  const [complaints, setComplaints] = useState<Complaints>({});
  const submit = async () => {
    const changed = drafts.draft.get()?.fields ?? {};
    const before = check?.({ ...original, ...changed }) ?? {};
    setComplaints(before);
    if (isSaving || Object.keys(before).length > 0) return;
    setIsSaving(true);
    try {
      await save(changed);
    } catch (error) {
      const problem = asProblem(error);
      if (problem !== undefined) setComplaints(complaintsOf(problem, definition, translator));
    }
    setIsSaving(false);
  };
  return { isSaving, complaints, submit };
}

function SaveBar({ isSaving, cancel }: { isSaving: boolean; cancel: () => void }) {
  const { drafts } = useApp();
  const translator = useTranslator();
  const count = Object.keys(useObserved(drafts.draft)?.fields ?? {}).length;
  return (
    <div class="savebar">
      <button type="submit" class="main">
        {translator.text(isSaving ? 'form.saving' : 'form.save')}
      </button>
      <button type="button" onClick={cancel}>
        {translator.text('app.cancel')}
      </button>
      <span role="status" class="quiet">
        {count > 0 && translator.text('form.unsaved', { count })}
      </span>
    </div>
  );
}

/** The form for a record, made from its kind's definition. */
export function RecordForm(props: RecordFormProps) {
  const { definition, original, cancel } = props;
  const { drafts } = useApp();
  const translator = useTranslator();
  const typed = useObserved(drafts.draft)?.fields ?? {};
  const { isSaving, complaints, submit } = useSaving(props);
  const form = useFocusOnComplaint(complaints);
  return (
    <form
      ref={form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {complaints[''] && (
        <p class="notice bad" role="alert" tabIndex={-1} dir="auto">
          {complaints['']}
        </p>
      )}
      <fieldset disabled={isSaving} class="plain">
        {sectionsOf(definition, translator.language).map((section) => (
          <fieldset key={section.title} class="card">
            {section.title !== '' && <legend>{section.title}</legend>}
            <div class="fields">
              {section.fields.map((field) => (
                <FieldInput
                  key={field.name}
                  id={idOf(field.name)}
                  field={field}
                  value={field.name in typed ? typed[field.name] : original[field.name]}
                  complaint={complaints[field.name]}
                  onChange={(value) =>
                    drafts.put(field.name, value, original[field.name] ?? null)
                  }
                />
              ))}
            </div>
          </fieldset>
        ))}
        <SaveBar isSaving={isSaving} cancel={cancel} />
      </fieldset>
    </form>
  );
}
