import { Observable } from './observable';

/** Screens that have nothing behind their name in the address. */
const kPlain = ['conflicts', 'link', 'audit', 'account', 'accounts', 'phones'] as const;
type Plain = (typeof kPlain)[number];

export type Route =
  | { readonly name: 'find'; readonly q: string; readonly kind: string }
  | { readonly name: 'new'; readonly kind: string; readonly parameters: URLSearchParams }
  | { readonly name: 'record' | 'history'; readonly id: string }
  | { readonly name: Plain | 'none' };

/** What a path with its query stands for. */
export function routeOf(location: string): Route {
  const url = new URL(location, 'https://waystation.invalid');
  const parts = url.pathname.split('/').filter((part) => part !== '');
  const [first, second, third] = parts;
  if (first === undefined) {
    const { searchParams } = url;
    return { name: 'find', q: searchParams.get('q') ?? '', kind: searchParams.get('kind') ?? '' };
  }
  if (first === 'new' && second !== undefined && parts.length === 2) {
    return { name: 'new', kind: decodeURIComponent(second), parameters: url.searchParams };
  }
  if (first === 'records' && second !== undefined) {
    const id = decodeURIComponent(second);
    if (parts.length === 2) return { name: 'record', id };
    if (parts.length === 3 && third === 'history') return { name: 'history', id };
  }
  const plain = kPlain.find((name) => name === first);
  if (parts.length === 1 && plain !== undefined) return { name: plain };
  return { name: 'none' };
}

export const paths = {
  find: (q = '', kind = '') => {
    const query = new URLSearchParams();
    if (q !== '') query.set('q', q);
    if (kind !== '') query.set('kind', kind);
    const text = query.toString();
    return text === '' ? '/' : `/?${text}`;
  },
  record: (id: string) => `/records/${encodeURIComponent(id)}`,
  history: (id: string) => `/records/${encodeURIComponent(id)}/history`,
  /** `set` names fields that the new record's form starts with. */
  newRecord: (kind: string, root?: string, set: Readonly<Record<string, string>> = {}) => {
    const query = new URLSearchParams();
    if (root !== undefined) query.set('root', root);
    for (const [name, value] of Object.entries(set)) query.set(`set.${name}`, value);
    const text = query.toString();
    return `/new/${encodeURIComponent(kind)}${text === '' ? '' : `?${text}`}`;
  },
  conflicts: '/conflicts',
  link: '/link',
  audit: '/audit',
  account: '/account',
  accounts: '/accounts',
  phones: '/phones',
} as const;

function here(): string {
  return window.location.pathname + window.location.search;
}

function indexOf(state: unknown): number | undefined {
  if (typeof state !== 'object' || state === null || !('index' in state)) return undefined;
  return typeof state.index === 'number' ? state.index : undefined;
}

/**
 * The address bar, and the gate before it: while something is unsaved, a way out waits in `pending`
 * until the person has decided.
 */
export class Router {
  readonly location = new Observable(here());
  /** The way out that waits for a decision; calling it goes. */
  readonly pending = new Observable<(() => void) | undefined>(undefined);
  private readonly hasUnsaved: () => boolean;
  private index = 0;
  private isUndoing = false;

  constructor(hasUnsaved: () => boolean) {
    this.hasUnsaved = hasUnsaved;
  }

  start(): void {
    this.index = indexOf(window.history.state) ?? 0;
    window.history.replaceState({ index: this.index }, '');
    window.addEventListener('popstate', (event) => this.popped(indexOf(event.state)));
    window.addEventListener('beforeunload', (event) => {
      if (this.hasUnsaved()) event.preventDefault();
    });
  }

  /** Goes there, or asks first when something is unsaved. */
  go(path: string): void {
    this.leaving(() => {
      this.index += 1;
      window.history.pushState({ index: this.index }, '', path);
      this.location.set(here());
      window.scrollTo(0, 0);
    });
  }

  /** Changes the address of the page that is shown, without asking. */
  replace(path: string): void {
    window.history.replaceState({ index: this.index }, '', path);
    this.location.set(here());
  }

  /** Runs an action that loses what is unsaved, after asking if there is any. */
  leaving(action: () => void): void {
    if (this.hasUnsaved()) this.pending.set(action);
    else action();
  }

  private popped(index: number | undefined): void {
    if (this.isUndoing) {
      this.isUndoing = false;
      return;
    }
    const steps = (index ?? this.index) - this.index;
    if (this.hasUnsaved() && steps !== 0) {
      this.isUndoing = true;
      window.history.go(-steps);
      this.pending.set(() => window.history.go(steps));
      return;
    }
    this.index = index ?? this.index;
    this.location.set(here());
  }
}
