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

export interface Verdict {
  valid: boolean;
  /** Entries looked at; of those, how many are older than the chain and so not protected. */
  entries: number;
  unchained: number;
  /** The last entry: written down elsewhere, it later proves that nothing was cut off the end. */
  head: Head | null;
  broken: { id: number; reason: string } | null;
}

/** Checks entries in the order of their ids, as many at a time as wanted. */
export class Verifier {
  #entries = 0;
  #unchained = 0;
  #head: Head | null = null;
  #lastId = 0;
  #broken: Verdict['broken'] = null;
  #expected: Head | null;

  /** `expected` is a head from an earlier verification that must still be in the chain. */
  constructor(expected: Head | null = null) {
    this.#expected = expected;
  }

  /** Answers whether to go on. */
  add(entry: Entry): boolean {
    if (this.#broken) return false;
    this.#entries += 1;
    const reason = this.#check(entry);
    if (reason) this.#broken = { id: entry.id, reason };
    else if (entry.hash === null) this.#unchained += 1;
    else this.#head = { id: entry.id, hash: entry.hash };
    this.#lastId = entry.id;
    return reason === null;
  }

  #check(entry: Entry): string | null {
    if (entry.hash === null) return this.#head ? 'it has no hash' : null;
    if (this.#entries > 1 && entry.id !== this.#lastId + 1) {
      return `entries between ${this.#lastId} and it are gone`;
    }
    if (this.#entries === 1 && entry.id !== 1) return 'entries before it are gone';
    if (entry.hash !== hashOf(this.#head?.hash ?? genesis, entry)) {
      return 'its hash does not follow from its content and the entry before it';
    }
    if (this.#expected?.id === entry.id && this.#expected.hash !== entry.hash) {
      return 'it is not the entry that was expected';
    }
    return null;
  }

  verdict(): Verdict {
    let broken = this.#broken;
    if (!broken && this.#expected && this.#expected.id > (this.#head?.id ?? 0)) {
      broken = { id: this.#expected.id, reason: 'the chain ends before it' };
    }
    const [entries, unchained, head] = [this.#entries, this.#unchained, this.#head];
    return { valid: broken === null, entries, unchained, head, broken };
  }
}
