import type { RecordAnswer } from '../api/types';
import { inLanguage } from '../store/programmes';
import { paths } from '../store/router';
import { DurabilityLine } from './durability_line';
import { LinkTo, Loading, ProblemNotice } from './elements';
import { useApp, useProgrammes, useTitle, useTranslator } from './hooks';
import { usePaged } from './paging';

const kPageSize = 25;

/** One record in a list: title, kind, and where it stands. */
export function RecordRow({ record }: { record: RecordAnswer }) {
  const programmes = useProgrammes();
  const translator = useTranslator();
  const title = useTitle(record);
  const known = programmes.find(record.kind);
  const hasConflict = Object.keys(record.conflicts ?? {}).length > 0;
  return (
    <li class="row">
      <LinkTo to={paths.record(record.id)}>
        <bdi>{title}</bdi>
      </LinkTo>
      <span class="facts">
        <span>{known ? inLanguage(known.definition.name, translator.language) : record.kind}</span>
        {hasConflict && <span class="mark">{translator.text('record.conflictMark')}</span>}
        <DurabilityLine record={record} />
      </span>
    </li>
  );
}

export function RecordList({ q, kind }: { q: string; kind: string }) {
  const { client } = useApp();
  const programmes = useProgrammes();
  const translator = useTranslator();
  const list = usePaged(`${kind} ${q}`, async (cursor, signal) => {
    const query = { q, kind, cursor, limit: kPageSize };
    const page = await client.records(query, signal);
    return { items: page.records, cursor: page.cursor };
  });
  // Without a kind the server lists every one; parts of a case are found on the case.
  const shown =
    kind === '' && q === ''
      ? list.items.filter((record) => programmes.find(record.kind)?.definition.root !== false)
      : list.items;
  if (list.value === undefined && list.isLoading) return <Loading />;
  return (
    <>
      {list.problem && <ProblemNotice problem={list.problem} retry={list.reload} />}
      <p class="quiet" role="status">
        {list.value === undefined
          ? ''
          : shown.length === 0
            ? translator.text(q === '' ? 'find.noneYet' : 'find.none')
            : translator.text('find.count', { count: shown.length })}
      </p>
      <ul class="rows">
        {shown.map((record) => (
          <RecordRow key={record.id} record={record} />
        ))}
      </ul>
      {list.more && (
        <button type="button" onClick={list.more} disabled={list.isLoading}>
          {translator.text('app.more')}
        </button>
      )}
    </>
  );
}
