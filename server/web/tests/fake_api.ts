import type {
  Edit,
  Exchange,
  FieldValue,
  FilesAnswer,
  HistoryEntry,
  RecordAnswer,
  Sibling,
  SyncAnswer,
} from '../src/api/types';
import { kSamplePacks } from './sample_pack';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Stored {
  readonly id: string;
  readonly kind: string;
  readonly root: string;
  readonly siblings: Map<string, Sibling[]>;
  readonly entries: HistoryEntry[];
  /** When each field was last written, counted in saves. */
  readonly writtenAt: Map<string, number>;
  version: number;
}

const kStart = Date.UTC(2026, 2, 3, 8, 0, 0);
const kUser = 'amina';
const kPassword = 'correct horse';

class Refusal extends Error {
  readonly answer: Answer;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.answer = { status, body: { type: 'about:blank', title: code, status, detail, code } };
  }
}

/** A stand-in for the server with the same calls and nothing on disk; times are made up. */
export class FakeApi {
  isSignedIn = false;
  role = 'caseworker';
  readonly changes: (readonly Edit[])[] = [];
  readonly handovers: unknown[] = [];
  /** "GET /audit?by=omar", in order. */
  readonly asked: string[] = [];
  /** Answers the next call of that path ("POST /changes") instead of the fake itself. */
  readonly instead = new Map<string, () => Answer | Promise<Answer>>();
  sync: Partial<SyncAnswer> = {};
  files: FilesAnswer = { files: [], unfinished: [] };
  /** "HEAD /files/ID": what was asked for. */
  readonly wanted: string[] = [];
  private readonly records = new Map<string, Stored>();
  private saves = 0;

