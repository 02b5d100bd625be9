import type { RecordAnswer } from '../api/types';
import { inLanguage } from '../store/programmes';
import { paths } from '../store/router';
import { ConflictPanel } from './conflict_panel';
import { LinkTo, Loading, PageHeading, ProblemNotice } from './elements';
import { useApp, useProgrammes, useTitle, useTranslator } from './hooks';
import { usePaged } from './paging';

function ConflictedRecord({ record, settled }: { record: RecordAnswer; settled: () => void }) {
  const programmes = useProgrammes();
  const translator = useTranslator();
  const title = useTitle(record);
  const known = programmes.find(record.kind);
  return (
    <section class="card">
      <h2>
        <LinkTo to={paths.record(record.id)}>
          <bdi>{title}</bdi>
        </LinkTo>
      </h2>
      {known && (
        <p class="quiet">{inLanguage(known.definition.name, translator.language)}</p>
      )}
      {Object.keys(record.conflicts ?? {}).map((name) => (
        <ConflictPanel key={name} record={record} name={name} settled={settled} />
      ))}
    </section>
  );
}

/** Everything at this office that waits for somebody to decide between versions. */
export function ConflictsPage() {
  const { client } = useApp();
  const translator = useTranslator();
  const list = usePaged('conflicts', async (cursor, signal) => {
    const page = await client.conflicts(cursor, signal);
    return { items: page.records, cursor: page.cursor };
  });
  return (
    <>
      <PageHeading title={translator.text('conflicts.title')} />
      {list.problem && <ProblemNotice problem={list.problem} retry={list.reload} />}
      {list.value === undefined && list.isLoading && <Loading />}
      {list.value !== undefined && (
        <p>
          {translator.text(list.items.length === 0 ? 'conflicts.none' : 'conflicts.intro')}
        </p>
      )}
      {list.items.map((record) => (
        <ConflictedRecord key={record.id} record={record} settled={list.reload} />
      ))}
      {list.more && (
        <button type="button" onClick={list.more} disabled={list.isLoading}>
          {translator.text('app.more')}
        </button>
      )}
    </>
  );
}
