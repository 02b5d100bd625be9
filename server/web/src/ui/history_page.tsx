import type { HistoryEntry, RecordAnswer } from '../api/types';
import { formatValue } from '../record/format';
import { isEmpty, referredId } from '../record/values';
import { inLanguage } from '../store/programmes';
import { paths } from '../store/router';
import { LinkTo, Loading, PageHeading, ProblemNotice } from './elements';
import { FieldValueText } from './field_value';
import { useApp, useLoad, useNames, useProgrammes, useTitle, useTranslator } from './hooks';
import { usePaged } from './paging';

function ChangedField({ kind, name, change }: {
  kind: string;
  name: string;
  change: HistoryEntry['fields'][string];
}) {
  const translator = useTranslator();
  const field = useProgrammes().field(kind, name);
  const replaced = (change.replaced ?? []).filter((value) => !isEmpty(value));
  const nameOf = useNames(replaced.map(referredId).filter((id) => id !== undefined));
  return (
    <div>
      <dt>{field ? inLanguage(field.label, translator.language) : name}</dt>
      <dd>
        <FieldValueText field={field} value={change.value} />
        {replaced.length > 0 && (
          <span class="quiet replaced">
            {translator.text('history.replaced', {
              values: translator.list(
                replaced.map((value) => formatValue(field, value, translator, nameOf)),
              ),
            })}
          </span>
        )}
      </dd>
    </div>
  );
}

function MaskedFields({ kind, names }: { kind: string; names: readonly string[] }) {
  const translator = useTranslator();
  const programmes = useProgrammes();
  const labels = names.map((name) => {
    const field = programmes.field(kind, name);
    return field ? inLanguage(field.label, translator.language) : name;
  });
  return (
    <p class="quiet">{translator.text('record.masked', { fields: translator.list(labels) })}</p>
  );
}

function Entry({ entry, kind }: { entry: HistoryEntry; kind: string }) {
  const translator = useTranslator();
  const { by: user, office, at } = entry;
  return (
    <li class="card">
      <h2 class="small">
        <time dateTime={at}>{translator.moment(at)}</time>
        {' · '}
        <bdi>{translator.text('history.by', { user, office })}</bdi>
      </h2>
      {entry.masked && <MaskedFields kind={kind} names={entry.masked} />}
      <dl>
        {Object.entries(entry.fields).map(([name, change]) => (
          <ChangedField key={name} kind={kind} name={name} change={change} />
        ))}
      </dl>
    </li>
  );
}

function HistoryList({ record }: { record: RecordAnswer }) {
  const { client } = useApp();
  const translator = useTranslator();
  const title = useTitle(record);
  const list = usePaged(record.id, async (cursor, signal) => {
    const answer = await client.history(record.id, cursor, signal);
    return { items: answer.entries, cursor: answer.cursor };
  });
  return (
    <>
      <p class="above">
        <LinkTo to={paths.record(record.id)}>
          <bdi>{title}</bdi>
        </LinkTo>
      </p>
      <PageHeading title={translator.text('history.of', { title })} />
      {list.problem && <ProblemNotice problem={list.problem} retry={list.reload} />}
      {list.value !== undefined && list.items.length === 0 && (
        <p class="quiet">{translator.text('history.none')}</p>
      )}
      <ol class="bare">
        {list.items.map((entry) => (
          <Entry key={entry.change} entry={entry} kind={record.kind} />
        ))}
      </ol>
      {list.more && (
        <button type="button" onClick={list.more} disabled={list.isLoading}>
          {translator.text('app.more')}
        </button>
      )}
    </>
  );
}

/** Who changed what in a record, where, when, and what it replaced. */
export function HistoryPage({ id }: { id: string }) {
  const { client } = useApp();
  const loaded = useLoad(id, (signal) => client.record(id, signal));
  if (loaded.value !== undefined) return <HistoryList record={loaded.value} />;
  if (loaded.problem) return <ProblemNotice problem={loaded.problem} retry={loaded.reload} />;
  return <Loading />;
}
