import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useMemo, useState } from 'preact/hooks';
import { type ApiProblem, asProblem } from '../api/problem';
import type { RecordAnswer } from '../api/types';
import { Translator } from '../i18n/text';
import { idsInTitle, type NameOf, recordTitle } from '../record/format';
import type { AppStore } from '../store/app';
import { useObserved } from '../store/observable';
import type { Programmes } from '../store/programmes';

export const AppContext = createContext<AppStore | undefined>(undefined);
export const ProgrammesContext = createContext<Programmes | undefined>(undefined);

export function useApp(): AppStore {
  const app = useContext(AppContext);
  if (app === undefined) throw new Error('useApp needs an AppContext');
  return app;
}

export function useProgrammes(): Programmes {
  const programmes = useContext(ProgrammesContext);
  if (programmes === undefined) throw new Error('useProgrammes needs a ProgrammesContext');
  return programmes;
}

export function useTranslator(): Translator {
  const language = useObserved(useApp().language.language);
  return useMemo(() => new Translator(language), [language]);
}

/** The time, renewed every half minute, for phrases like "2 minutes ago". */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 30_000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

export interface Loaded<T> {
  /** What was loaded last; stays while it is loaded again. */
  readonly value: T | undefined;
  readonly problem: ApiProblem | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

/** Loads when shown and whenever `key` changes; what is under way then is given up. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [turn, setTurn] = useState(0);
  const [value, setValue] = useState<T>();
  const [problem, setProblem] = useState<ApiProblem>();
  const [isLoading, setIsLoading] = useState(true);
  useEffect(() => {
    const ending = new AbortController();
    setIsLoading(true);
    load(ending.signal)
      .then((loaded) => {
        if (ending.signal.aborted) return;
        setValue(() => loaded);
        setProblem(undefined);
        setIsLoading(false);
      })
      .catch((error: unknown) => {
        if (ending.signal.aborted) return;
        setProblem(asProblem(error));
        setIsLoading(false);
      });
    return () => ending.abort();
    // `load` is a new function at every rendering; `key` says what it depends on.
  }, [key, turn]);
  const reload = useCallback(() => setTurn((last) => last + 1), []);
  return { value, problem, isLoading, reload };
}

/** Names records by their titles; asks for those that are not known yet. */
export function useNames(ids: readonly string[]): NameOf {
  const { names } = useApp();
  const translator = useTranslator();
  const programmes = useProgrammes();
  const records = useObserved(names.records);
  const key = ids.join(' ');
  useEffect(() => {
    for (const id of ids) names.want(id);
  }, [key]);
  return (id) => {
    const record = records.get(id);
    if (record === null) return translator.text('record.notNamed');
    // A name inside a name is left out: references may form a circle.
    return record && recordTitle(record, programmes, translator, () => '');
  };
}

export function useTitle(record: RecordAnswer | undefined): string {
  const programmes = useProgrammes();
  const translator = useTranslator();
  const nameOf = useNames(record === undefined ? [] : idsInTitle(record, programmes));
  return record === undefined ? '' : recordTitle(record, programmes, translator, nameOf);
}
