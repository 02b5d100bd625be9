// Changes and their canonical bodies (docs/spec/sync.md, sections 2 to 4).

import { ByteReader, ByteWriter, malformed } from './bytes';

export interface ContextEntry {
  replica: bigint;
  upTo: bigint;
  /** Descending. */
  except: bigint[];
}

/** Ascending by replica. */
export type Context = ContextEntry[];

export interface RecordName {
  replica: bigint;
  number: bigint;
}

export interface Write {
  field: string;
  seen: Context;
  /** Canonical JSON. */
  value: string;
}

export interface Edit {
  record: RecordName;
  writes: Write[];
}

export interface Change {
  replica: bigint;
  counter: bigint;
  /** Milliseconds in the upper 48 bits, a counter in the lower 16. */
  time: bigint;
  author: string;
  edits: Edit[];
}

export function isBirth(edit: Edit): boolean {
  return edit.writes.some((write) => write.field === '_kind');
}

/** The value that refers to a record. */
export function referenceTo(record: RecordName): string {
  const halves = [record.replica, record.number];
  const hex = halves.map((half) => half.toString(16).padStart(16, '0')).join('');
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return `"urn:uuid:${uuid}"`;
}

export function readExceptions(upTo: bigint, reader: ByteReader): bigint[] {
  const except: bigint[] = [];
  let highest = upTo;
  for (let left = reader.count(); left > 0; left -= 1) {
    const value = highest - reader.varint();
    if (value < 1n) malformed('an exception is not covered');
    except.push(value);
    highest = value - 1n;
  }
  return except;
}

function writeExceptions(entry: ContextEntry, writer: ByteWriter): void {
  writer.varint(entry.except.length);
  let highest = entry.upTo;
  for (const value of entry.except) {
    writer.varint(highest - value);
    highest = value - 1n;
  }
}

function readContext(reader: ByteReader): Context {
  const context: Context = [];
  for (let left = reader.count(10); left > 0; left -= 1) {
    const replica = reader.fixed64();
    const upTo = reader.varint();
    const before = context[context.length - 1];
    if (upTo === 0n || (before !== undefined && before.replica >= replica)) {
      malformed('a context is not in order');
    }
    context.push({ replica, upTo, except: readExceptions(upTo, reader) });
  }
  return context;
}

export function encodeChange(change: Change): Uint8Array {
  const writer = new ByteWriter();
  writer.fixed64(change.replica);
  writer.varint(change.counter);
  writer.varint(change.time);
  writer.text(change.author);
  writer.varint(change.edits.length);
  for (const edit of change.edits) {
    writer.fixed64(edit.record.replica);
    writer.varint(edit.record.number);
    writer.varint(edit.writes.length);
    for (const write of edit.writes) {
      writer.text(write.field);
      writer.varint(write.seen.length);
      for (const entry of write.seen) {
        writer.fixed64(entry.replica);
        writer.varint(entry.upTo);
        writeExceptions(entry, writer);
      }
      writer.text(write.value);
    }
  }
  return writer.take();
}

export function decodeChange(body: Uint8Array): Change {
  const reader = new ByteReader(body);
  const change: Change = {
    replica: reader.fixed64(),
    counter: reader.varint(),
    time: reader.varint(),
    author: reader.text(),
    edits: [],
  };
  for (let edits = reader.count(); edits > 0; edits -= 1) {
    const record = { replica: reader.fixed64(), number: reader.varint() };
    const edit: Edit = { record, writes: [] };
    for (let writes = reader.count(); writes > 0; writes -= 1) {
      edit.writes.push({ field: reader.text(), seen: readContext(reader), value: reader.text() });
    }
    change.edits.push(edit);
  }
  reader.expectEnd();
  return change;
}
