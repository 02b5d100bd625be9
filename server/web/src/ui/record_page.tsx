import { useEffect, useState } from 'preact/hooks';
import type { Fields, KindDefinition, RecordAnswer } from '../api/types';
import { useObserved } from '../store/observable';
import { inLanguage } from '../store/programmes';
import { paths } from '../store/router';
import { ConflictPanel } from './conflict_panel';
import { DurabilityLine } from './durability_line';
import { LinkTo, Loading, PageHeading, ProblemNotice } from './elements';
import { FieldValueText } from './field_value';
import { FilesPanel } from './files_panel';
import { HandoverButton } from './handover_dialog';
import { type Loaded, useApp, useLoad, useNames, useProgrammes, useTitle, useTranslator } from './hooks';
import { RecordForm } from './record_form';
import { RecordView } from './record_view';
import { OpenFor, RelatedRecords } from './related_records';

interface Saved {
  readonly at: Date;
  readonly fields: readonly string[];
}

function SavedLine({ saved, record }: { saved: Saved; record: RecordAnswer }) {
  const translator = useTranslator();
  const time = translator.timeOfDay(saved.at);
  const isApart = saved.fields.some((name) => record.conflicts?.[name] !== undefined);
  return (
    <p class={`notice ${isApart ? '' : 'good'}`}>
      {translator.text(isApart ? 'form.savedApart' : 'form.saved', { time })}
    </p>
  );
}

function RecordHead({ record }: { record: RecordAnswer }) {
  const programmes = useProgrammes();
  const translator = useTranslator();
  const title = useTitle(record);
  const known = programmes.find(record.kind);
  const stage = known?.definition.stageField;
  const root = record.root && record.root !== record.id ? record.root : undefined;
  const nameOf = useNames(root === undefined ? [] : [root]);
  return (
    <>
      <p class="quiet above">
        {known ? inLanguage(known.definition.name, translator.language) : record.kind}
        {known && ` · ${inLanguage(known.programme.name, translator.language)}`}
      </p>
      <PageHeading title={title} />
      <p class="facts">
        {stage !== undefined && record.fields[stage] !== undefined && (
          <span class="stage">
            <FieldValueText
              field={programmes.field(record.kind, stage)}
              value={record.fields[stage]}
            />
          </span>
        )}
        <DurabilityLine record={record} />
        {root !== undefined && (
          <span>
            {translator.text('record.belongsTo')}{' '}
            <LinkTo to={paths.record(root)}>
              <bdi>{nameOf(root) ?? '…'}</bdi>
            </LinkTo>
          </span>
        )}
      </p>
    </>
  );
}

function Conflicts({ record, settled }: { record: RecordAnswer; settled: () => void }) {
  const translator = useTranslator();
  const names = Object.keys(record.conflicts ?? {});
  if (names.length === 0) return null;
  return (
    <section class="card warn">
      <p>{translator.text('record.conflict', { count: names.length })}</p>
      {names.map((name) => (
        <ConflictPanel key={name} record={record} name={name} settled={settled} />
      ))}
    </section>
  );
}

interface EditProps {
  readonly definition: KindDefinition;
  readonly record: RecordAnswer;
  readonly done: (saved: Saved | undefined) => void;
}

function EditForm({ definition, record, done }: EditProps) {
  const { client, drafts, router, link, names, announcement } = useApp();
  const translator = useTranslator();
  const save = async (changed: Fields) => {
    const fields = Object.keys(changed);
    if (fields.length > 0) {
      const { id, kind, tag } = record;
      // The tag that was read when the editing began: what others wrote since is then kept too.
      const seen = drafts.draft.get()?.seen ?? tag;
      await client.change([{ record: id, kind, fields: changed, seen }]);
      announcement.set(translator.text('app.saved'));
      names.forget();
      void link.refresh();
    }
    drafts.discard();
    done(fields.length > 0 ? { at: new Date(), fields } : undefined);
  };
  return (
    <RecordForm
      definition={definition}
      original={record.fields}
      save={save}
      cancel={() => router.leaving(() => drafts.discard())}
    />
  );
}

function Reading({ record, definition }: { record: RecordAnswer; definition: KindDefinition }) {
  const { drafts } = useApp();
  const translator = useTranslator();
  return (
    <>
      <div class="actions">
        <button
          type="button"
          class="main"
          onClick={() => drafts.begin(record.id, record.tag)}
        >
          {translator.text('record.edit')}
        </button>
        <LinkTo to={paths.history(record.id)} class="button">
          {translator.text('record.history')}
        </LinkTo>
        {definition.root && <HandoverButton root={record.id} />}
      </div>
      <RecordView definition={definition} record={record} />
      <OpenFor record={record} />
      {definition.root && <FilesPanel root={record.id} />}
      {definition.root && <RelatedRecords root={record} />}
    </>
  );
}

function LoadedRecord({ record, loaded }: { record: RecordAnswer; loaded: Loaded<RecordAnswer> }) {
  const { drafts } = useApp();
  const translator = useTranslator();
  const definition = useProgrammes().find(record.kind)?.definition;
  const isEditing = useObserved(drafts.draft)?.key === record.id;
  const [saved, setSaved] = useState<Saved>();
  useEffect(() => {
    if (isEditing) document.querySelector<HTMLElement>('.fields :is(input, select, textarea)')?.focus();
  }, [isEditing]);
  const done = (what: Saved | undefined) => {
    setSaved(what);
    loaded.reload();
    document.querySelector<HTMLElement>('h1')?.focus();
    window.scrollTo(0, 0);
  };
  return (
    <>
      <RecordHead record={record} />
      {loaded.problem && <ProblemNotice problem={loaded.problem} retry={loaded.reload} />}
      {saved && !isEditing && <SavedLine saved={saved} record={record} />}
      {!isEditing && <Conflicts record={record} settled={loaded.reload} />}
      {definition === undefined && <p class="notice">{translator.text('record.unknownKind')}</p>}
      {definition && isEditing && (
        <EditForm definition={definition} record={record} done={done} />
      )}
      {definition && !isEditing && <Reading definition={definition} record={record} />}
    </>
  );
}

/** A record: read, edit, settle, and what belongs to it. */
export function RecordPage({ id }: { id: string }) {
  const { client } = useApp();
  const loaded = useLoad(id, (signal) => client.record(id, signal));
  if (loaded.value !== undefined) return <LoadedRecord record={loaded.value} loaded={loaded} />;
  if (loaded.problem) return <ProblemNotice problem={loaded.problem} retry={loaded.reload} />;
  return <Loading />;
}
