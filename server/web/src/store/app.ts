import { ApiClient } from '../api/client';
import { describeFile } from '../files/description';
import { Activity } from './activity';
import { DraftStore } from './draft';
import { LanguageStore } from './language';
import { LinkStore } from './link';
import { NameStore } from './names';
import { Observable } from './observable';
import { Router } from './router';
import { SessionStore } from './session';
import { UploadStore } from './uploads';

// As long as the server lets a session of a shared computer stand idle.
const kIdleMilliseconds = 15 * 60_000;
const kWatchedMilliseconds = 5 * 60_000;
const kCheckMilliseconds = 10_000;

/** Everything that outlives a screen, wired together. */
export class AppStore {
  readonly client: ApiClient;
  readonly session: SessionStore;
  readonly language = new LanguageStore();
  readonly drafts = new DraftStore();
  readonly router = new Router(() => this.drafts.hasUnsaved());
  readonly link: LinkStore;
  readonly names: NameStore;
  readonly uploads: UploadStore;
  /** Said once to people who listen to the screen. */
  readonly announcement = new Observable('');
  private readonly activity = new Activity();

  constructor(send?: typeof fetch) {
    const onSignedOut = () => this.session.ended();
    this.client = new ApiClient(
      send === undefined ? { onSignedOut } : { onSignedOut, fetch: send },
    );
    this.names = new NameStore((id) => this.client.record(id));
    this.uploads = new UploadStore(this.client, describeFile);
    this.link = new LinkStore(this.client, () => this.isWatched());
    this.session = new SessionStore(this.client, (me, before) => {
      this.language.suggest(me.language);
      this.activity.touched();
      if (before !== undefined && before !== me.user) {
        // Another person must not find what the one before had typed or was looking at; it waits
        // on this page until that one is back.
        this.drafts.putAside(before, this.router.location.get());
        this.router.replace('/');
      }
      const back = this.drafts.takeBack(me.user);
      if (back !== undefined) this.router.replace(back);
    });
    this.session.session.observe(() => this.followSession());
    this.router.location.observe(() => {
      // A form that was opened and not touched closes when the person moves on.
      if (!this.drafts.hasUnsaved()) this.drafts.discard();
    });
  }

  start(): void {
    this.router.start();
    this.activity.start();
    window.setInterval(() => this.endWhenIdle(), kCheckMilliseconds);
    void this.session.start();
  }

  /** Ends the session on the person's wish, after asking about what is unsaved. */
  signOut(): void {
    this.router.leaving(() => {
      this.drafts.discard();
      this.router.replace('/');
      // The cookie is then the server's to end; the screen is empty already.
      this.session.signOut().catch(() => undefined);
    });
  }

  private followSession(): void {
    if (this.session.session.get().phase === 'signedIn') {
      this.link.start();
    } else {
      this.link.stop();
      this.names.forget();
      this.uploads.forget();
    }
  }

  /** Whether a person looks at this page: only then it asks the server by itself. */
  isWatched(): boolean {
    return !document.hidden && this.activity.idleMilliseconds() < kWatchedMilliseconds;
  }

  private endWhenIdle(): void {
    const { phase } = this.session.session.get();
    if (phase !== 'signedIn' || this.activity.idleMilliseconds() < kIdleMilliseconds) return;
    this.session.ended();
    this.client.signOut().catch(() => undefined);
  }
}
