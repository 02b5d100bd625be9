import { useEffect, useMemo } from 'preact/hooks';
import { ApiProblem } from '../api/problem';
import type { Fields, KindDefinition } from '../api/types';
import { complaintsBefore } from '../record/problems';
import { inLanguage } from '../store/programmes';
import { paths } from '../store/router';
import { LinkTo, PageHeading } from './elements';
import { useApp, useNames, useProgrammes, useTranslator } from './hooks';
import { RecordForm } from './record_form';

interface NewRecordPageProps {
  readonly kind: string;
  readonly parameters: URLSearchParams;
}

const kSetPrefix = 'set.';

function presetsOf(parameters: URLSearchParams): Fields {
  const given = [...parameters].filter(([name]) => name.startsWith(kSetPrefix));
  return Object.fromEntries(given.map(([name, value]) => [name.slice(kSetPrefix.length), value]));
}

function ParentLine({ root }: { root: string }) {
  const translator = useTranslator();
  const nameOf = useNames([root]);
  return (
    <p>
      {translator.text('record.belongsTo')}{' '}
      <LinkTo to={paths.record(root)}>
        <bdi>{nameOf(root) ?? '…'}</bdi>
      </LinkTo>
    </p>
  );
}

interface NewRecordFormProps {
  readonly definition: KindDefinition;
  readonly root: string | undefined;
  readonly presets: Fields;
}

function NewRecordForm({ definition, root, presets }: NewRecordFormProps) {
  const { client, drafts, router, link, announcement } = useApp();
  const translator = useTranslator();
  const { kind } = definition;
  const key = `new:${kind}:${root ?? ''}`;
  useEffect(() => drafts.begin(key, undefined), [drafts, key]);
  const save = async (changed: Fields) => {
    const fields = { ...presets, ...changed };
    const edit = { record: 'new:1', kind, fields };
    const answer = await client.change([root === undefined ? edit : { ...edit, root }]);
    const id = answer.records['new:1']?.id;
    if (id === undefined) throw new ApiProblem(200, 'unreadable_answer', '');
    drafts.discard();
    announcement.set(translator.text('app.saved'));
    void link.refresh();
    // The form has done its work; "back" leads to where the person came from.
    router.replace(paths.record(root ?? id));
  };
  return (
    <RecordForm
      definition={definition}
      original={presets}
      check={(fields) => complaintsBefore(definition, fields, translator)}
      save={save}
      cancel={() => router.go(root === undefined ? paths.find() : paths.record(root))}
    />
  );
}

/** A form for a record that does not exist yet, on its own or under a root. */
export function NewRecordPage({ kind, parameters }: NewRecordPageProps) {
  const programmes = useProgrammes();
  const translator = useTranslator();
  const known = programmes.find(kind);
  const root = parameters.get('root') ?? undefined;
  const presets = useMemo(() => presetsOf(parameters), [parameters.toString()]);
  if (known === undefined) {
    return (
      <>
        <PageHeading title={translator.text('app.notFound')} />
        <p>{translator.text('record.unknownKind')}</p>
      </>
    );
  }
  const name = inLanguage(known.definition.name, translator.language);
  return (
    <>
      <PageHeading title={translator.text('record.newTitle', { kind: name })} />
      <p class="quiet">{inLanguage(known.programme.name, translator.language)}</p>
      {root !== undefined && <ParentLine root={root} />}
      <NewRecordForm definition={known.definition} root={root} presets={presets} />
    </>
  );
}
