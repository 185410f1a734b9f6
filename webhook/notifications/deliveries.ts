/** What was sent to whom, and what became of it; and what is done with that by hand. */
import { and, count as countRows, eq, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { down, Order, type Paging, readPage } from '../db/keyset.ts';
import { type Db, query } from '../db/query.ts';
import { AppError } from '../errors.ts';
import * as channels from './channels.ts';
import {
  type ChannelLanguage,
  notificationChannels as channelTable,
  notificationDeliveries as deliveries,
  type deliveryStates,
  notificationEvents as events,
} from './table.ts';
import { targetOf } from './target.ts';

export type DeliveryState = (typeof deliveryStates)[number];

const columns = {
  id: deliveries.id,
  event: deliveries.eventId,
  kind: events.kind,
  severity: events.severity,
  at: events.at,
  data: events.data,
  channelId: deliveries.channelId,
  channel: deliveries.channelName,
  channelKind: deliveries.channelKind,
  target: deliveries.target,
  rule: deliveries.rule,
  state: deliveries.state,
  tries: deliveries.tries,
  dueAt: deliveries.dueAt,
  triedAt: deliveries.triedAt,
  deliveredAt: deliveries.deliveredAt,
  status: deliveries.status,
  answer: deliveries.answer,
  fault: deliveries.fault,
  /** Of the channel as it is; English after its end. */
  language: sql<ChannelLanguage>`coalesce(${channelTable.language}, 'en')`,
};

const newest = new Order('deliveries', [down(deliveries.id)]);

/** Newest first. */
export async function list(
  db: Db,
  filter: {
    state?: DeliveryState | undefined;
    channelId?: string | undefined;
  } & Paging,
) {
  const where = and(
    filter.state ? eq(deliveries.state, filter.state) : undefined,
    filter.channelId ? eq(deliveries.channelId, filter.channelId) : undefined,
  );
  const { rows: items, next } = await readPage(newest, filter, (behind, limit, offset) =>
    db
      .select({ ...columns, key: newest.key })
      .from(deliveries)
      .innerJoin(events, eq(events.id, deliveries.eventId))
      .leftJoin(channelTable, eq(channelTable.id, deliveries.channelId))
      .where(and(where, behind))
      .orderBy(...newest.by)
      .limit(limit)
      .offset(offset),
  );
  const [total] = await db.select({ value: countRows() }).from(deliveries).where(where);
  return { items, total: total!.value, next };
}
export type Delivery = Awaited<ReturnType<typeof select>>[number];

export async function get(db: Db, id: number): Promise<Delivery> {
  const [row] = await select(db).where(eq(deliveries.id, id));
  if (!row) throw new AppError('not_found', 'There is no such delivery.');
  return row;
}

/** Sends it again with the same event id, and all its tries. One that still waits goes now. */
export async function replay(db: Db, id: number, actor: string): Promise<Delivery> {
  return db.transaction(async (tx) => {
    const [row] = await tx.select().from(deliveries).where(eq(deliveries.id, id)).for('update');
    if (!row) throw new AppError('not_found', 'There is no such delivery.');
    if (row.channelId === null) throw new AppError('not_replayable', 'Its channel was deleted.');
    await tx
      .update(deliveries)
      .set({ state: 'waiting', tries: 0, dueAt: sql`now()`, deliveredAt: null })
      .where(eq(deliveries.id, id));
    const replayed = await get(tx, id);
    const detail = { channel: row.channelName, event: row.eventId, kind: replayed.kind };
    await record(tx, { actor, action: 'notification.replay', subject: String(id), detail });
    return replayed;
  });
}

/** The delivery of a test to that channel, claimed already: whoever asked for it tries it, once. */
export async function createTest(db: Db, channelId: string, leaseS: number, actor: string): Promise<number> {
  return db.transaction(async (tx) => {
    const channel = await channels.lock(tx, channelId);
    const values = { key: sql<string>`gen_random_uuid()`, regionIds: [], data: {}, ruledAt: sql`now()` };
    const [event] = await tx
      .insert(events)
      .values({ kind: 'test', severity: 'info', ...values })
      .returning({ id: events.id });
    const [delivery] = await tx
      .insert(deliveries)
      .values({
        eventId: event!.id,
        ...addressed(channel),
        tries: 1,
        dueAt: sql`now() + make_interval(secs => ${leaseS})`,
      })
      .returning({ id: deliveries.id });
    const detail = { name: channel.name };
    await record(tx, { actor, action: 'notification_channel.test', subject: channelId, detail });
    return delivery!.id;
  });
}

/** What a delivery keeps of its channel. */
export function addressed(channel: channels.Channel) {
  return {
    channelId: channel.id,
    channelName: channel.name,
    channelKind: channel.kind,
    target: targetOf(channel),
  };
}

/** For /metrics. */
export async function countDeliveries(db: Db): Promise<{ waiting: number; dead: number; oldest: number }> {
  const [row] = await query<{ waiting: number; dead: number; oldest: number }>(
    db,
    sql`select count(*) filter (where state = 'waiting')::int as waiting, count(*) filter (where state = 'dead')::int as dead,
          coalesce(extract(epoch from now() - min(created_at) filter (where state = 'waiting' and tries > 0)), 0)::float8 as oldest
        from notification_deliveries where state in ('waiting', 'dead')`,
  );
  return row!;
}

function select(db: Db) {
  return db
    .select(columns)
    .from(deliveries)
    .innerJoin(events, eq(events.id, deliveries.eventId))
    .leftJoin(channelTable, eq(channelTable.id, deliveries.channelId))
    .$dynamic();
}
