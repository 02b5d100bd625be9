import { expect, test } from 'vitest';
import { ApiClient } from '../src/api/client';
import type { FileDescription } from '../src/api/types';
import { kChunkSize } from '../src/files/description';
import { UploadStore } from '../src/store/uploads';

const kRoot = 'root';
const kProblem = { status: 507, code: 'store.full', detail: 'The disk is full.' };

/** A server that takes the parts of one file, and whose line can be cut. */
class Receiver {
  readonly parts = new Map<number, Blob>();
  readonly calls: string[] = [];
  chunks = 0;
  isFinished = false;
  /** Before each call: throws where the line is cut, answers where the server refuses. */
  before: (call: string) => Response | undefined = () => undefined;

  readonly fetch: typeof fetch = (input, init) =>
    new Promise((resolve) => {
      const path = (input as string).replace('/api/v1', '');
      resolve(this.answerTo(`${init?.method ?? 'GET'} ${path}`, init?.body));
    });

  private answerTo(call: string, body?: BodyInit | null): Response {
    this.calls.push(call);
    const answer = this.before(call);
    if (answer !== undefined) return answer;
    const place = /chunks\/(\d+)$/.exec(call)?.[1];
    if (call === 'POST /files') {
      const places = Array.from({ length: this.chunks }, (_, each) => each);
      if (this.isFinished) return Response.json({ record: 'r1' });
      return Response.json({ upload: 'u1', missing: places.filter((each) => !this.parts.has(each)) });
    }
    if (place !== undefined) this.parts.set(Number(place), body as Blob);
    if (call.endsWith('/finish')) this.isFinished = true;
    return Response.json({});
  }
}

function start(before: Receiver['before'] = () => undefined) {
  const receiver = new Receiver();
  receiver.chunks = 3;
  receiver.before = before;
  const describe = (file: File): Promise<FileDescription> =>
    Promise.resolve({
      name: file.name,
      type: file.type,
      size: file.size,
      sha256: 'all',
      chunks: ['a', 'b', 'c'],
    });
  const waits: number[] = [];
  const client = new ApiClient({ onSignedOut: () => undefined, fetch: receiver.fetch });
  const store = new UploadStore(client, describe, (milliseconds) => {
    waits.push(milliseconds);
    return Promise.resolve();
  });
  store.add(kRoot, [new File([new Uint8Array(2 * kChunkSize + 5)], 'photo.jpg')]);
  return { receiver, store, waits };
}

function settled(store: UploadStore): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (store.uploads.get().every((upload) => upload.problem !== undefined)) resolve();
    };
    store.uploads.observe(look);
    look();
  });
}

test('a file goes in parts of 32 KiB and leaves the list when it is finished', async () => {
  const { receiver, store } = start();
  await settled(store);
  const sizes = [...receiver.parts.values()].map((part) => part.size);
  expect(sizes).toEqual([kChunkSize, kChunkSize, 5]);
  expect(receiver.isFinished).toBe(true);
  expect(store.uploads.get()).toEqual([]);
  expect(store.finished.get()).toBe(1);
});

test('after a cut it waits, then goes on with what is missing and sends nothing twice', async () => {
  let cuts = 2;
  const { receiver, store, waits } = start((call) => {
    if (!call.includes('chunks/1') || cuts === 0) return undefined;
    cuts -= 1;
    throw new TypeError('the line is cut');
  });
  await settled(store);
  expect(receiver.isFinished).toBe(true);
  expect(waits).toEqual([1_000, 2_000]);
  const sent = receiver.calls.filter((call) => call.includes('chunks'));
  expect(sent.filter((call) => call.endsWith('/0'))).toHaveLength(1);
  expect(sent.filter((call) => call.endsWith('/2'))).toHaveLength(1);
});

test('an end whose answer was lost is not made twice', async () => {
  let isCut = false;
  const { receiver, store } = start((call) => {
    if (!call.endsWith('/finish') || isCut) return undefined;
    isCut = true;
    receiver.isFinished = true;
    throw new TypeError('the line is cut');
  });
  await settled(store);
  expect(receiver.calls.filter((call) => call.endsWith('/finish'))).toHaveLength(1);
  expect(store.finished.get()).toBe(1);
});

test('what the server refuses stays on the list with its reason until it is taken off', async () => {
  const { receiver, store } = start((call) =>
    call.includes('chunks') ? Response.json(kProblem, { status: 507 }) : undefined,
  );
  await settled(store);
  const [refused] = store.uploads.get();
  expect(refused?.problem?.code).toBe('store.full');
  expect(receiver.isFinished).toBe(false);
  store.dismiss(refused?.key ?? 0);
  expect(store.uploads.get()).toEqual([]);
});

test('one that is stopped sends no further part', async () => {
  const { receiver, store } = start((call) => {
    if (call.includes('chunks/1')) store.dismiss(1);
    return undefined;
  });
  await settled(store);
  expect(receiver.calls.filter((call) => call.includes('chunks/2'))).toEqual([]);
  expect(receiver.isFinished).toBe(false);
});
