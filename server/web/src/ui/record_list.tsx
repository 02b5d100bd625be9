import type { RecordAnswer } from '../api/types';
import { inLanguage } from '../store/programmes';
import { paths } from '../store/router';
import { DurabilityLine } from './durability_line';
import { LinkTo, Loading, ProblemNotice } from './elements';
import { useApp, useProgrammes, useTitle, useTranslator } from './hooks';
import { usePaged } from './paging';

const kPageSize = 25;
// How many pages are looked through at once for something to show.
const kPagesAtOnce = 5;

interface Query {
  readonly q: string;
  readonly kind: string;
}

/**
 * The next records to show. What was not narrowed down lists every kind, also the places that were
 * imported by the thousand and the parts of a case; people look for what stands for itself.
 */
function useLoadRecords({ q, kind }: Query) {
  const { client } = useApp();
  const programmes = useProgrammes();
  const isOwn = (record: RecordAnswer) => {
    const definition = programmes.find(record.kind)?.definition;
    return definition?.root === true && definition.global !== true;
  };
  const isWanted = q === '' && kind === '' ? isOwn : () => true;
  return async (from: string | undefined, signal?: AbortSignal) => {
    const items: RecordAnswer[] = [];
    let cursor: string | null | undefined = from;
    for (let turn = 0; turn < kPagesAtOnce && items.length < kPageSize / 2; turn += 1) {
      const query = { q, kind, cursor: cursor ?? undefined, limit: kPageSize };
      const page = await client.records(query, signal);
      items.push(...page.records.filter(isWanted));
      cursor = page.cursor;
      if (!cursor) break;
    }
    return { items, cursor };
  };
}

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

export function RecordList({ q, kind }: Query) {
  const translator = useTranslator();
  const list = usePaged(`${kind} ${q}`, useLoadRecords({ q, kind }));
  const shown = list.items;
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
