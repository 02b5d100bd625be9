import type { FieldValue } from '../api/types';
import { sameValue } from '../record/values';
import { Observable } from './observable';

/** What a person has typed and not yet saved. */
export interface Draft {
  /** A record's id, or the key of the form for a new record. */
  readonly key: string;
  /** Tag of the state that the person was looking at when the editing began. */
  readonly seen: string | undefined;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/**
 * Holds the one form that is being edited, in memory only: on a shared computer nothing typed may
 * outlive the page. It survives an ended session, so that signing in again finds it.
 */
export class DraftStore {
  readonly draft = new Observable<Draft | undefined>(undefined);
  private readonly aside = new Map<string, { readonly draft: Draft; readonly place: string }>();

  begin(key: string, seen: string | undefined, fields: Draft['fields'] = {}): void {
    if (this.draft.get()?.key === key) return;
    this.draft.set({ key, seen, fields });
  }

  /** Notes what was typed; a field put back to what it was is no longer an edit. */
  put(name: string, value: FieldValue, original: FieldValue): void {
    const draft = this.draft.get();
    if (draft === undefined) return;
    const fields = Object.fromEntries(
      Object.entries(draft.fields).filter(([other]) => other !== name),
    );
    if (!sameValue(value, original)) fields[name] = value;
    this.draft.set({ ...draft, fields });
  }

  hasUnsaved(): boolean {
    return Object.keys(this.draft.get()?.fields ?? {}).length > 0;
  }

  /** Hides what is unsaved from whoever comes next, with the place where it was being typed. */
  putAside(user: string, place: string): void {
    const draft = this.draft.get();
    if (draft !== undefined && this.hasUnsaved()) this.aside.set(user, { draft, place });
    this.discard();
  }

  /** Brings back what was put aside for this person: the place to go to, if there was anything. */
  takeBack(user: string): string | undefined {
    const kept = this.aside.get(user);
    if (kept === undefined || this.hasUnsaved()) return undefined;
    this.aside.delete(user);
    this.draft.set(kept.draft);
    return kept.place;
  }

  discard(): void {
    this.draft.set(undefined);
  }
}
