// Changes by columns (docs/spec/sync.md, section 7, "Batch" and "Values"). One decoder reads all
// batches of one direction of one exchange, in order: later ones refer to earlier.

import { add64, ByteReader, malformed, textOf } from './bytes';
import {
  type Change,
  type Context,
  type Edit,
  isBirth,
  readExceptions,
  referenceTo,
  type Write,
} from './change';

const QUOTE = 0x22;
const SPACE = 0x20;

interface Reading {
  upTo: bigint;
  ahead: bigint;
}

interface Columned {
  edit: Edit;
  /** Handle of the record's replica. */
  of: number;
}

function isLetter(byte = 0): boolean {
  return byte >= 0x80 || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

export function readNumbers(count: number, reader: ByteReader): bigint[] {
  const numbers: bigint[] = [];
  const isPlain = reader.byte();
  if (isPlain > 1) malformed('numbers are written in an unknown form');
  let previous = 0n;
  for (; count > 0; count -= 1) {
    previous = isPlain === 1 ? reader.varint() : add64(previous, reader.zigzag());
    numbers.push(previous);
  }
  return numbers;
}

export class BatchDecoder {
  private readonly names: string[] = [];
  private readonly replicas: bigint[] = [];
  private readonly shapes: number[][] = [];
  private readonly readings: Reading[] = [];
  private readonly words: Uint8Array[] = [];

  decode(reader: ByteReader): Change[] {
    const changes = this.heads(reader);
    const counts = changes.map(() => reader.count());
    const edits: Columned[] = [];
    changes.forEach((change, at) => {
      for (let left = counts[at] ?? 0; left > 0; left -= 1) {
        const edit: Edit = { record: { replica: 0n, number: 0n }, writes: [] };
        change.edits.push(edit);
        edits.push({ edit, of: 0 });
      }
    });
    for (const one of edits) {
      one.of = this.replica(reader);
      one.edit.record.replica = this.replicas[one.of] ?? 0n;
    }
    readNumbers(edits.length, reader).forEach((number, at) => {
      const one = edits[at];
      if (one) one.edit.record.number = number;
    });
    for (const { edit } of edits) this.shape(edit, reader);
    this.contexts(changes, edits, reader);
    this.values(edits, reader);
    return changes;
  }

  private heads(reader: ByteReader): Change[] {
    const changes: Change[] = [];
    for (let left = reader.count(6); left > 0; left -= 1) {
      changes.push({ replica: 0n, counter: 0n, time: 0n, author: '', edits: [] });
    }
    for (const change of changes) change.replica = this.replicas[this.replica(reader)] ?? 0n;
    let counter = 0n;
    for (const change of changes) change.counter = counter = add64(counter + 1n, reader.zigzag());
    let ms = 0n;
    for (const change of changes) {
      ms = add64(ms, reader.zigzag());
      change.time = ms << 16n;
    }
    let last = 0n;
    for (const change of changes) {
      const isSame = change.time >> 16n === last >> 16n;
      change.time |= isSame ? add64((last & 0xffffn) + 1n, reader.zigzag()) : reader.varint();
      last = change.time;
    }
    for (const change of changes) change.author = this.name(reader);
    return changes;
  }

  /** What a handle of a table means; where it is the next one, the new entry follows. */
  private handle(size: number, reader: ByteReader): number {
    const handle = reader.varint();
    if (handle > BigInt(size)) malformed('something is used before it is given');
    return Number(handle);
  }

  private nameHandle(reader: ByteReader): number {
    const handle = this.handle(this.names.length, reader);
    if (handle === this.names.length) this.names.push(reader.text());
    return handle;
  }

  private name(reader: ByteReader): string {
    return this.names[this.nameHandle(reader)] ?? '';
  }

  private replica(reader: ByteReader): number {
    const handle = this.handle(this.replicas.length, reader);
    if (handle === this.replicas.length) {
      this.replicas.push(reader.fixed64());
      this.readings.push({ upTo: 0n, ahead: 0n });
    }
    return handle;
  }

  private shape(edit: Edit, reader: ByteReader): void {
    const handle = this.handle(this.shapes.length, reader);
    if (handle === this.shapes.length) {
      const shape: number[] = [];
      for (let left = reader.count(); left > 0; left -= 1) shape.push(this.nameHandle(reader));
      this.shapes.push(shape);
    }
    edit.writes = (this.shapes[handle] ?? []).map((name) => {
      return { field: this.names[name] ?? '', seen: [], value: '' };
    });
  }

  private predicted(change: Change, { edit, of }: Columned): Context {
    const { replica, number } = edit.record;
    if (isBirth(edit) || replica === change.replica) return [];
    const upTo = add64(number, this.readings[of]?.ahead ?? 0n);
    return upTo === 0n ? [] : [{ replica, upTo, except: [] }];
  }

  private context(entries: number, edit: Edit, reader: ByteReader): Context {
    const context: Context = [];
    for (; entries > 0; entries -= 1) {
      const handle = this.replica(reader);
      const replica = this.replicas[handle] ?? 0n;
      const reading = this.readings[handle] ?? { upTo: 0n, ahead: 0n };
      const isOfRecord = replica === edit.record.replica;
      const expected = isOfRecord ? add64(edit.record.number, reading.ahead) : reading.upTo;
      const upTo = add64(expected, reader.zigzag());
      if (isOfRecord) reading.ahead = add64(upTo, -edit.record.number);
      reading.upTo = upTo;
      context.push({ replica, upTo, except: readExceptions(upTo, reader) });
    }
    return context.sort((a, b) => (a.replica < b.replica ? -1 : 1));
  }

  private contexts(changes: Change[], edits: Columned[], reader: ByteReader): void {
    const isOther = edits.map(() => reader.byte());
    let at = 0;
    for (const change of changes) {
      for (const edit of change.edits) {
        const one = edits[at] ?? { edit, of: 0 };
        for (const write of edit.writes) {
          const code = isOther[at] === 0 ? 0 : reader.count();
          write.seen =
            code === 0 ? this.predicted(change, one) : this.context(code - 1, edit, reader);
        }
        at += 1;
      }
    }
  }

  private values(edits: Columned[], reader: ByteReader): void {
    const columns = new Map<string, Write[]>();
    for (const write of edits.flatMap(({ edit }) => edit.writes)) {
      const column = columns.get(write.field);
      if (column) column.push(write);
      else columns.set(write.field, [write]);
    }
    const forms = [...columns.values()].map((column) => ({ column, form: reader.byte() }));
    for (const { column, form } of forms) this.column(column, form, reader);
    const inWords = forms.filter(({ form }) => form === 4).flatMap(({ column }) => column);
    if (inWords.length > 0) this.texts(inWords, reader);
  }

  private column(column: Write[], form: number, reader: ByteReader): void {
    if (form > 4) malformed('values are written in an unknown form');
    let previous = 0n;
    for (const write of column) {
      if (form === 0) write.value = reader.text();
      if (form === 1) write.value = textOf(reader.line());
      if (form === 2) write.value = `"${textOf(reader.line())}"`;
      if (form !== 3) continue;
      const replica = this.replicas[this.replica(reader)] ?? 0n;
      previous = add64(previous, reader.zigzag());
      write.value = referenceTo({ replica, number: previous });
    }
  }

  private texts(column: Write[], reader: ByteReader): void {
    for (let left = reader.count(2); left > 0; left -= 1) this.words.push(reader.line());
    const rare = new ByteReader(reader.string());
    for (const write of column) write.value = this.textInWords(reader, rare);
    rare.expectEnd();
  }

  /** Between two words is a space, unless something else is. */
  private textInWords(reader: ByteReader, rare: ByteReader): string {
    const bytes = [QUOTE];
    let afterWord = false;
    for (let code = reader.varint(); code !== 0n; code = reader.varint()) {
      const token = code === 1n ? rare.line() : this.words[Number(code - 2n)];
      if (token === undefined || token.length === 0) malformed('a word is unknown');
      const isWord = isLetter(token[0]);
      if (isWord && afterWord) bytes.push(SPACE);
      bytes.push(...token);
      afterWord = isWord;
    }
    bytes.push(QUOTE);
    return textOf(Uint8Array.from(bytes));
  }
}
