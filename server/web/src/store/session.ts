import type { ApiClient } from '../api/client';
import { type ApiProblem, asProblem } from '../api/problem';
import type { Me } from '../api/types';
import { Observable } from './observable';
import { Programmes } from './programmes';

export type Session =
  | { readonly phase: 'starting' }
  | { readonly phase: 'failed'; readonly problem: ApiProblem }
  /** `ended` when there was a session before, which the server or idleness has ended. */
  | { readonly phase: 'signedOut'; readonly ended: boolean }
  | { readonly phase: 'signedIn'; readonly me: Me; readonly programmes: Programmes };

/** Who is signed in, and what this server knows of programmes for them. */
export class SessionStore {
  readonly session = new Observable<Session>({ phase: 'starting' });
  /** The last person who was signed in on this page. */
  private lastUser: string | undefined;
  private readonly client: ApiClient;
  private readonly onSignedIn: (me: Me, before: string | undefined) => void;

  /** `onSignedIn` is told who was signed in on this page before. */
  constructor(client: ApiClient, onSignedIn: (me: Me, before: string | undefined) => void) {
    this.client = client;
    this.onSignedIn = onSignedIn;
  }

  /** Takes up a session that the browser still has; otherwise shows the sign-in. */
  async start(): Promise<void> {
    this.session.set({ phase: 'starting' });
    try {
      await this.load();
    } catch (error) {
      const problem = asProblem(error);
      if (problem === undefined) return;
      if (problem.status === 401) this.session.set({ phase: 'signedOut', ended: false });
      else this.session.set({ phase: 'failed', problem });
    }
  }

  /** Rejects with an ApiProblem. */
  async signIn(user: string, password: string, code = ''): Promise<void> {
    await this.client.signIn(user, password, code);
    await this.load();
  }

  /** The screen forgets at once; the server is told as soon as it answers. */
  async signOut(): Promise<void> {
    this.lastUser = undefined;
    this.session.set({ phase: 'signedOut', ended: false });
    await this.client.signOut();
  }

  /** The server no longer knows the session, or nobody has touched this page for long. */
  ended(): void {
    if (this.session.get().phase === 'signedIn') {
      this.session.set({ phase: 'signedOut', ended: true });
    }
  }

  private async load(): Promise<void> {
    const [me, programmes] = await Promise.all([this.client.me(), this.client.programmes()]);
    this.onSignedIn(me, this.lastUser);
    this.lastUser = me.user;
    this.session.set({ phase: 'signedIn', me, programmes: new Programmes(programmes) });
  }
}
