import { and, asc, desc, eq, getTableColumns, gt, gte, isNull, lt, sql } from 'drizzle-orm';
import { countUpTo } from '../db/count.ts';
import { down, Order, type Paging, readPage } from '../db/keyset.ts';
import { locks } from '../db/locks.ts';
import type { Db } from '../db/query.ts';
import { announce } from '../live/live.ts';
import type { AuditAction } from './actions.ts';
import { type Anchor, genesis, type Head, hashOf, sealAction, type Verdict, Verifier } from './chain.ts';
import { auditLog } from './table.ts';

/**
 * Pass the transaction of the act itself, so that neither is ever there without the other, and call it last in there: entries are
 * written one at a time among all copies, and whoever comes next waits until that transaction has ended.
 */
export async function record(
  tx: Db,
  entry: { actor: string; action: AuditAction; subject: string; detail?: Record<string, unknown> },
): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${locks.auditChain})`);
  const [last] = await tx
    .select({ id: auditLog.id, hash: auditLog.hash })
    .from(auditLog)
    .orderBy(desc(auditLog.id))
    .limit(1);
  // As it will come back from the column: without undefined, dates as text.
  const detail = entry.detail ? (JSON.parse(JSON.stringify(entry.detail)) as typeof entry.detail) : null;
  const row = { ...entry, detail, id: (last?.id ?? 0) + 1, at: new Date() };
  await tx.insert(auditLog).values({ ...row, hash: hashOf(last?.hash ?? genesis, row) });
  await announce(tx, 'audit', entry.action.split('.')[0]!);
}

export interface AuditFilter extends Paging {
  actor?: string | undefined;
  action?: string | undefined;
  subject?: string | undefined;
  from?: Date | undefined;
  to?: Date | undefined;
}

const newest = new Order('audit', [down(auditLog.id)]);

/** Newest first. */
export async function list(db: Db, filter: AuditFilter) {
  const where = and(
    filter.actor ? eq(auditLog.actor, filter.actor) : undefined,
    filter.action ? eq(auditLog.action, filter.action) : undefined,
    filter.subject ? eq(auditLog.subject, filter.subject) : undefined,
    filter.from ? gte(auditLog.at, filter.from) : undefined,
    filter.to ? lt(auditLog.at, filter.to) : undefined,
  );
  const { rows: items, next } = await readPage(newest, filter, (behind, limit, offset) =>
    db
      .select({ ...getTableColumns(auditLog), key: newest.key })
      .from(auditLog)
      .where(and(where, behind))
      .orderBy(...newest.by)
      .limit(limit)
      .offset(offset),
  );
  return { items, next, ...(await countUpTo(db, auditLog, where, filter)) };
}

const pageSize = 1_000;

/** Reads the log a page at a time, behind `start` or whole; what is added meanwhile may or may not be looked at. */
export async function verify(
  db: Db,
  anchors: readonly Anchor[] = [],
  start: Head | null = null,
): Promise<Verdict> {
  const verifier = new Verifier(anchors, start);
  const readNext = openReader(verifier, db, start?.id ?? null);
  while (await readNext());
  return verifier.verdict();
}

/** Each call gives one more page to the verifier; returns whether there is more to read. */
export function openReader(verifier: Verifier, db: Db, behind: number | null = null): () => Promise<boolean> {
  let after = behind;
  return async () => {
    const page = await db
      .select()
      .from(auditLog)
      .where(after === null ? undefined : gt(auditLog.id, after))
      .orderBy(asc(auditLog.id))
      .limit(pageSize);
    after = page.at(-1)?.id ?? after;
    return page.every((entry) => verifier.add(entry)) && page.length === pageSize;
  };
}

/** Whether this entry is there with this hash; the one before the first always is. */
export async function has(db: Db, { id, hash }: Head): Promise<boolean> {
  if (id === 0) return hash === genesis;
  const [row] = await db.select({ hash: auditLog.hash }).from(auditLog).where(eq(auditLog.id, id));
  return row?.hash === hash;
}

/** Entries from before there was a chain are taken into it, once, by an entry that says how many they are and what they hash to. */
export async function sealOlder(tx: Db): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${locks.auditChain})`);
  const [older] = await tx.select({ id: auditLog.id }).from(auditLog).where(isNull(auditLog.hash)).limit(1);
  const [sealed] = await tx.select().from(auditLog).where(eq(auditLog.action, sealAction)).limit(1);
  if (!older || sealed) return;
  const verifier = new Verifier();
  const readNext = openReader(verifier, tx);
  while (await readNext());
  await record(tx, { actor: 'flota', action: sealAction, subject: 'audit', detail: { ...verifier.older } });
}
