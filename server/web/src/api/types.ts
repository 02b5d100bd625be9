/** The shapes that the server's HTTP interface speaks in. Times are RFC 3339, UTC. */

export type Language = 'en' | 'fr' | 'es' | 'ar';

/** A text in some of the languages; which of them are there is the programme pack's affair. */
export type Localized = Readonly<Partial<Record<Language, string>>>;

/** The JSON value of a field. null means that the field is empty. */
export type FieldValue = string | number | boolean | null | readonly string[];

export type Fields = Readonly<Record<string, FieldValue>>;

export type FieldType =
  | 'text'
  | 'longtext'
  | 'date'
  | 'integer'
  | 'boolean'
  | 'code'
  | 'codes'
  | 'ref'
  | 'place';

export interface Code {
  readonly code: string;
  readonly label: Localized;
}

export interface FieldDefinition {
  readonly name: string;
  readonly label: Localized;
  readonly type: FieldType;
  readonly required: boolean;
  /** Which of several values written apart is shown first; the server's affair. */
  readonly rule: string;
  readonly codes?: readonly Code[];
  /** True when offices use codes of their own beside the listed ones. */
  readonly open?: boolean;
  /** The kinds that a field of type ref may point to. */
  readonly ref?: readonly string[];
  readonly sensitive?: boolean;
  /** Name of one of the kind's sections. */
  readonly section?: string;
}

export interface KindDefinition {
  readonly kind: string;
  readonly name: Localized;
  /** True when records of this kind stand for themselves; others belong to a root. */
  readonly root: boolean;
  /** True for what every office holds, like place codes. */
  readonly global?: boolean;
  /** Kinds of roots that records of this kind may stand under; left out: any. */
  readonly parents?: readonly string[];
  readonly sections?: readonly { readonly section: string; readonly label: Localized }[];
  readonly fields: readonly FieldDefinition[];
  /** The field that says in which stage a case is. */
  readonly stageField?: string;
  /** Names of the fields that make up a record's title. */
  readonly title: readonly string[];
}

export interface Programme {
  readonly id: string;
  readonly name: Localized;
  readonly kinds: readonly KindDefinition[];
}

export interface Me {
  readonly user: string;
  readonly role: string;
  /** Programmes in which the person has a role of their own there. */
  readonly programmes: Readonly<Record<string, string>>;
  readonly office: string;
  readonly language?: string;
  /** Whether the account has a second factor. */
  readonly totp?: boolean;
}

export interface TotpAnswer {
  readonly secret: string;
  readonly uri: string;
}

/** With which a phone joins this office, once. */
export interface PhoneToken {
  readonly phone: string;
  readonly token: string;
  readonly until: string;
}

export interface SessionsAnswer {
  readonly sessions: readonly {
    readonly id: string;
    readonly from: string;
    readonly opened: string;
    readonly used: string;
    readonly current: boolean;
  }[];
}

export interface AccountAnswer {
  readonly name: string;
  readonly role: string;
  readonly programmes: Readonly<Record<string, string>>;
  readonly totp: boolean;
  /** By headquarters. */
  readonly disabled: boolean;
  readonly sessions: number;
}

/** An account of some office, as headquarters knows it. */
export interface AccountRecord {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly programmes: Readonly<Record<string, string>>;
  readonly office: string;
  readonly disabled: boolean;
  /** Who disabled it or let it in again last, and when. */
  readonly by?: string;
  readonly at?: string;
}

export interface AccountRecordsAnswer {
  readonly accounts: readonly AccountRecord[];
  readonly cursor?: string | null;
}

export interface AccountsAnswer {
  readonly accounts: readonly AccountAnswer[];
  readonly roles: readonly string[];
}

/** How far a record has come: this office's disk, headquarters, headquarters' backup. */
export type Durability = 'office' | 'hq' | 'hq-backup';

/** One of the values that were written apart from each other. */
export interface Sibling {
  readonly value: FieldValue;
  readonly by: string;
  readonly office: string;
  readonly at: string;
}

export interface RecordAnswer {
  readonly id: string;
  readonly kind: string;
  readonly root?: string | null;
  readonly fields: Fields;
  /** Stands for the state that was read; goes back as `seen` with an edit. */
  readonly tag: string;
  readonly conflicts?: Readonly<Record<string, readonly Sibling[]>>;
  /** Decisions, each with the fields that have other values since it was taken. */
  readonly moved?: Readonly<Record<string, readonly string[]>>;
  readonly durability?: Durability;
  readonly since?: string | null;
  /** Sensitive fields that hold something which this person's role does not see. */
  readonly masked?: readonly string[];
}

export interface Page<T> {
  readonly records: readonly T[];
  readonly cursor?: string | null;
}

