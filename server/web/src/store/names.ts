import type { RecordAnswer } from '../api/types';
import { Observable } from './observable';

const kAtOnce = 4;

/** The records that others refer to, loaded once each so that they can be shown by their names. */
export class NameStore {
  /** null stands for a record that could not be read. */
  readonly records = new Observable<ReadonlyMap<string, RecordAnswer | null>>(new Map());
  private readonly load: (id: string) => Promise<RecordAnswer>;
  private readonly asked = new Set<string>();
  private readonly waiting: string[] = [];
  private running = 0;

  constructor(load: (id: string) => Promise<RecordAnswer>) {
    this.load = load;
  }

  /** Asks for a record unless that was done before. */
  want(id: string): void {
    if (this.asked.has(id)) return;
    this.asked.add(id);
    this.waiting.push(id);
    this.next();
  }

  /** Takes what was read anyhow. */
  know(record: RecordAnswer): void {
    this.asked.add(record.id);
    this.put(record.id, record);
  }

  forget(): void {
    this.asked.clear();
    this.waiting.length = 0;
    this.records.set(new Map());
  }

  private put(id: string, record: RecordAnswer | null): void {
    this.records.set(new Map(this.records.get()).set(id, record));
  }

  private next(): void {
    while (this.running < kAtOnce) {
      const id = this.waiting.shift();
      if (id === undefined) return;
      this.running += 1;
      void this.load(id)
        .then((record) => this.put(id, record))
        .catch(() => this.put(id, null))
        .finally(() => {
          this.running -= 1;
          this.next();
        });
    }
  }
}
