import type { ApiClient } from '../api/client';
import { asProblem } from '../api/problem';
import type { SyncAnswer } from '../api/types';
import { Observable } from './observable';

export interface Link {
  /** The server's last word on it. */
  readonly sync: SyncAnswer | undefined;
  /** Whether the office's own server answered the last time. */
  readonly isServerReached: boolean;
}

const kPollMilliseconds = 15_000;

/** Watches the office's link to headquarters while somebody is looking. */
export class LinkStore {
  readonly link = new Observable<Link>({ sync: undefined, isServerReached: true });
  private readonly client: ApiClient;
  private readonly isWatched: () => boolean;
  private timer: number | undefined;

  /** `isWatched` says whether to poll: a poll keeps a session alive, so it needs a person. */
  constructor(client: ApiClient, isWatched: () => boolean) {
    this.client = client;
    this.isWatched = isWatched;
  }

  start(): void {
    this.stop();
    this.timer = window.setInterval(() => {
      if (this.isWatched()) void this.refresh();
    }, kPollMilliseconds);
    void this.refresh();
  }

  stop(): void {
    window.clearInterval(this.timer);
    this.timer = undefined;
    this.link.set({ sync: undefined, isServerReached: true });
  }

  async refresh(): Promise<void> {
    try {
      const sync = await this.client.sync();
      if (this.timer !== undefined) this.link.set({ sync, isServerReached: true });
    } catch (error) {
      const isServerReached = asProblem(error)?.status !== 0;
      if (this.timer !== undefined) this.link.set({ sync: this.link.get().sync, isServerReached });
    }
  }
}
