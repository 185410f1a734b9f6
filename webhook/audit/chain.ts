/** The hash chain over audit entries: pure, so that whoever has the entries can check it. */
import { createHash } from 'node:crypto';

export interface Entry {
  id: number;
  at: Date;
  actor: string;
  action: string;
  subject: string;
  detail: Record<string, unknown> | null;
  hash: string | null;
}

/** Before the first entry of a chain. */
export const genesis = '0'.repeat(64);

/** Hex SHA-256 over the entry's fields as one JSON array, the keys of `detail` sorted, behind the hash of the entry before it. */
export function hashOf(previous: string, { id, at, actor, action, subject, detail }: Omit<Entry, 'hash'>) {
  const text = canonical([previous, id, at.toISOString(), actor, action, subject, detail]);
  return createHash('sha256').update(text).digest('hex');
}

/** JSON as it comes back from a jsonb column, whatever order its keys had. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

export interface Head {
  id: number;
  hash: string;
}

/** A head that must be in the chain, and who says so. */
export interface Anchor extends Head {
  source: 'expected' | 'witnessed' | 'published';
}

export interface Verdict {
  valid: boolean;
  /** Entries looked at; of those, how many are older than the chain and held by its seal. */
  entries: number;
  sealed: number;
  /** The last entry. */
  head: Head | null;
  broken: { id: number; reason: string } | null;
}

/** What the seal says of the entries that are older than the chain. */
export interface Seal {
  entries: number;
  /** As if they were a chain of their own. */
  digest: string;
}
export const sealAction = 'audit.seal';

/** Checks entries in the order of their ids, as many at a time as wanted. */
export class Verifier {
  #anchors: readonly Anchor[];
  #entries = 0;
  #head: Head | null;
  #lastId: number;
  /** Entries without a hash, before all others; and the first seal behind them. */
  #older: Seal = { entries: 0, digest: genesis };
  #firstOlder = 0;
  #seal: Seal | null = null;
  #broken: Verdict['broken'] = null;

  /** `start` is a head that has been checked before, from which on entries are given. */
  constructor(anchors: readonly Anchor[] = [], start: Head | null = null) {
    this.#anchors = anchors.filter(({ id }) => id > (start?.id ?? 0));
    this.#head = start;
    this.#lastId = start?.id ?? 0;
  }

  /** Returns whether to go on. */
  add(entry: Entry): boolean {
    if (this.#broken) return false;
    this.#entries += 1;
    const reason = entry.hash === null ? this.#addOlder(entry) : this.#addChained(entry, entry.hash);
    if (reason) this.#broken = { id: entry.id, reason };
    this.#lastId = entry.id;
    return reason === null;
  }

  #addOlder(entry: Entry): string | null {
    if (this.#head) return 'it has no hash';
    if (this.#older.entries === 0) this.#firstOlder = entry.id;
    this.#older = {
      entries: this.#older.entries + 1,
      digest: hashOf(this.#older.digest, entry),
    };
    return null;
  }

  #addChained(entry: Entry, hash: string): string | null {
    if (entry.id !== this.#lastId + 1) return `entries between ${this.#lastId} and it are gone`;
    if (hash !== hashOf(this.#head?.hash ?? genesis, entry)) {
      return 'its hash does not follow from its content and the entry before it';
    }
    const denied = this.#anchors.find(({ id, hash: other }) => id === entry.id && other !== hash);
    if (denied) return `it is not the entry that was ${denied.source}`;
    if (entry.action === sealAction) this.#seal ??= entry.detail as unknown as Seal;
    this.#head = { id: entry.id, hash };
    return null;
  }

  /** Of the entries without a hash, for who seals them. */
  get older(): Seal {
    return this.#older;
  }

  verdict(): Verdict {
    const broken = this.#broken ?? this.#checkSeal() ?? this.#checkEnd();
    const [entries, sealed, head] = [this.#entries, this.#older.entries, this.#head];
    return { valid: broken === null, entries, sealed, head, broken };
  }

  #checkSeal(): Verdict['broken'] {
    const { entries, digest } = this.#seal ?? { entries: 0, digest: genesis };
    if (entries === this.#older.entries && digest === this.#older.digest) return null;
    if (!this.#seal) return { id: this.#firstOlder, reason: 'it has no hash, and no seal covers it' };
    return { id: this.#firstOlder, reason: 'entries older than the chain are not those that were sealed' };
  }

  #checkEnd(): Verdict['broken'] {
    const missing = this.#anchors.find(({ id }) => id > (this.#head?.id ?? 0));
    return missing
      ? { id: missing.id, reason: `the chain ends before it, and it was ${missing.source}` }
      : null;
  }
}
