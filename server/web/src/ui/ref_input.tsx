import { useEffect, useState } from 'preact/hooks';
import type { FieldDefinition, RecordAnswer } from '../api/types';
import { referenceTo, referredId } from '../record/values';
import { inLanguage } from '../store/programmes';
import type { ControlProps } from './field_input';
import { useApp, useLoad, useNames, useProgrammes, useTitle, useTranslator } from './hooks';

const kHits = 8;
const kTypingPauseMilliseconds = 250;

function Hit({ record, choose }: { record: RecordAnswer; choose: () => void }) {
  const title = useTitle(record);
  return (
    <li>
      <button type="button" class="hit" onClick={choose}>
        <bdi>{title}</bdi>
      </button>
    </li>
  );
}

function useSearch(field: FieldDefinition, typed: string) {
  const { client } = useApp();
  const [q, setQ] = useState('');
  useEffect(() => {
    const timer = window.setTimeout(() => setQ(typed.trim()), kTypingPauseMilliseconds);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const kinds = field.ref ?? [];
  const hits = useLoad(`${kinds.join()} ${q}`, async (signal) => {
    if (q === '') return [];
    const pages = await Promise.all(
      kinds.map((kind) => client.records({ kind, q, limit: kHits }, signal)),
    );
    return pages.flatMap((page) => page.records);
  });
  return { q, hits: hits.value };
}

function useKindNames(field: FieldDefinition): string {
  const programmes = useProgrammes();
  const translator = useTranslator();
  const names = (field.ref ?? []).map((kind) =>
    inLanguage(programmes.find(kind)?.definition.name, translator.language),
  );
  return translator.list(names);
}

function RefSearch({ id, field, onChange, describedBy, isInvalid }: ControlProps) {
  const { names } = useApp();
  const translator = useTranslator();
  const [typed, setTyped] = useState('');
  const { q, hits } = useSearch(field, typed);
  const choose = (record: RecordAnswer) => {
    names.know(record);
    onChange(referenceTo(record.id));
    setTyped('');
  };
  return (
    <>
      <input
        id={id}
        type="search"
        dir="auto"
        autocomplete="off"
        placeholder={translator.text('form.refSearch', { kind: useKindNames(field) })}
        aria-describedby={describedBy}
        aria-invalid={isInvalid ? 'true' : undefined}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
        // Return chooses from the list below; it must not send the form.
        onKeyDown={(event) => event.key === 'Enter' && event.preventDefault()}
      />
      {q !== '' && hits !== undefined && (
        <>
          <p class="quiet" role="status">
            {hits.length === 0
              ? translator.text('form.refNoHits')
              : translator.text('form.refHits', { count: hits.length })}
          </p>
          <ul class="hits">
            {hits.map((record) => (
              <Hit key={record.id} record={record} choose={() => choose(record)} />
            ))}
          </ul>
        </>
      )}
    </>
  );
}

/** A reference to another record: what is chosen, or a search for it. */
export function RefInput(props: ControlProps) {
  const translator = useTranslator();
  const id = referredId(props.value);
  const nameOf = useNames(id === undefined ? [] : [id]);
  if (id === undefined) return <RefSearch {...props} />;
  return (
    <div class="side">
      <bdi class="chosen">{nameOf(id) ?? '…'}</bdi>
      <button
        type="button"
        id={props.id}
        aria-describedby={props.describedBy}
        onClick={() => props.onChange(null)}
      >
        {translator.text('form.refClear')}
      </button>
    </div>
  );
}