export interface Edit {
  /** A record's id, or "new:1" for one that is made with this change. */
  readonly record: string;
  readonly kind: string;
  readonly root?: string;
  readonly fields: Fields;
  /** True deletes what was seen of the record, false restores it. */
  readonly deleted?: boolean;
  readonly seen?: string;
}

export interface ChangeAnswer {
  readonly change: string;
  readonly records: Readonly<Record<string, { readonly id: string; readonly tag: string }>>;
  readonly durability?: Durability;
}

export interface HistoryEntry {
  readonly change: string;
  readonly by: string;
  readonly office: string;
  readonly at: string;
  readonly fields: Readonly<
    Record<string, { readonly value: FieldValue; readonly replaced?: readonly FieldValue[] }>
  >;
  readonly masked?: readonly string[];
}

/** Where the bytes of a file are; chunks are its parts of 32 KiB. */
export interface FileStanding {
  readonly here: boolean;
  readonly atHq: boolean;
  readonly asked: boolean;
  readonly chunks: number;
  readonly chunksHere: number;
  readonly chunksSent: number;
}

export interface FileAnswer extends FileStanding {
  readonly id: string;
  readonly size: number;
  readonly by: string;
  readonly office: string;
  readonly at: string;
  /** Left out, with all below, where this person may not see it. */
  readonly name?: string;
  readonly type?: string;
  readonly tag?: string;
  readonly thumbnail?: FileStanding | null;
}

export interface UnfinishedUpload {
  readonly upload: string;
  readonly name: string;
  readonly size: number;
  readonly chunks: number;
  readonly chunksHere: number;
}

export interface FilesAnswer {
  readonly files: readonly FileAnswer[];
  readonly unfinished: readonly UnfinishedUpload[];
}

/** What an upload begins with: the hashes are SHA-256 in hexadecimal. */
export interface FileDescription {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly sha256: string;
  readonly chunks: readonly string[];
  readonly thumbnail?: string;
}

export interface BegunUpload {
  readonly upload?: string;
  readonly missing?: readonly number[];
  /** Where the root has that very file already. */
  readonly record?: string;
}

/** What the audit log notes, by the server's names. */
export const kDeeds = [
  'login',
  'login-failed',
  'logout',
  'session-ended',
  'account-added',
  'account-changed',
  'account-closed',
  'account-disabled',
  'account-enabled',
  'password-changed',
  'totp-on',
  'totp-off',
  'read',
  'read-history',
  'listed',
  'listed-files',
  'read-file',
  'refused',
  'handover-asked',
  'handover-accepted',
  'handover-declined',
  'change-released',
  'change-discarded',
  'audit-read',
  'audit-broken',
  'office-revoked',
  'office-admitted',
  'phone-revoked',
  'phone-admitted',
  'reports-not-awaited',
  'office-flagged',
  'office-unflagged',
  'share-kept',
  'share-released',
  'share-refused',
  'certificate-renewed',
  'joined',
  'phone-token',
  'intake-applied',
  'locked',
  'unlocked',
] as const;

export interface AuditEntry {
  readonly seq: number;
  readonly at: string;
  /** Empty where nobody is known. */
  readonly by: string;
  readonly deed: (typeof kDeeds)[number];
  readonly records?: readonly string[];
  readonly detail?: Readonly<Record<string, unknown>>;
}

export interface AuditAnswer {
  readonly entries: readonly AuditEntry[];
  readonly cursor?: string | null;
}

export interface HistoryAnswer {
  readonly entries: readonly HistoryEntry[];
  readonly cursor?: string | null;
}

export interface Exchange {
  readonly at: string;
  /** Bytes each way. */
  readonly up: number;
  readonly down: number;
  readonly roundTrips: number;
  readonly ok: boolean;
  readonly error?: string | null;
}

export interface Leaf {
  readonly office: string;
  readonly lastContact?: string | null;
  /** Changes that wait for this office. */
  readonly backlog?: number;
  readonly agree?: boolean | null;
}

export type LinkState = 'connected' | 'offline' | 'paused' | 'hub' | 'not-enrolled';

export interface SyncAnswer {
  readonly role: string;
  readonly office: string;
  readonly hq?: { readonly url?: string } | null;
  readonly state: LinkState;
  readonly lastContact?: string | null;
  /** Changes that wait to go up, and to come down; null where headquarters has not said it yet. */
  readonly backlogUp: number;
  readonly backlogDown?: number | null;
  /** Whether the last comparison of digests found the same; null when none could be made. */
  readonly agree: boolean | null;
  readonly conflicts: number;
  readonly quarantined: number;
  readonly exchanges: readonly Exchange[];
  readonly leaves?: readonly Leaf[];
}
