import { and, count as countRows, eq, type SQL, sql } from 'drizzle-orm';
import { brokerEventSchema } from '#emqx/protocol.ts';
import { record } from '../audit/audit.ts';
import { down, Order, type Paging, readPage } from '../db/keyset.ts';
import { anyOf, type Db, query } from '../db/query.ts';
import { storable } from '../db/storable.ts';
import { regionsOf } from '../devices/presence.ts';
import { AppError } from '../errors.ts';
import { announce } from '../live/live.ts';
import { tell } from '../notifications/events.ts';
import type { Allowance, Amount } from './allowance.ts';
import { classify, type Reject } from './classify.ts';
import type { Ingest } from './ingest.ts';
import { deadLetters } from './table.ts';

export interface DeadLetter {
  code: string;
  detail: string;
  clientId: string | null;
  topic: string | null;
  /** The registered device that sent it, or `''`. */
  owner: string;
  /** The broker's row as it came, whole where it was a row at all, so that it can be replayed. */
  body: string;
}

/** As large as a row may be; of what only says why, a line is enough. */
const maxBodyChars = 128 * 1024;
const maxLineChars = 300;

/** What is kept of one device, and of all who are none, together; the newest stay. A device's largest letter fits. */
const perDevice: Amount = { letters: 100, bytes: 1024 * 1024 };
const shared: Amount = { letters: 1_000, bytes: 8 * 1024 * 1024 };

/**
 * Writes those for which there is an allowance, drops what then is too old for its owner's quota, and counts all that was dropped.
 * Positional: whether it was written.
 */
export async function bury(
  db: Db,
  letters: DeadLetter[],
  allowance: Allowance,
  now: number,
): Promise<boolean[]> {
  const dropped = new Map<string, Amount>();
  const drop = (owner: string, letters: number, bytes: number) => {
    const before = dropped.get(owner) ?? { letters: 0, bytes: 0 };
    dropped.set(owner, { letters: before.letters + letters, bytes: before.bytes + bytes });
  };
  const written: boolean[] = [];
  const rows = letters.flatMap((letter) => {
    const body = storable(letter.body, maxBodyChars);
    const bytes = Buffer.byteLength(body);
    const taken = allowance.take(letter.owner, bytes, now);
    written.push(taken);
    if (!taken) {
      drop(letter.owner, 1, bytes);
      return [];
    }
    const line = (text: string | null) => text && storable(text, maxLineChars);
    const { owner, code, detail, clientId, topic } = letter;
    return [
      {
        owner,
        code,
        detail: storable(detail, maxLineChars),
        clientId: line(clientId),
        topic: line(topic),
        body,
      },
    ];
  });
  if (rows.length > 0) {
    await db.insert(deadLetters).values(rows);
    const gone = await trim(db, [...new Set(rows.map(({ owner }) => owner))]);
    for (const { owner, letters, bytes } of gone) drop(owner, letters, bytes);
  }
  if (rows.length > 0) await tellOfHour(db, rows, now);
  if (dropped.size > 0) await count(db, dropped);
  await announce(db, 'dead_letter', 'new');
  return written;
}

const hourMs = 3_600_000;

/** Of each region the first of every hour, or a flood would be one of notifications, too. */
async function tellOfHour(db: Db, rows: { owner: string; code: string }[], now: number): Promise<void> {
  const regions = await regionsOf(db, [...new Set(rows.map(({ owner }) => owner))]);
  const firsts = new Map<string, (typeof rows)[number]>();
  for (const row of rows) {
    const region = regions.get(row.owner) ?? '';
    if (!firsts.has(region)) firsts.set(region, row);
  }
  const facts = [...firsts].map(([region, { owner, code }]) => ({
    kind: 'dead_letters' as const,
    severity: 'warning' as const,
    key: `dead_letters/${region}/${Math.floor(now / hourMs)}`,
    regionIds: region ? [region] : [],
    data: { code, device: owner || null },
  }));
  await tell(db, facts);
}

