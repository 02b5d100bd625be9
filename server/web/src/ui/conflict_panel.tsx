import { useState } from 'preact/hooks';
import { asProblem } from '../api/problem';
import type { Edit, FieldDefinition, FieldValue, RecordAnswer, Sibling } from '../api/types';
import { type Complaints, complaintsOf, saveProblemText } from '../record/problems';
import { inLanguage } from '../store/programmes';
import { FieldInput } from './field_input';
import { FieldValueText } from './field_value';
import { useApp, useProgrammes, useTranslator } from './hooks';

const kDeleted = '_deleted';

type Choice = number | 'other' | undefined;

interface VersionProps {
  readonly group: string;
  readonly index: number;
  readonly sibling: Sibling;
  readonly field: FieldDefinition | undefined;
  readonly isChosen: boolean;
  readonly choose: () => void;
}

function Version({ group, index, sibling, field, isChosen, choose }: VersionProps) {
  const translator = useTranslator();
  const { by: user, office, at } = sibling;
  return (
    <label class={`version${isChosen ? ' chosen' : ''}`}>
      <span class="pick">
        <input type="radio" name={group} checked={isChosen} onChange={choose} />
        <span>{translator.text('conflicts.version', { number: index + 1 })}</span>
      </span>
      <strong>
        <FieldValueText field={field} value={sibling.value} />
      </strong>
      <span class="quiet">
        <bdi>{translator.text('conflicts.by', { user, office })}</bdi>
        <br />
        {translator.moment(at)}
      </span>
    </label>
  );
}

interface ConflictPanelProps {
  readonly record: RecordAnswer;
  readonly name: string;
  /** Called when the choice is on the office's disk. */
  readonly settled: () => void;
}

function useSettling({ record, name, settled }: ConflictPanelProps) {
  const { client, link, names, announcement } = useApp();
  const programmes = useProgrammes();
  const translator = useTranslator();
  const [isBusy, setIsBusy] = useState(false);
  const [complaints, setComplaints] = useState<Complaints>({});
  const settle = async (value: FieldValue) => {
    const { id, kind, tag } = record;
    const write: Pick<Edit, 'fields' | 'deleted'> =
      name === kDeleted ? { fields: {}, deleted: value === true } : { fields: { [name]: value } };
    setIsBusy(true);
    setComplaints({});
    try {
      await client.change([{ record: id, kind, ...write, seen: tag }]);
      const field = programmes.field(kind, name);
      const label =
        name === kDeleted
          ? translator.text('conflicts.deletion')
          : inLanguage(field?.label, translator.language);
      announcement.set(translator.text('conflicts.settled', { field: label }));
      names.forget();
      void link.refresh();
      document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
      settled();
    } catch (error) {
      const problem = asProblem(error);
      const definition = programmes.find(kind)?.definition;
      if (problem !== undefined) {
        setComplaints(
          definition === undefined
            ? { '': saveProblemText(problem, translator) }
            : complaintsOf(problem, definition, translator),
        );
      }
    }
    setIsBusy(false);
  };
  return { isBusy, complaints, setComplaints, settle };
}

/** A record deleted by somebody who had not read all of it: kept, or deleted all the same. */
function DeletionPanel(props: ConflictPanelProps) {
  const translator = useTranslator();
  const { isBusy, complaints, settle } = useSettling(props);
  const siblings = props.record.conflicts?.[kDeleted] ?? [];
  return (
    <div class="conflict" role="group" aria-label={translator.text('conflicts.deletion')}>
      <p>{translator.text('conflicts.deletedUnread')}</p>
      {complaints[''] && (
        <p class="notice bad" role="alert" dir="auto">
          {complaints['']}
        </p>
      )}
      {siblings.map(({ by: user, office, at }, index) => (
        <p key={index} class="quiet">
          <bdi>{translator.text('conflicts.by', { user, office })}</bdi> {translator.moment(at)}
        </p>
      ))}
      <div class="actions">
        <button type="button" class="main" disabled={isBusy} onClick={() => void settle(false)}>
          {translator.text('conflicts.keep')}
        </button>
        <button type="button" disabled={isBusy} onClick={() => void settle(true)}>
          {translator.text('conflicts.deleteAll')}
        </button>
      </div>
    </div>
  );
}

/** The versions of one field side by side, to choose from or to replace by another value. */
export function ConflictPanel(props: ConflictPanelProps) {
  return props.name === kDeleted ? <DeletionPanel {...props} /> : <FieldPanel {...props} />;
}

/** The values that a decision was taken on and that are others since. */
function MovedSince({ record, name }: Pick<ConflictPanelProps, 'record' | 'name'>) {
  const translator = useTranslator();
  const programmes = useProgrammes();
  const moved = record.moved?.[name] ?? [];
  if (moved.length === 0) return null;
  const labels = moved.map((other) =>
    inLanguage(programmes.field(record.kind, other)?.label, translator.language),
  );
  return <p>{translator.text('conflicts.moved', { fields: translator.list(labels) })}</p>;
}

function FieldPanel(props: ConflictPanelProps) {
  const { record, name } = props;
  const translator = useTranslator();
  const field = useProgrammes().field(record.kind, name);
  const siblings = record.conflicts?.[name] ?? [];
  const [choice, setChoice] = useState<Choice>();
  const [other, setOther] = useState<FieldValue>(null);
  const { isBusy, complaints, setComplaints, settle } = useSettling(props);
  const group = `${record.id}-${name}`;
  const chosen = choice === 'other' ? other : choice === undefined ? undefined : siblings[choice]?.value;
  const submit = (event: Event) => {
    event.preventDefault();
    if (chosen === undefined) setComplaints({ '': translator.text('conflicts.chooseFirst') });
    else void settle(chosen);
  };
  return (
    <form class="conflict" onSubmit={submit} noValidate>
      <fieldset disabled={isBusy}>
        <legend>{field ? inLanguage(field.label, translator.language) : name}</legend>
        {complaints[''] && (
          <p class="notice bad" role="alert" dir="auto">
            {complaints['']}
          </p>
        )}
        <MovedSince record={record} name={name} />
        <div class="versions">
          {siblings.map((sibling, index) => (
            <Version
              key={index}
              group={group}
              index={index}
              sibling={sibling}
              field={field}
              isChosen={choice === index}
              choose={() => setChoice(index)}
            />
          ))}
        </div>
        {field && (
          <label class="pick other">
            <input
              type="radio"
              name={group}
              checked={choice === 'other'}
              onChange={() => setChoice('other')}
            />
            <span>{translator.text('conflicts.other')}</span>
          </label>
        )}
        {field && choice === 'other' && (
          <FieldInput
            id={`${group}-other`}
            field={field}
            value={other}
            complaint={complaints[name]}
            onChange={setOther}
          />
        )}
        <button type="submit" class="main">
          {translator.text(isBusy ? 'conflicts.settling' : 'conflicts.settle')}
        </button>
      </fieldset>
    </form>
  );
}