  /** For the browser's fetch: what the client would send over the line. */
  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(input as string, 'https://office.invalid');
    const text = typeof init?.body === 'string' ? init.body : '';
    const { status, body } = await this.answer(init?.method ?? 'GET', url, text);
    const isEmpty = body === undefined;
    return new Response(isEmpty ? null : JSON.stringify(body), { status });
  };

  async answer(method: string, url: URL, text: string): Promise<Answer> {
    const path = url.pathname.replace(/^\/api\/v1/, '');
    this.asked.push(`${method} ${path}${url.search}`);
    const instead = this.instead.get(`${method} ${path}`);
    if (instead !== undefined) {
      this.instead.delete(`${method} ${path}`);
      return instead();
    }
    try {
      return this.route(method, path, url.searchParams, text === '' ? {} : JSON.parse(text));
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      throw error;
    }
  }

  /** Saves as somebody else at another office would, and answers the record's id. */
  save(edit: Edit, by = 'jonas', office = 'NBO'): string {
    return this.apply([edit], by, office).get(edit.record)?.id ?? '';
  }

  read(id: string): RecordAnswer {
    const record = this.records.get(id);
    if (record === undefined) throw new Refusal(404, 'record.unknown', 'No such record is here.');
    const fields: Record<string, FieldValue> = {};
    const conflicts: Record<string, readonly Sibling[]> = {};
    for (const [name, siblings] of record.siblings) {
      const shown = siblings[siblings.length - 1]?.value ?? null;
      if (shown !== null) fields[name] = shown;
      if (siblings.length > 1) conflicts[name] = siblings;
    }
    const { kind, root, version } = record;
    const isAtHeadquarters = version % 2 === 1;
    return {
      id,
      kind,
      root,
      fields,
      tag: `t${version}`,
      conflicts,
      durability: isAtHeadquarters ? 'hq' : 'office',
      since: this.time(version),
    };
  }

  private route(method: string, path: string, query: URLSearchParams, body: unknown): Answer {
    if (path === '/session') return this.session(method, body);
    if (!this.isSignedIn) throw new Refusal(401, 'session.none', 'Sign in first.');
    const [, top, id, below] = path.split('/');
    if (path === '/me') {
      const me = { user: kUser, role: this.role, programmes: { core: 'caseworker', avrr: 'caseworker' }, office: 'ADD' };
      return { status: 200, body: me };
    }
    if (path === '/programmes') return { status: 200, body: kSamplePacks };
    if (path === '/sync') return { status: 200, body: this.syncAnswer() };
    if (path === '/conflicts') return { status: 200, body: this.list((each) => hasConflict(each)) };
    if (path === '/handovers' && method === 'POST') {
      this.handovers.push(body);
      return { status: 200, body: { id: 'h1' } };
    }
    if (path === '/changes' && method === 'POST') {
      return this.change((body as { edits: Edit[] }).edits);
    }
    if (top === 'files' && method === 'HEAD') {
      this.wanted.push(path);
      return { status: 409, body: undefined };
    }
    if (path === '/files' && method === 'GET') return { status: 200, body: this.files };
    if (top === 'records' && id === undefined) return this.search(query);
    if (top === 'records' && id !== undefined && below === 'history') {
      const entries = [...(this.records.get(id)?.entries ?? [])].reverse();
      return { status: 200, body: { entries, cursor: null } };
    }
    if (top === 'records' && id !== undefined) return { status: 200, body: this.read(id) };
    throw new Refusal(404, 'http.path', 'There is no such address.');
  }

  private session(method: string, body: unknown): Answer {
    if (method === 'DELETE') {
      this.isSignedIn = false;
      return { status: 204, body: undefined };
    }
    const { user, password } = body as { user: string; password: string };
    if (user !== kUser || password !== kPassword) {
      throw new Refusal(401, 'session.wrong', 'The user name or the password is wrong.');
    }
    this.isSignedIn = true;
    return { status: 200, body: { user } };
  }

  private change(edits: readonly Edit[]): Answer {
    this.changes.push(edits);
    const made = this.apply(edits, kUser, 'ADD');
    return {
      status: 200,
      body: { change: `a1:${this.saves}`, records: Object.fromEntries(made), durability: 'office' },
    };
  }

  private apply(edits: readonly Edit[], by: string, office: string) {
    const answers = new Map<string, { id: string; tag: string }>();
    this.saves += 1;
    for (const edit of edits) this.check(edit);
    for (const edit of edits) {
      const record = this.find(edit);
      this.write(record, edit, by, office);
      answers.set(edit.record, { id: record.id, tag: `t${record.version}` });
    }
    return answers;
  }

  private check(edit: Edit): void {
    const fields = kSamplePacks
      .flatMap((pack) => pack.kinds)
      .find(({ kind }) => kind === edit.kind)?.fields;
    if (fields === undefined) throw new Refusal(422, 'case.kind-unknown', 'No such kind.');
    for (const field of fields) {
      const isMissing = edit.record.startsWith('new:') && !(field.name in edit.fields);
      if (field.required && (isMissing || edit.fields[field.name] === null)) {
        const detail = `The field "${field.name}" of "${edit.kind}" must be filled in.`;
        throw new Refusal(422, 'case.field-required', detail);
      }
      const value = edit.fields[field.name];
      if (field.type === 'place' && typeof value === 'string' && !/^[A-Z]{2,3}\d*$/.test(value)) {
        const detail = `The field "${field.name}" must be a place code.`;
        throw new Refusal(422, 'case.value-invalid', detail);
      }
    }
  }

  private find(edit: Edit): Stored {
    const found = this.records.get(edit.record);
    if (found !== undefined) return found;
    const number = String(this.records.size + 1).padStart(12, '0');
    const id = `00000000-0000-4000-8000-${number}`;
    const record: Stored = {
      id,
      kind: edit.kind,
      root: edit.root ?? id,
      siblings: new Map(),
      entries: [],
      writtenAt: new Map(),
      version: 0,
    };
    this.records.set(id, record);
    return record;
  }

  private write(record: Stored, edit: Edit, by: string, office: string): void {
    const at = this.time(this.saves);
    const seen = edit.seen === undefined ? record.version : Number(edit.seen.slice(1));
    const changed: Record<string, { value: FieldValue; replaced: FieldValue[] }> = {};
    for (const [name, value] of Object.entries(edit.fields)) {
      const before = record.siblings.get(name) ?? [];
      const isApart = (record.writtenAt.get(name) ?? 0) > seen;
      const kept = isApart ? before : [];
      const replaced = isApart ? [] : before.map((sibling) => sibling.value);
      record.siblings.set(name, [...kept, { value, by, office, at }]);
      record.writtenAt.set(name, this.saves);
      changed[name] = { value, replaced };
    }
    record.version = this.saves;
    record.entries.push({ change: `a1:${this.saves}`, by, office, at, fields: changed });
  }

  private search(query: URLSearchParams): Answer {
    const q = (query.get('q') ?? '').toLowerCase();
    const wanted = (record: RecordAnswer) =>
      (!query.has('kind') || record.kind === query.get('kind')) &&
      (!query.has('root') || record.root === query.get('root')) &&
      JSON.stringify(record.fields).toLowerCase().includes(q);
    const all = this.list(wanted).records;
    const from = Number(query.get('cursor') ?? 0);
    const to = from + Number(query.get('limit') ?? 25);
    const cursor = to < all.length ? String(to) : null;
    return { status: 200, body: { records: all.slice(from, to), cursor } };
  }

  private list(wanted: (record: RecordAnswer) => boolean) {
    const records = [...this.records.keys()].map((id) => this.read(id)).filter(wanted);
    return { records: records.reverse(), cursor: null };
  }

  private syncAnswer(): SyncAnswer {
    const exchange: Exchange = { at: this.time(2), up: 812, down: 15_400, roundTrips: 1, ok: true };
    return {
      role: 'office',
      office: 'ADD',
      hq: { url: 'https://hq.example' },
      state: 'connected',
      lastContact: new Date(Date.now() - 130_000).toISOString(),
      backlogUp: 12,
      backlogDown: 0,
      agree: true,
      conflicts: this.list(hasConflict).records.length,
      quarantined: 0,
      exchanges: [
        { ...exchange, ok: false, error: 'The line was cut.', at: this.time(5) },
        exchange,
      ],
      ...this.sync,
    };
  }

  private time(minutes: number): string {
    return new Date(kStart + minutes * 60_000).toISOString();
  }
}