/** Two copies may drop at the same time; what the other is at is left to it. */
function trim(db: Db, owners: string[]): Promise<{ owner: string; letters: number; bytes: number }[]> {
  const most = (of: keyof Amount) =>
    sql`case when r.owner = '' then ${shared[of]}::int else ${perDevice[of]}::int end`;
  return query(
    db,
    sql`with ranked as (
          select id, owner, row_number() over newest as nth, sum(octet_length(body)) over newest as total
          from dead_letters where owner ${anyOf(owners)}
          window newest as (partition by owner order by id desc)
        ), too_many as (
          select d.id from dead_letters d join ranked r on r.id = d.id
          where nth > ${most('letters')} or total > ${most('bytes')}
          for update of d skip locked
        ), gone as (
          delete from dead_letters where id in (select id from too_many) returning owner, octet_length(body) as size
        )
        select owner, count(*)::int as letters, sum(size)::float8 as bytes from gone group by owner`,
  );
}

/** The last statement of a group, and in the order of the owners: copies wait for each other no longer than a commit takes. */
async function count(db: Db, dropped: Map<string, Amount>): Promise<void> {
  const rows = [...dropped].map(([owner, amount]) => ({ owner, ...amount }));
  await db.execute(sql`
    insert into dropped_letters as d (owner, letters, bytes)
    select owner, letters, bytes from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as v(owner text, letters bigint, bytes bigint) order by owner
    on conflict (owner) do update set letters = d.letters + excluded.letters, bytes = d.bytes + excluded.bytes`);
}

/** How many were dropped in all, or of one device. */
export async function countDropped(db: Db, owner?: string): Promise<Amount> {
  const [row] = await query<{ letters: number; bytes: number }>(
    db,
    sql`select coalesce(sum(letters), 0)::float8 as letters, coalesce(sum(bytes), 0)::float8 as bytes
        from dropped_letters ${owner === undefined ? sql`` : sql`where owner = ${owner}`}`,
  );
  return row!;
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

const newest = new Order('dead letters', [down(deadLetters.id)]);

/** Newest first, without their bodies; and what was dropped, of this client or of all, whatever its code. */
export async function list(
  db: Db,
  filter: { code?: string | undefined; clientId?: string | undefined } & Paging,
) {
  const where: SQL | undefined = and(
    filter.code ? eq(deadLetters.code, filter.code) : undefined,
    filter.clientId ? eq(deadLetters.clientId, filter.clientId) : undefined,
  );
  const { rows: items, next } = await readPage(newest, filter, (behind, limit, offset) =>
    db
      .select({ ...columns, key: newest.key })
      .from(deadLetters)
      .where(and(where, behind))
      .orderBy(...newest.by)
      .limit(limit)
      .offset(offset),
  );
  const [total] = await db.select({ value: countRows() }).from(deadLetters).where(where);
  return { items, total: total!.value, next, dropped: await countDropped(db, filter.clientId) };
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
 * The old one goes in the transaction that handles it: of two who replay it at once, one does, and a crash leaves it.
 */
export async function replay(db: Db, ingest: Ingest, id: number, actor: string): Promise<Reject | null> {
  const letter = await get(db, id);
  const event = brokerEventSchema.safeParse(parse(letter.body));
  if (!event.success) {
    throw new AppError('not_replayable', 'It never was an event: it can only be read and deleted.');
  }
  return ingest.submit(classify(event.data), letter.body, {
    async begin(tx) {
      const taken = await tx
        .delete(deadLetters)
        .where(eq(deadLetters.id, id))
        .returning({ id: deadLetters.id });
      return taken.length > 0;
    },
    async end(tx, refusal) {
      const detail = { code: letter.code, clientId: letter.clientId, outcome: refusal?.code ?? 'handled' };
      await record(tx, { actor, action: 'dead_letter.replay', subject: String(id), detail });
    },
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
