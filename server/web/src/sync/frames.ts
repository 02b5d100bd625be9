// Frames, and what is packed in them (docs/spec/sync.md, section 7).

import { Decompress } from 'fzstd';

import { BatchDecoder, readNumbers } from './batch';
import { ByteReader, malformed } from './bytes';
import type { Change, RecordName } from './change';

const MOST_FRAME_BYTES = 1024 * 1024;
const MOST_PLAIN_BYTES = 2 * 1024 * 1024;
const SIGNATURE_BYTES = 64;

export const FrameType = { hello: 1, changes: 3, welcome: 16, feed: 17, end: 18 } as const;

export interface Frame {
  type: number;
  payload: Uint8Array;
}

/** Cuts a stream into its whole frames; what is left is the beginning of one that is to come. */
export function cutFrames(stream: Uint8Array): { frames: Frame[]; left: Uint8Array } {
  const frames: Frame[] = [];
  let at = 0;
  while (at < stream.length) {
    let size = 0;
    let head = at;
    for (let shift = 0; ; shift += 7) {
      const byte = stream[head];
      if (byte === undefined) return { frames, left: stream.subarray(at) };
      head += 1;
      size += (byte & 0x7f) * 2 ** shift;
      if (size > MOST_FRAME_BYTES || shift > 21) malformed('a part is larger than 1 MiB');
      if (byte < 0x80) break;
    }
    if (size === 0) malformed('a part is empty');
    if (head + size > stream.length) break;
    frames.push({ type: stream[head] ?? 0, payload: stream.subarray(head + 1, head + size) });
    at = head + size;
  }
  return { frames, left: stream.subarray(at) };
}

export interface ChangesFrame {
  signature: Uint8Array;
  incarnation: bigint;
  firstNumber: bigint;
  changes: Change[];
}

export interface FeedItem {
  type: 'enter' | 'change' | 'leave';
  root: RecordName | null;
  changes: Change[];
}

export interface FeedFrame {
  number: bigint;
  within: Uint8Array;
  items: FeedItem[];
}

const ITEM_TYPES = [undefined, 'enter', 'change', 'leave'] as const;

/** The packed frames of one direction of one exchange, in order. */
export class PackedFrames {
  private readonly batch = new BatchDecoder();
  private readonly stream: Decompress;
  private pieces: Uint8Array[] = [];

  constructor() {
    this.stream = new Decompress((piece) => {
      this.pieces.push(piece.slice());
    });
  }

  changes(payload: Uint8Array): ChangesFrame {
    const signature = payload.subarray(0, SIGNATURE_BYTES);
    const reader = this.plain(payload.subarray(SIGNATURE_BYTES));
    const incarnation = reader.fixed64();
    const firstNumber = reader.varint();
    const changes = this.batch.decode(reader);
    reader.expectEnd();
    return { signature, incarnation, firstNumber, changes };
  }

  feed(payload: Uint8Array): FeedFrame {
    const reader = this.plain(payload);
    const frame: FeedFrame = { number: reader.varint(), within: reader.string(), items: [] };
    for (let left = reader.count(3); left > 0; left -= 1) {
      const type = ITEM_TYPES[reader.byte()];
      if (type === undefined) malformed('an entry of the feed is of an unknown kind');
      frame.items.push({ type, root: null, changes: [] });
    }
    const sizes = frame.items.map(({ type }) => (type === 'enter' ? reader.count() : type === 'change' ? 1 : 0));
    this.roots(frame.items, reader);
    const changes = this.batch.decode(reader);
    reader.expectEnd();
    frame.items.forEach((item, at) => (item.changes = changes.splice(0, sizes[at] ?? 0)));
    if (changes.length > 0) malformed("the feed's entries and changes differ");
    return frame;
  }

  private roots(items: FeedItem[], reader: ByteReader): void {
    const rooted = items.filter(({ type }) => type !== 'change');
    let replica = 0n;
    for (const item of rooted) {
      if (reader.byte() === 1) replica = reader.fixed64();
      item.root = { replica, number: 0n };
    }
    readNumbers(rooted.length, reader).forEach((number, at) => {
      const root = rooted[at]?.root;
      if (root) root.number = number;
    });
  }

  private plain(packed: Uint8Array): ByteReader {
    this.pieces = [];
    try {
      this.stream.push(packed);
    } catch {
      malformed('it does not decompress');
    }
    const size = this.pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (size > MOST_PLAIN_BYTES) malformed('it grows too large');
    const plain = new Uint8Array(size);
    let at = 0;
    for (const piece of this.pieces) {
      plain.set(piece, at);
      at += piece.length;
    }
    return new ByteReader(plain);
  }
}
