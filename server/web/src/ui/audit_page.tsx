import { useState } from 'preact/hooks';
import { type AuditEntry, kDeeds } from '../api/types';
import type { MessageKey } from '../i18n/text';
import { paths } from '../store/router';
import { LinkTo, Loading, PageHeading, ProblemNotice, typedInto } from './elements';
import { useApp, useTranslator } from './hooks';
import { usePaged } from './paging';

function Entry({ entry }: { entry: AuditEntry }) {
  const translator = useTranslator();
  const records = entry.records ?? [];
  const details = Object.entries(entry.detail ?? {}).map(
    ([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return (
    <tr>
      <td>
        <time dateTime={entry.at}>{translator.moment(entry.at)}</time>
      </td>
      <td>
        <bdi>{entry.by === '' ? translator.text('audit.nobody') : entry.by}</bdi>
      </td>
      <td>{translator.text(`deed.${entry.deed}` as MessageKey)}</td>
      <td>
        {records.map((id, index) => (
          <LinkTo key={id} to={paths.record(id)}>
            {index + 1}
          </LinkTo>
        ))}
        <bdi class="quiet">{translator.list(details)}</bdi>
      </td>
    </tr>
  );
}

interface Wanted {
  readonly by: string;
  readonly deed: string;
  readonly record: string;
  /** RFC 3339 in UTC, or empty. */
  readonly from: string;
  readonly to: string;
}

/** What an input of a local moment holds, as the server compares it. */
function momentIn(form: HTMLFormElement, name: string): string {
  const typed = typedInto(form, name);
  return typed === '' ? '' : new Date(typed).toISOString();
}

function WantedForm({ choose }: { choose: (wanted: Wanted) => void }) {
  const translator = useTranslator();
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        choose({
          by: typedInto(form, 'by').trim(),
          deed: typedInto(form, 'deed'),
          record: typedInto(form, 'record').trim(),
          from: momentIn(form, 'from'),
          to: momentIn(form, 'to'),
        });
      }}
    >
      <div class="field">
        <label for="by">{translator.text('audit.by')}</label>
        <input id="by" name="by" autocomplete="off" autocapitalize="none" />
      </div>
      <div class="field">
        <label for="deed">{translator.text('audit.deed')}</label>
        <select id="deed" name="deed">
          <option value="">{translator.text('find.allKinds')}</option>
          {kDeeds.map((deed) => (
            <option key={deed} value={deed}>
              {translator.text(`deed.${deed}` as MessageKey)}
            </option>
          ))}
        </select>
      </div>
      <div class="field grow">
        <label for="record">{translator.text('audit.record')}</label>
        <input id="record" name="record" autocomplete="off" dir="ltr" />
      </div>
      <div class="field">
        <label for="from">{translator.text('audit.from')}</label>
        <input id="from" name="from" type="datetime-local" />
      </div>
      <div class="field">
        <label for="to">{translator.text('audit.to')}</label>
        <input id="to" name="to" type="datetime-local" />
      </div>
      <button type="submit">{translator.text('find.submit')}</button>
    </form>
  );
}

const kAnything: Wanted = { by: '', deed: '', record: '', from: '', to: '' };

/** Who did what, for the data-protection officer. */
export function AuditPage() {
  const { client } = useApp();
  const translator = useTranslator();
  const [wanted, setWanted] = useState<Wanted>(kAnything);
  const list = usePaged(JSON.stringify(wanted), async (cursor, signal) => {
    const page = await client.audit({ ...wanted, cursor }, signal);
    return { items: page.entries, cursor: page.cursor };
  });
  return (
    <>
      <PageHeading title={translator.text('audit.title')} />
      <p>{translator.text('audit.intro')}</p>
      <WantedForm choose={setWanted} />
      {list.problem && <ProblemNotice problem={list.problem} retry={list.reload} />}
      {list.value === undefined && list.isLoading && <Loading />}
      {list.value !== undefined && list.items.length === 0 && (
        <p class="quiet">{translator.text('audit.none')}</p>
      )}
      {list.items.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">{translator.text('audit.at')}</th>
                <th scope="col">{translator.text('audit.by')}</th>
                <th scope="col">{translator.text('audit.deed')}</th>
                <th scope="col">{translator.text('audit.records')}</th>
              </tr>
            </thead>
            <tbody>
              {list.items.map((entry) => (
                <Entry key={entry.seq} entry={entry} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {list.more && (
        <button type="button" onClick={list.more} disabled={list.isLoading}>
          {translator.text('app.more')}
        </button>
      )}
    </>
  );
}