function hasConflict(record: RecordAnswer): boolean {
  return Object.keys(record.conflicts ?? {}).length > 0;
}

/** A few people and a case with notes, one of them in conflict. */
export function filledApi(): FakeApi {
  const api = new FakeApi();
  const names = ['Salma Haddad', 'Yohannes Tesfaye', 'مريم الخطيب', 'Grace Wanjiru', 'Omar Nur'];
  const people = names.map((name) => {
    const [given_name = '', family_name = ''] = name.split(' ');
    return api.save({ record: 'new:1', kind: 'person', fields: { given_name, family_name } });
  });
  const applicant = `urn:uuid:${people[0] ?? ''}`;
  const root = api.save({
    record: 'new:1',
    kind: 'avrr_case',
    fields: {
      case_number: 'ET-ADD-2026-00017',
      applicant,
      stage: 'open',
      household_size: 4,
      needs: ['medical', 'school'],
      summary: 'Wishes to return with three children.\nNeeds a medical check before travel.',
    },
  });
  const note = { on: '2026-03-02', text: 'First talk; papers are complete.' };
  api.save({ record: 'new:1', kind: 'avrr_note', root, fields: note });
  const { id, kind, tag: seen } = api.read(people[0] ?? '');
  api.save({ record: id, kind, seen, fields: { phone: '+251 911 000 111' } }, 'amina', 'ADD');
  api.save({ record: id, kind, seen, fields: { phone: '+254 722 333 444' } });
  return api;
}
