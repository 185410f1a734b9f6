/**
 * Hints to consoles that something has changed and is worth fetching again. A hint goes through PostgreSQL's NOTIFY, so that it
 * reaches the consoles of every copy; hints about the same thing are merged for a quarter of a second.
 */
import { sql } from 'drizzle-orm';
import type { Database } from '../db/connect.ts';
import type { Db } from '../db/query.ts';
import type { Log } from '../log.ts';

/**
 * `audit`: somebody did something; its id is what to, as the action's first word (`user`, `regions`). `command`: one was sent to
 * this device, or answered by it; `log`: it has logged something.
 */
export type LiveKind =
  | 'deployment'
  | 'device'
  | 'firmware'
  | 'vulnerability'
  | 'audit'
  | 'dead_letter'
  | 'notification'
  | 'command'
  | 'log'
  | 'job';
export interface Change {
  kind: LiveKind;
  id: string;
}

export interface Live {
  /** Call after the commit that made the change. */
  changed(kind: LiveKind, ...ids: string[]): void;
  /** Tells of the last seconds first (logs aside), at once: a page fetches before it listens. Returns the way to stop listening. */
  subscribe(listener: (change: Change) => void): () => void;
  close(): Promise<void>;
}

const channel = 'flota_live';
const mergeMs = 250;
/** NOTIFY takes less than 8,000 bytes; an id takes at most 64 and its quotes. */
const idsPerNotice = 80;
/** Longer than from the first fetch of a page to its listening, on a slow line. */
const recentMs = 10_000;
const recentMax = 1_000;

/** Tells when the transaction commits, and nobody when it does not: for what is written deep inside one. */
export async function announce(tx: Db, kind: LiveKind, id: string): Promise<void> {
  await tx.execute(sql`select pg_notify(${channel}, ${JSON.stringify({ kind, ids: [id] })})`);
}

export async function openLive(database: Database, log: Log): Promise<Live> {
  const listeners = new Set<(change: Change) => void>();
  const waiting = new Map<LiveKind, Set<string>>();
  let timer: NodeJS.Timeout | null = null;
  let flushing: Promise<void> = Promise.resolve();

  /** By kind and id, oldest first. */
  const recent = new Map<string, Change & { at: number }>();

  await database.listen(channel, (payload) => {
    const { kind, ids } = JSON.parse(payload) as { kind: LiveKind; ids: string[] };
    for (const id of ids) {
      for (const listener of listeners) listener({ kind, id });
      if (kind !== 'log') remember({ kind, id });
    }
  });

  function remember(change: Change): void {
    const key = `${change.kind}/${change.id}`;
    recent.delete(key);
    recent.set(key, { ...change, at: performance.now() });
    forget();
  }

  function forget(): void {
    const since = performance.now() - recentMs;
    for (const [key, { at }] of recent) {
      if (at >= since && recent.size <= recentMax) break;
      recent.delete(key);
    }
  }

  async function flush(): Promise<void> {
    timer = null;
    const notices = [...waiting].flatMap(([kind, ids]) => {
      const all = [...ids];
      const pages = Math.ceil(all.length / idsPerNotice);
      return Array.from({ length: pages }, (_, i) =>
        JSON.stringify({ kind, ids: all.slice(i * idsPerNotice, (i + 1) * idsPerNotice) }),
      );
    });
    waiting.clear();
    try {
      for (const notice of notices) await database.db.execute(sql`select pg_notify(${channel}, ${notice})`);
    } catch (error) {
      // A hint that is lost costs a stale screen until the next one, never data.
      log('warn', 'live hint not sent', { error });
    }
  }

  return {
    changed(kind, ...ids) {
      if (ids.length === 0) return;
      const set = waiting.get(kind) ?? new Set();
      for (const id of ids) set.add(id);
      waiting.set(kind, set);
      timer ??= setTimeout(() => {
        flushing = flush();
      }, mergeMs);
    },
    subscribe(listener) {
      forget();
      for (const { kind, id } of recent.values()) listener({ kind, id });
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      if (timer) clearTimeout(timer);
      await flushing;
      listeners.clear();
    },
  };
}
