/**
 * Presence against the broker's own list. Events say who came and went, and an event can be lost (a broker that restarts says
 * nothing of who was connected); so at the start, every few minutes, and after the broker was away, one copy compares.
 */
import { sql } from 'drizzle-orm';
import type { BrokerClient, EmqxApi } from '#emqx/api.ts';
import type { Context } from '../context.ts';
import { at, readClock } from '../db/clock.ts';
import { type Lease, takeLease } from '../db/lease.ts';
import { anyOf, type Db, query } from '../db/query.ts';
import { concerning, Fold } from '../deployments/store.ts';
import { type Loop, startLoop } from '../loop.ts';
import { unpark } from '../outbox/outbox.ts';
import { createListedIds, type ListedIds } from './listed-ids.ts';

export interface ReconcileTimes {
  periodMs: number;
  /** Until the next round after one that failed. */
  faultMs: number;
  /** A connection younger than this when the listing begins is left to its events; covers clocks that differ by less. */
  youngMs: number;
  /** A device subscribes right after it connects: one connected for longer can be reached, or a 202 says otherwise. */
  settledMs: number;
  /** Between two looks at which nodes of the broker run: devices of one that is gone are offline sooner than after a period. */
  watchMs: number;
}
export const reconcileTimes: ReconcileTimes = {
  periodMs: 300_000,
  faultMs: 10_000,
  youngMs: 60_000,
  settledMs: 15_000,
  watchMs: 15_000,
};

/** A wake says that the broker was away: devices came and went unseen. */
export function startReconciler(context: () => Context, times: ReconcileTimes): Loop {
  let settled = false;
  // Steady clock, ms: a round of any copy that began since then will do.
  let wantedSince = performance.now();
  const loop = startLoop(async () => {
    try {
      const lease = await takeLease(context().db, leaseName, performance.now() - wantedSince);
      if (lease === 'held') return { pauseMs: times.faultMs };
      if (lease !== 'done') await reconcile(context(), times, lease);
      // Connections too young for this round are old enough for the next.
      const pauseMs = settled ? times.periodMs : Math.min(times.periodMs, times.youngMs * 1.5);
      wantedSince = performance.now() + (settled ? 0 : pauseMs);
      settled = true;
      return { pauseMs };
    } catch (error) {
      context().log('warn', 'presence not reconciled', { error });
      settled = false;
      return { pauseMs: times.faultMs };
    }
  });
  return {
    ...loop,
    wake() {
      settled = false;
      wantedSince = performance.now();
      loop.wake();
    },
  };
}

/** The same broker; `onReturn` hears when a publish goes through after one that did not. */
export function noticeReturn(broker: EmqxApi, onReturn: () => void): EmqxApi {
  let away = false;
  return {
    ...broker,
    async publishBulk(messages) {
      try {
        const outcomes = await broker.publishBulk(messages);
        if (away) onReturn();
        away = false;
        return outcomes;
      } catch (error) {
        away = true;
        throw error;
      }
    },
  };
}

const leaseName = 'presence';
/** Devices that are looked at together. */
const atOnce = 1_000;

/**
 * One copy at a time, page by page: what the broker says of a thousand is applied before it is asked for the next, and nothing is held while
 * it answers, so that a million connections take no more memory than their ids as numbers.
 */
async function reconcile(context: Context, times: ReconcileTimes, lease: Lease): Promise<void> {
  const { db, broker, closing } = context;
  let done = false;
  try {
    const beganAt = await readClock(db);
    const listed = createListedIds();
    for await (const clients of broker.listClients({ connected: true })) {
      for (const { clientid } of clients) listed.add(clientid);
      tell(context, await db.transaction((tx) => markBack(tx, clients, beganAt, times)));
      if (closing.aborted) return;
      await lease.keep();
    }
    for await (const ids of unlisted(db, listed, beganAt, times)) {
      tell(context, await mendUnlisted(context, ids, beganAt, times));
      if (closing.aborted) return;
      await lease.keep();
    }
    done = true;
  } finally {
    await lease.end(done);
  }
}

interface Mended {
  deviceIds: string[];
  deploymentIds: string[];
}

function tell(context: Context, { deviceIds, deploymentIds }: Mended): void {
  if (deviceIds.length === 0) return;
  context.log('info', 'presence mended', { devices: deviceIds.length });
  context.live.changed('device', ...deviceIds);
  context.live.changed('deployment', ...deploymentIds);
  context.wake();
}

