import { useEffect, useState } from 'preact/hooks';
import { type ApiProblem, asProblem } from '../api/problem';
import { type Loaded, useLoad } from './hooks';

interface Part<T> {
  readonly items: readonly T[];
  readonly cursor?: string | null | undefined;
}

export interface Paged<T> extends Loaded<Part<T>> {
  /** What has been loaded so far. */
  readonly items: readonly T[];
  /** Loads the next part; undefined when there is none. */
  readonly more: (() => void) | undefined;
}

/** A list that the server hands out in parts, by cursor. */
export function usePaged<T>(
  key: string,
  load: (cursor: string | undefined, signal?: AbortSignal) => Promise<Part<T>>,
): Paged<T> {
  const first = useLoad(key, (signal) => load(undefined, signal));
  const [rest, setRest] = useState<Part<T>>();
  const [problem, setProblem] = useState<ApiProblem>();
  const [isLoadingMore, setIsLoadingMore] = useState(false);
  useEffect(() => {
    setRest(undefined);
    setProblem(undefined);
  }, [first.value]);
  const cursor = rest === undefined ? first.value?.cursor : rest.cursor;
  const more = async (from: string) => {
    setIsLoadingMore(true);
    try {
      const part = await load(from);
      setRest((before) => ({
        items: [...(before?.items ?? []), ...part.items],
        cursor: part.cursor,
      }));
      setProblem(undefined);
    } catch (error) {
      setProblem(asProblem(error));
    }
    setIsLoadingMore(false);
  };
  return {
    ...first,
    problem: first.problem ?? problem,
    isLoading: first.isLoading || isLoadingMore,
    items: [...(first.value?.items ?? []), ...(rest?.items ?? [])],
    more: cursor && !first.isLoading ? () => void more(cursor) : undefined,
  };
}
