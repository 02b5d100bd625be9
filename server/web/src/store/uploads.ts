import type { ApiClient } from '../api/client';
import { type ApiProblem, asProblem } from '../api/problem';
import type { FileDescription } from '../api/types';
import { kChunkSize } from '../files/description';
import { Observable } from './observable';

export interface Upload {
  readonly key: number;
  readonly root: string;
  readonly name: string;
  readonly chunks: number;
  readonly sent: number;
  /** The office's server did not answer: it goes on by itself when it does. */
  readonly isWaiting: boolean;
  /** Refused: it does not go on. */
  readonly problem: ApiProblem | undefined;
}

const kFirstRetryMilliseconds = 1_000;
const kLongestRetryMilliseconds = 30_000;

/**
 * Brings files to the server one after the other, however often the line is cut: what is there is
 * not sent again. They go on while the person looks at other pages.
 */
export class UploadStore {
  readonly uploads = new Observable<readonly Upload[]>([]);
  /** Counts the uploads that came to their end. */
  readonly finished = new Observable(0);
  private readonly client: ApiClient;
  private readonly describe: (file: File) => Promise<FileDescription>;
  private readonly pause: (milliseconds: number) => Promise<void>;
  private keys = 0;
  private queue: Promise<void> = Promise.resolve();

  constructor(
    client: ApiClient,
    describe: (file: File) => Promise<FileDescription>,
    pause = (milliseconds: number) =>
      new Promise<void>((resolve) => window.setTimeout(resolve, milliseconds)),
  ) {
    this.client = client;
    this.describe = describe;
    this.pause = pause;
  }

  add(root: string, files: readonly File[]): void {
    for (const file of files) {
      this.keys += 1;
      const { name } = file;
      const upload = { key: this.keys, root, name, chunks: 0, sent: 0, isWaiting: false };
      this.uploads.set([...this.uploads.get(), { ...upload, problem: undefined }]);
      this.queue = this.queue.then(() => this.bring(upload.key, root, file));
    }
  }

  /** Takes one off the list: one that was refused, or that is not to go on. */
  dismiss(key: number): void {
    this.uploads.set(this.uploads.get().filter((each) => each.key !== key));
  }

  /** Whoever signs out takes what is not finished along. */
  forget(): void {
    this.uploads.set([]);
  }

  private isWanted(key: number): boolean {
    return this.uploads.get().some((each) => each.key === key);
  }

  private note(key: number, what: Partial<Upload>): void {
    const changed = this.uploads
      .get()
      .map((each) => (each.key === key ? { ...each, ...what } : each));
    this.uploads.set(changed);
  }

  private async bring(key: number, root: string, file: File): Promise<void> {
    let wait = kFirstRetryMilliseconds;
    let description: FileDescription | undefined;
    while (this.isWanted(key)) {
      try {
        description ??= await this.describe(file);
        await this.send(key, root, description, file);
        if (this.isWanted(key)) {
          this.dismiss(key);
          this.finished.set(this.finished.get() + 1);
        }
        return;
      } catch (error) {
        const problem = asProblem(error);
        if (problem?.code !== 'unreachable') {
          this.note(key, { problem, isWaiting: false });
          return;
        }
        this.note(key, { isWaiting: true });
        await this.pause(wait);
        wait = Math.min(2 * wait, kLongestRetryMilliseconds);
      }
    }
  }

  private async send(
    key: number,
    root: string,
    description: FileDescription,
    file: File,
  ): Promise<void> {
    const begun = await this.client.beginUpload(root, description);
    if (begun.record !== undefined || begun.upload === undefined) return;
    const missing = begun.missing ?? [];
    const chunks = description.chunks.length;
    let sent = chunks - missing.length;
    this.note(key, { chunks, sent, isWaiting: false });
    for (const place of missing) {
      if (!this.isWanted(key)) return;
      const bytes = file.slice(place * kChunkSize, (place + 1) * kChunkSize);
      await this.client.putChunk(begun.upload, place, bytes);
      sent += 1;
      this.note(key, { sent, isWaiting: false });
    }
    if (this.isWanted(key)) await this.client.finishUpload(begun.upload);
  }
}