/** Devices that count as online here and are on no page, by id. */
async function* unlisted(
  db: Db,
  listed: ListedIds,
  beganAt: number,
  times: ReconcileTimes,
): AsyncGenerator<string[]> {
  for (let after = '', last = false; !last; ) {
    const rows = await query<{ id: string }>(
      db,
      sql`select d.id from devices d where d.id > ${after} and ${isSettled(beganAt, times)} order by d.id limit ${atOnce}`,
    );
    last = rows.length < atOnce;
    after = rows.at(-1)?.id ?? after;
    const ids = rows.map(({ id }) => id).filter((id) => !listed.has(id));
    if (ids.length > 0) yield ids;
  }
}

/** A list that is made page by page misses some while others leave, so who is not on it is asked for by id. */
async function mendUnlisted({ broker, db }: Context, ids: string[], beganAt: number, times: ReconcileTimes) {
  const found: BrokerClient[] = [];
  for await (const clients of broker.listClients({ connected: true, ids })) found.push(...clients);
  const there = new Set(found.map(({ clientid }) => clientid));
  const missing = ids.filter((id) => !there.has(id));
  return db.transaction(async (tx): Promise<Mended> => {
    const gone = await markGone(tx, missing, beganAt, times);
    const back = await markBack(tx, found, beganAt, times);
    return { deviceIds: [...gone, ...back.deviceIds], deploymentIds: back.deploymentIds };
  });
}

const unheard = (beganAt: number) => sql`(d.last_seen_at is null or d.last_seen_at < ${at(beganAt)})`;

/** Counts as online since before the listing began, for longer than its events may be under way. */
const isSettled = (beganAt: number, { youngMs }: ReconcileTimes) =>
  sql`d.online and ${unheard(beganAt)}
      and (d.connected_at is null or d.connected_at < ${at(beganAt - youngMs)})`;

async function markGone(
  tx: Db,
  missing: string[],
  beganAt: number,
  times: ReconcileTimes,
): Promise<string[]> {
  const gone = await query<{ id: string }>(
    tx,
    sql`with gone as (
          select d.id from devices d
          where ${isSettled(beganAt, times)}
            and d.id ${anyOf(missing)}
          order by d.id for no key update)
        update devices d set online = false, reachable = false from gone where d.id = gone.id returning d.id`,
  );
  return gone.map(({ id }) => id);
}

async function markBack(
  tx: Db,
  clients: BrokerClient[],
  beganAt: number,
  times: ReconcileTimes,
): Promise<Mended> {
  const listed = JSON.stringify(
    clients.flatMap(({ clientid, connectedAt }) =>
      connectedAt === null ? [] : [{ id: clientid, at: connectedAt / 1000 }],
    ),
  );
  const began = at(beganAt);
  // One millisecond early, so that the connection's own events, should they still come, count as news.
  const back = await query<{ id: string; reachable: boolean }>(
    tx,
    sql`with back as (
          select d.id, v.at, v.at < ${began} - make_interval(secs => ${times.settledMs / 1000}) as settled
          from devices d
          join (select id, to_timestamp(at) as at from jsonb_to_recordset(${listed}::jsonb) as v(id text, at float8)) v
            on v.id = d.id
          where ${unheard(beganAt)}
            and (not d.online or d.connected_at is null or d.connected_at < v.at - interval '1 second'
              or (not d.reachable and v.at < ${began} - make_interval(secs => ${times.settledMs / 1000})))
            and (d.connected_at is null or d.connected_at < v.at + interval '1 second')
          order by d.id for no key update of d)
        update devices d
        set online = true, reachable = back.settled,
            connected_at = greatest(d.connected_at, back.at - interval '1 millisecond')
        from back where d.id = back.id returning d.id, d.reachable`,
  );
  const reachable = back.filter((device) => device.reachable).map(({ id }) => id);
  return { deviceIds: back.map(({ id }) => id), deploymentIds: await tellSubscribed(tx, reachable) };
}

/** As their lost events would have: what they may have missed is said again. */
async function tellSubscribed(tx: Db, ids: string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const fold = await Fold.open(tx, concerning(ids, []));
  for (const id of ids) for (const target of fold.ofDevice(id)) fold.apply(target, { type: 'subscribed' });
  await unpark(tx, ids);
  return (await fold.save(tx)).deploymentIds;
}
