import { useEffect, useState } from 'preact/hooks';

/** A value that tells its observers when it changes. */
export class Observable<T> {
  private current: T;
  private readonly observers = new Set<() => void>();

  constructor(initial: T) {
    this.current = initial;
  }

  get(): T {
    return this.current;
  }

  set(next: T): void {
    if (Object.is(next, this.current)) return;
    this.current = next;
    for (const observer of [...this.observers]) observer();
  }

  /** Returns the function that ends the observation. */
  observe(observer: () => void): () => void {
    this.observers.add(observer);
    return () => {
      this.observers.delete(observer);
    };
  }
}

/** The value, rendering again whenever it changes. */
export function useObserved<T>(observable: Observable<T>): T {
  const [, render] = useState({});
  useEffect(() => {
    // It may have changed between rendering and this effect.
    render({});
    return observable.observe(() => render({}));
  }, [observable]);
  return observable.get();
}
