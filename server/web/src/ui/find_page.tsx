import { useEffect, useState } from 'preact/hooks';
import { useObserved } from '../store/observable';
import { inLanguage } from '../store/programmes';
import { paths } from '../store/router';
import { LinkTo, PageHeading } from './elements';
import { useApp, useProgrammes, useTranslator } from './hooks';
import { RecordList } from './record_list';

const kTypingPauseMilliseconds = 250;

function SearchForm({ q, kind }: { q: string; kind: string }) {
  const { router } = useApp();
  const programmes = useProgrammes();
  const translator = useTranslator();
  const [typed, setTyped] = useState(q);
  useEffect(() => setTyped(q), [q]);
  useEffect(() => {
    if (typed === q) return undefined;
    const timer = window.setTimeout(
      () => router.replace(paths.find(typed, kind)),
      kTypingPauseMilliseconds,
    );
    return () => window.clearTimeout(timer);
  }, [typed, q, kind, router]);
  return (
    <form
      role="search"
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        router.replace(paths.find(typed, kind));
      }}
    >
      <div class="field grow">
        <label for="search">{translator.text('find.label')}</label>
        <input
          id="search"
          type="search"
          dir="auto"
          autocomplete="off"
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for="kind">{translator.text('find.kind')}</label>
        <select
          id="kind"
          value={kind}
          onChange={(event) => router.replace(paths.find(typed, event.currentTarget.value))}
        >
          <option value="">{translator.text('find.allKinds')}</option>
          {programmes.rootKinds().map(({ definition }) => (
            <option key={definition.kind} value={definition.kind}>
              {inLanguage(definition.name, translator.language)}
            </option>
          ))}
        </select>
      </div>
      <button type="submit">{translator.text('find.submit')}</button>
    </form>
  );
}

function NewRecordLinks() {
  const programmes = useProgrammes();
  const translator = useTranslator();
  const kinds = programmes.rootKinds().filter(({ definition }) => definition.global !== true);
  return (
    <section aria-labelledby="register">
      <h2 id="register">{translator.text('find.newHeading')}</h2>
      <ul class="choices">
        {kinds.map(({ definition, programme }) => (
          <li key={definition.kind}>
            <LinkTo to={paths.newRecord(definition.kind)} class="button">
              <span>
                {translator.text('find.new', {
                  kind: inLanguage(definition.name, translator.language),
                })}
              </span>
              <small>{inLanguage(programme.name, translator.language)}</small>
            </LinkTo>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Said where people conclude from what is not there; the number is on the page of the link. */
function IncompleteNotice() {
  const { sync } = useObserved(useApp().link.link);
  const translator = useTranslator();
  const isBelow = sync !== undefined && sync.state !== 'hub' && sync.state !== 'not-enrolled';
  const isIncomplete = isBelow && sync.backlogDown !== 0;
  return (
    <div role="status">
      {isIncomplete && (
        <p class="notice">
          <LinkTo to={paths.link}>{translator.text('find.incomplete')}</LinkTo>
        </p>
      )}
    </div>
  );
}

export function FindPage({ q, kind }: { q: string; kind: string }) {
  const translator = useTranslator();
  return (
    <>
      <PageHeading title={translator.text('find.title')} />
      <SearchForm q={q} kind={kind} />
      <div class="columns">
        <section aria-labelledby="results">
          <h2 id="results">{translator.text(q === '' ? 'find.recent' : 'find.results')}</h2>
          <IncompleteNotice />
          <RecordList q={q} kind={kind} />
        </section>
        <NewRecordLinks />
      </div>
    </>
  );
}
