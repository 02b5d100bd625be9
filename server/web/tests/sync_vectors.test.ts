// The vectors that the server's tests read too (tests/sync/codec_test.cpp holds what they mean).

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { describe, expect, it } from 'vitest';

import { BatchDecoder } from '../src/sync/batch';
import { ByteReader, SyncMalformed } from '../src/sync/bytes';
import { type Change, decodeChange, encodeChange } from '../src/sync/change';
import { cutFrames, FrameType, PackedFrames } from '../src/sync/frames';

const OFFICE = 0x1111111111111111n;
const HEADQUARTERS = 0x2222222222222222n;
const PERSON = '"urn:uuid:11111111-1111-1111-0000-000000000001"';

function vectors(name: string): Map<string, Uint8Array> {
  const file = resolve(process.cwd(), '../../tests/vectors', name);
  return new Map(
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes(' '))
      .map((line) => {
        const [key = '', hex = ''] = line.split(' ');
        return [key, Uint8Array.from(Buffer.from(hex, 'hex'))];
      }),
  );
}

const sync = vectors('sync.txt');
const packed = vectors('sync-packed.txt');

function bytes(name: string): Uint8Array {
  const found = sync.get(name) ?? packed.get(name);
  if (!found) throw new Error(`there is no vector ${name}`);
  return found;
}

function batch(name: string): Change[] {
  const reader = new ByteReader(bytes(name));
  const changes = new BatchDecoder().decode(reader);
  reader.expectEnd();
  return changes;
}

const hex = (one: Uint8Array): string => Buffer.from(one).toString('hex');

// Texts in words, with a rare one, a gap and a column of references.
function texts(): Change[] {
  const text = 'the child was seen at the market, the child is well; '.repeat(3);
  return [1n, 2n, 3n].map((i) => {
    const seen = i === 3n ? [{ replica: HEADQUARTERS, upTo: 302n, except: [] }] : [];
    return {
      replica: OFFICE,
      counter: i,
      time: 0x018bcfe568000000n + (i << 16n),
      author: 'amina@NBO',
      edits: [
        {
          record: { replica: HEADQUARTERS, number: 200n + 50n * i },
          writes: [
            { field: 'note', seen, value: `"${text}n${i}"` },
            { field: 'person', seen, value: PERSON },
          ],
        },
      ],
    };
  });
}

describe('the vectors of the sync protocol', () => {
  it('hold the changes of the worked example', () => {
    expect(decodeChange(bytes('change-birth'))).toEqual({
      replica: OFFICE,
      counter: 1n,
      time: 0x018bcfe568000000n,
      author: 'amina@NBO',
      edits: [
        {
          record: { replica: OFFICE, number: 1n },
          writes: [
            { field: '_kind', seen: [], value: '"person"' },
            { field: 'name', seen: [], value: '"Hawa"' },
          ],
        },
      ],
    });
    const stale = decodeChange(bytes('change-stale-edit'));
    expect(stale.edits[0]?.writes[0]?.seen).toEqual([{ replica: OFFICE, upTo: 3n, except: [3n] }]);
    for (const name of ['change-birth', 'change-edit', 'change-stale-edit']) {
      expect(hex(encodeChange(decodeChange(bytes(name))))).toBe(hex(bytes(name)));
    }
  });

  it('hold the same changes by columns', () => {
    expect(batch('batch').map((change) => hex(encodeChange(change)))).toEqual(
      ['change-birth', 'change-edit', 'change-stale-edit'].map((name) => hex(bytes(name))),
    );
    expect(batch('batch-of-texts')).toEqual(texts());
  });

  it('hold packed frames of one stream, going up', () => {
    const { frames, left } = cutFrames(bytes('changes-frames'));
    expect(left.length).toBe(0);
    expect(frames.map(({ type }) => type)).toEqual([FrameType.changes, FrameType.changes]);
    const stream = new PackedFrames();
    const [first, second] = frames.map(({ payload }) => stream.changes(payload));
    expect(first?.incarnation).toBe(OFFICE);
    expect(first?.firstNumber).toBe(1n);
    expect(first?.changes.map((change) => hex(encodeChange(change)))).toEqual(
      ['change-birth', 'change-edit', 'change-stale-edit'].map((name) => hex(bytes(name))),
    );
    expect(second?.firstNumber).toBe(4n);
    expect(second?.changes).toEqual(texts());
  });

  it('hold a packed frame of the feed', () => {
    const { frames } = cutFrames(bytes('feed-frame'));
    expect(frames.map(({ type }) => type)).toEqual([FrameType.feed]);
    const feed = new PackedFrames().feed(frames[0]?.payload ?? new Uint8Array());
    expect(feed.number).toBe(19n);
    expect(feed.items.map(({ type }) => type)).toEqual(['leave', 'change', 'enter']);
    expect(feed.items[0]?.root).toEqual({ replica: OFFICE, number: 1n });
    expect(feed.items[2]?.root).toEqual({ replica: HEADQUARTERS, number: 300n });
    expect(feed.items[1]?.changes.map((change) => hex(encodeChange(change)))).toEqual([hex(bytes('change-edit'))]);
    expect(feed.items[2]?.changes).toEqual(texts());
  });

  it('are refused where they are cut or spoilt', () => {
    const body = bytes('batch-of-texts');
    for (let cut = 0; cut < body.length; cut += 1) {
      const reader = new ByteReader(body.subarray(0, cut));
      expect(() => new BatchDecoder().decode(reader)).toThrow(SyncMalformed);
    }
    expect(() => cutFrames(Uint8Array.of(0xff, 0xff, 0xff, 0x7f))).toThrow(SyncMalformed);
    const half = cutFrames(bytes('changes-frames').subarray(0, 40));
    expect(half.frames).toEqual([]);
    expect(half.left.length).toBe(40);
  });
});
