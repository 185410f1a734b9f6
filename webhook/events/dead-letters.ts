import { and, count, desc, eq, type SQL, sql } from 'drizzle-orm';
import { brokerEventSchema } from '#emqx/protocol.ts';
import { record } from '../audit/audit.ts';
import type { Db } from '../db/connect.ts';
import { AppError } from '../errors.ts';
import { announce } from '../live/live.ts';
import { classify, type Reject } from './classify.ts';
import type { Ingest } from './ingest.ts';
import { deadLetters } from './table.ts';

export interface DeadLetter {
  code: string;
  detail: string;
  clientId: string | null;
  topic: string | null;
  /** The broker's row as it came, whole where it was a row at all, so that it can be replayed. */
  body: string;
}

/** As large as a row may be. */
const maxBodyChars = 128 * 1024;

export async function bury(db: Db, letters: DeadLetter[]): Promise<void> {
  await db.insert(deadLetters).values(
    letters.map((l) => ({
      code: l.code,
      detail: clean(l.detail),
      clientId: l.clientId && clean(l.clientId),
      topic: l.topic && clean(l.topic),
      body: clean(l.body),
    })),
  );
  await announce(db, 'dead_letter', 'new');
}

const columns = {
  id: deadLetters.id,
  receivedAt: deadLetters.receivedAt,
  code: deadLetters.code,
  detail: deadLetters.detail,
  clientId: deadLetters.clientId,
  topic: deadLetters.topic,
  bytes: sql<number>`octet_length(${deadLetters.body})`,
};

/** Newest first, without their bodies. */
export async function list(
  db: Db,
  filter: { code?: string | undefined; clientId?: string | undefined; limit: number; offset: number },
) {
  const where: SQL | undefined = and(
    filter.code ? eq(deadLetters.code, filter.code) : undefined,
    filter.clientId ? eq(deadLetters.clientId, filter.clientId) : undefined,
  );
  const items = await db
    .select(columns)
    .from(deadLetters)
    .where(where)
    .orderBy(desc(deadLetters.id))
    .limit(filter.limit)
    .offset(filter.offset);
  const [total] = await db.select({ value: count() }).from(deadLetters).where(where);
  return { items, total: total!.value };
}

export async function get(db: Db, id: number) {
  const [row] = await db
    .select({ ...columns, body: deadLetters.body })
    .from(deadLetters)
    .where(eq(deadLetters.id, id));
  if (!row) throw new AppError('not_found', 'There is no such dead letter.');
  return row;
}

export async function remove(db: Db, id: number, actor: string): Promise<void> {
  await db.transaction(async (tx) => {
    const [row] = await tx.delete(deadLetters).where(eq(deadLetters.id, id)).returning();
    if (!row) throw new AppError('not_found', 'There is no such dead letter.');
    const detail = { code: row.code, clientId: row.clientId };
    await record(tx, { actor, action: 'dead_letter.delete', subject: String(id), detail });
  });
}

/**
 * Puts it through the ingest again, as if it had just come; answers why it was refused again (it then is a new dead letter), or null.
 * The old one goes only afterwards: a crash in between leaves it, and a second replay of a critical message counts no second time.
 */
export async function replay(db: Db, ingest: Ingest, id: number, actor: string): Promise<Reject | null> {
  const letter = await get(db, id);
  const event = brokerEventSchema.safeParse(parse(letter.body));
  if (!event.success) {
    throw new AppError('not_replayable', 'It never was an event: it can only be read and deleted.');
  }
  const reject = await ingest.submit(classify(event.data), letter.body);
  await db.transaction(async (tx) => {
    await tx.delete(deadLetters).where(eq(deadLetters.id, id));
    const detail = { code: letter.code, clientId: letter.clientId, outcome: reject?.code ?? 'handled' };
    await record(tx, { actor, action: 'dead_letter.replay', subject: String(id), detail });
  });
  return reject;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function clean(text: string): string {
  return text
    .slice(0, maxBodyChars)
    .replaceAll('\0', '\uFFFD')
    .replace(/[\uD800-\uDFFF]/gu, '\uFFFD');
}
