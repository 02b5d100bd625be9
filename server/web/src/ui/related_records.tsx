import type { RecordAnswer } from '../api/types';
import { referenceTo } from '../record/values';
import { inLanguage, type KnownKind } from '../store/programmes';
import { paths } from '../store/router';
import { LinkTo, ProblemNotice } from './elements';
import { useApp, useProgrammes, useTranslator } from './hooks';
import { usePaged } from './paging';
import { RecordRow } from './record_list';

const kPageSize = 50;

function KindGroup({ known, records, root }: {
  known: KnownKind;
  records: readonly RecordAnswer[];
  root: string;
}) {
  const translator = useTranslator();
  const { kind, name } = known.definition;
  const label = inLanguage(name, translator.language);
  return (
    <div class="group">
      <div class="grouphead">
        <h3>{label}</h3>
        <LinkTo to={paths.newRecord(kind, root)} class="button">
          {translator.text('record.add', { kind: label })}
        </LinkTo>
      </div>
      <ul class="rows">
        {records.map((record) => (
          <RecordRow key={record.id} record={record} />
        ))}
      </ul>
    </div>
  );
}

/** What belongs to a root, by kind, with a way to add to each. */
export function RelatedRecords({ root }: { root: RecordAnswer }) {
  const { client } = useApp();
  const programmes = useProgrammes();
  const translator = useTranslator();
  const list = usePaged(root.id, async (cursor, signal) => {
    const page = await client.records({ root: root.id, cursor, limit: kPageSize }, signal);
    return { items: page.records, cursor: page.cursor };
  });
  const kinds = programmes.kindsUnder(root.kind);
  if (kinds.length === 0) return null;
  const others = list.items.filter((record) => record.id !== root.id);
  return (
    <section aria-labelledby="related" class="card">
      <h2 id="related">{translator.text('record.related')}</h2>
      {list.problem && <ProblemNotice problem={list.problem} retry={list.reload} />}
      {list.value !== undefined && others.length === 0 && (
        <p class="quiet">{translator.text('record.noneRelated')}</p>
      )}
      {kinds.map((known) => (
        <KindGroup
          key={known.definition.kind}
          known={known}
          root={root.id}
          records={others.filter((record) => record.kind === known.definition.kind)}
        />
      ))}
      {list.more && (
        <button type="button" onClick={list.more} disabled={list.isLoading}>
          {translator.text('app.more')}
        </button>
      )}
    </section>
  );
}

/** Ways to open records that refer to this one: a case for a person. */
export function OpenFor({ record }: { record: RecordAnswer }) {
  const programmes = useProgrammes();
  const translator = useTranslator();
  const kinds = programmes
    .rootsReferringTo(record.kind)
    .filter(({ definition }) => definition.kind !== record.kind);
  if (kinds.length === 0) return null;
  return (
    <div class="actions">
      {kinds.map(({ definition, field }) => (
        <LinkTo
          key={definition.kind}
          class="button"
          to={paths.newRecord(definition.kind, undefined, { [field.name]: referenceTo(record.id) })}
        >
          {translator.text('record.open', {
            kind: inLanguage(definition.name, translator.language),
          })}
        </LinkTo>
      ))}
    </div>
  );
}
