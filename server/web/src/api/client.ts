import { ApiProblem, problemFrom } from './problem';
import type {
  AccountRecordsAnswer,
  AccountsAnswer,
  AuditAnswer,
  BegunUpload,
  ChangeAnswer,
  Edit,
  FileDescription,
  FilesAnswer,
  HistoryAnswer,
  Me,
  Page,
  PhoneToken,
  Programme,
  RecordAnswer,
  SessionsAnswer,
  SyncAnswer,
  TotpAnswer,
} from './types';

/** What a list or a search asks for; everything left out does not narrow it. */
export interface RecordQuery {
  readonly kind?: string | undefined;
  readonly root?: string | undefined;
  readonly q?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

export interface ClientOptions {
  /** Called when the server no longer knows who we are (other than at login). */
  readonly onSignedOut: () => void;
  readonly fetch?: typeof fetch;
}

const kTimeoutMilliseconds = 30_000;
const kLookAgainMilliseconds = 200;
const kMostLooks = 100;

function queryString(query: object): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query) as [string, unknown][]) {
    if (typeof value === 'string' && value !== '') parameters.set(name, value);
    if (typeof value === 'number') parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/**
 * Speaks to the server. Every call resolves with the server's answer or rejects with an
 * ApiProblem; a call given up through its signal rejects with an AbortError.
 */
export class ApiClient {
  private readonly options: ClientOptions;
  private readonly send: typeof fetch;

  constructor(options: ClientOptions) {
    this.options = options;
    this.send = options.fetch ?? ((input, init) => fetch(input, init));
  }

  /** `code`: of the second factor; empty where none was asked for. */
  async signIn(user: string, password: string, code = ''): Promise<void> {
    const factors = code === '' ? { user, password } : { user, password, totp: code };
    await this.call('POST', '/session', factors);
  }

  async signOut(): Promise<void> {
    await this.call('DELETE', '/session');
  }

  me(signal?: AbortSignal): Promise<Me> {
    return this.get<Me>('/me', signal);
  }

  programmes(signal?: AbortSignal): Promise<readonly Programme[]> {
    return this.get<readonly Programme[]>('/programmes', signal);
  }

  record(id: string, signal?: AbortSignal): Promise<RecordAnswer> {
    return this.get<RecordAnswer>(`/records/${encodeURIComponent(id)}`, signal);
  }

  records(query: RecordQuery, signal?: AbortSignal): Promise<Page<RecordAnswer>> {
    return this.get<Page<RecordAnswer>>(`/records${queryString(query)}`, signal);
  }

  history(id: string, cursor?: string, signal?: AbortSignal): Promise<HistoryAnswer> {
    const path = `/records/${encodeURIComponent(id)}/history${queryString({ cursor })}`;
    return this.get<HistoryAnswer>(path, signal);
  }

  conflicts(cursor?: string, signal?: AbortSignal): Promise<Page<RecordAnswer>> {
    return this.get<Page<RecordAnswer>>(`/conflicts${queryString({ cursor })}`, signal);
  }

  sessions(signal?: AbortSignal): Promise<SessionsAnswer> {
    return this.get<SessionsAnswer>('/me/sessions', signal);
  }

  async endSession(id: string): Promise<void> {
    await this.call('DELETE', `/me/sessions/${encodeURIComponent(id)}`);
  }

  async changePassword(password: string, next: string): Promise<void> {
    await this.call('POST', '/me/password', { password, new: next });
  }

  beginTotp(password: string): Promise<TotpAnswer> {
    return this.call<TotpAnswer>('POST', '/me/totp', { password });
  }

  async confirmTotp(code: string): Promise<void> {
    await this.call('PUT', '/me/totp', { code });
  }

  async endTotp(password: string): Promise<void> {
    await this.call('POST', '/me/totp/off', { password });
  }

  phoneToken(phone: string): Promise<PhoneToken> {
    return this.call<PhoneToken>('POST', '/phone-tokens', { phone });
  }

  accounts(signal?: AbortSignal): Promise<AccountsAnswer> {
    return this.get<AccountsAnswer>('/accounts', signal);
  }

  async addAccount(account: {
    name: string;
    role: string;
    programmes: Readonly<Record<string, string>>;
    password: string;
  }): Promise<void> {
    await this.call('POST', '/accounts', account);
  }

  async changeRoles(
    name: string,
    role: string,
    programmes: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.call('PUT', `/accounts/${encodeURIComponent(name)}`, { role, programmes });
  }

  async endSessions(name: string): Promise<void> {
    await this.call('DELETE', `/accounts/${encodeURIComponent(name)}/sessions`);
  }

  accountRecords(cursor?: string, signal?: AbortSignal): Promise<AccountRecordsAnswer> {
    return this.get<AccountRecordsAnswer>(`/account-records${queryString({ cursor })}`, signal);
  }

  async setDisabled(id: string, disabled: boolean): Promise<void> {
    await this.call('PUT', `/account-records/${encodeURIComponent(id)}`, { disabled });
  }

  /** Resolves once the server is locked; it begins anew for that, and for a moment none answers. */
  async lockServer(): Promise<void> {
    await this.call('POST', '/lock', {});
    for (let look = 0; look < kMostLooks && !(await this.isLocked()); look += 1) {
      await new Promise((resolve) => setTimeout(resolve, kLookAgainMilliseconds));
    }
  }

  private async isLocked(): Promise<boolean> {
    try {
      const response = await this.send('/health', { cache: 'no-store' });
      return ((await response.json()) as { status: string }).status === 'locked';
    } catch {
      return false;
    }
  }

  audit(
    query: {
      by: string;
      deed: string;
      record: string;
      from: string;
      to: string;
      cursor: string | undefined;
    },
    signal?: AbortSignal,
  ): Promise<AuditAnswer> {
    return this.get<AuditAnswer>(`/audit${queryString(query)}`, signal);
  }

  sync(signal?: AbortSignal): Promise<SyncAnswer> {
    return this.get<SyncAnswer>('/sync', signal);
  }

  /** Resolves once the change is on this office's disk, and not before. */
  change(edits: readonly Edit[]): Promise<ChangeAnswer> {
    return this.call<ChangeAnswer>('POST', '/changes', { edits });
  }

  async handOver(root: string, to: string, why: string): Promise<void> {
    await this.call('POST', '/handovers', { root, to, why });
  }

  files(root: string, signal?: AbortSignal): Promise<FilesAnswer> {
    return this.get<FilesAnswer>(`/files${queryString({ root })}`, signal);
  }

  beginUpload(root: string, file: FileDescription): Promise<BegunUpload> {
    return this.call<BegunUpload>('POST', '/files', { root, ...file });
  }

  /** Resolves once the part is on this office's disk. */
  async putChunk(upload: string, place: number, bytes: Blob): Promise<void> {
    await this.call('PUT', `/files/${encodeURIComponent(upload)}/chunks/${place}`, bytes);
  }

  async finishUpload(upload: string): Promise<void> {
    await this.call('POST', `/files/${encodeURIComponent(upload)}/finish`, {});
  }

  /** Has headquarters asked for the bytes where they are not here; they come over the link. */
  async wantFile(id: string, part: '' | '/thumbnail'): Promise<void> {
    try {
      await this.call('HEAD', `/files/${encodeURIComponent(id)}${part}`);
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 409) throw error;
    }
  }

  private get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.call<T>('GET', path, undefined, signal);
  }

  private async call<T>(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<T> {
    const response = await this.exchange(method, path, body, signal);
    if (!response.ok) {
      if (response.status === 401 && path !== '/session') this.options.onSignedOut();
      throw await problemFrom(response);
    }
    const text = await response.text();
    try {
      return (text === '' ? undefined : JSON.parse(text)) as T;
    } catch {
      throw new ApiProblem(response.status, 'unreadable_answer', '');
    }
  }

  private async exchange(
    method: string,
    path: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<Response> {
    const ending = new AbortController();
    const end = () => ending.abort();
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
    const timer = setTimeout(end, kTimeoutMilliseconds);
    const headers: Record<string, string> = { Accept: 'application/json' };
    const isBytes = body instanceof Blob;
    if (method !== 'GET') {
      headers['Content-Type'] = isBytes ? 'application/octet-stream' : 'application/json';
    }
    const init: RequestInit = { method, headers, signal: ending.signal, cache: 'no-store' };
    if (body !== undefined) init.body = isBytes ? body : JSON.stringify(body);
    try {
      return await this.send(`/api/v1${path}`, init);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiProblem(0, 'unreachable', '');
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }
}
