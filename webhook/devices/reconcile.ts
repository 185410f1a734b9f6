/**
 * Presence against the broker's own list. Events say who came and went, and an event can be lost (a broker that restarts says
 * nothing of who was connected); so at the start, every few minutes, and after the broker was away, one copy compares.
 */
import { sql } from 'drizzle-orm';
import type { BrokerClient, EmqxApi } from '#emqx/api.ts';
import type { Context } from '../context.ts';
import { at, readClock } from '../db/clock.ts';
import { type Db, query } from '../db/query.ts';
import { concerning, Fold } from '../deployments/store.ts';
import { type Loop, startLoop } from '../loop.ts';
import { unpark } from '../outbox/outbox.ts';

export interface ReconcileTimes {
  periodMs: number;
  /** Until the next round after one that failed. */
  faultMs: number;
  /** A connection younger than this when the listing begins is left to its events; covers clocks that differ by less. */
  youngMs: number;
  /** A device subscribes right after it connects: one connected for longer can be reached, or a 202 says otherwise. */
  settledMs: number;
}
const defaults: ReconcileTimes = { periodMs: 300_000, faultMs: 10_000, youngMs: 60_000, settledMs: 15_000 };

/** A wake says that the broker was away: devices came and went unseen. */
export function startReconciler(context: () => Context, times: ReconcileTimes = defaults): Loop {
  let settled = false;
  const loop = startLoop(async () => {
    try {
      await reconcile(context(), times);
      // Connections too young for this round are old enough for the next.
      const pauseMs = settled ? times.periodMs : Math.min(times.periodMs, times.youngMs * 1.5);
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

interface Seen {
  /** Database's clock, ms: what was heard of a device since then is newer than the list. */
  beganAt: number;
  clients: BrokerClient[];
  /** Ids of devices that count as online here and that the broker does not know, asked for them one by one. */
  missing: string[];
}

/** Any number will do, as long as all copies use the same. */
const reconcileLock = 4_717_242;

/** Nothing is held while the broker lists; what it says is applied by one copy at a time, and the next one finds nothing left. */
async function reconcile(context: Context, times: ReconcileTimes): Promise<void> {
  const { db } = context;
  const seen = await look(context, times);
  const mended = await db.transaction(async (tx) => {
    const [lock] = await query<{ mine: boolean }>(
      tx,
      sql`select pg_try_advisory_xact_lock(${reconcileLock}) as mine`,
    );
    return lock?.mine ? mend(tx, seen, times) : null;
  });
  if (!mended || mended.deviceIds.length === 0) return;
  context.log('info', 'presence mended', { devices: mended.deviceIds.length });
  context.live.changed('device', ...mended.deviceIds);
  context.live.changed('deployment', ...mended.deploymentIds);
  context.wake();
}

/** A list that is made page by page misses some while others leave, so who is not in it is asked for by id. */
async function look({ broker, db }: Context, times: ReconcileTimes): Promise<Seen> {
  const beganAt = await readClock(db);
  const clients = await broker.listClients({ connected: true });
  const listed = JSON.stringify(clients.map(({ clientid }) => clientid));
  const unlisted = await query<{ id: string }>(
    db,
    sql`select d.id from devices d
        where ${isSettled(beganAt, times)} and d.id not in (select jsonb_array_elements_text(${listed}::jsonb))`,
  );
  const ids = unlisted.map(({ id }) => id);
  const found = ids.length > 0 ? await broker.listClients({ connected: true, ids }) : [];
  const there = new Set(found.map(({ clientid }) => clientid));
  return { beganAt, clients: [...clients, ...found], missing: ids.filter((id) => !there.has(id)) };
}

const unheard = (beganAt: number) => sql`(d.last_seen_at is null or d.last_seen_at < ${at(beganAt)})`;

/** Counts as online since before the listing began, for longer than its events may be under way. */
const isSettled = (beganAt: number, { youngMs }: ReconcileTimes) =>
  sql`d.online and ${unheard(beganAt)}
      and (d.connected_at is null or d.connected_at < ${at(beganAt - youngMs)})`;

async function mend(tx: Db, { beganAt, clients, missing }: Seen, times: ReconcileTimes) {
  const listed = JSON.stringify(
    clients.flatMap(({ clientid, connectedAt }) =>
      connectedAt === null ? [] : [{ id: clientid, at: connectedAt / 1000 }],
    ),
  );
  const began = at(beganAt);
  const gone = await query<{ id: string }>(
    tx,
    sql`with gone as (
          select d.id from devices d
          where ${isSettled(beganAt, times)}
            and d.id in (select jsonb_array_elements_text(${JSON.stringify(missing)}::jsonb))
          order by d.id for no key update)
        update devices d set online = false, reachable = false from gone where d.id = gone.id returning d.id`,
  );
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
  const deploymentIds = await tellSubscribed(
    tx,
    back.filter((device) => device.reachable).map((device) => device.id),
  );
  return { deviceIds: [...gone, ...back].map((device) => device.id), deploymentIds };
}

const atOnce = 1_000;

/** As their lost events would have: what they may have missed is said again. */
async function tellSubscribed(tx: Db, deviceIds: string[]): Promise<string[]> {
  const changed: string[] = [];
  for (let i = 0; i < deviceIds.length; i += atOnce) {
    const ids = deviceIds.slice(i, i + atOnce);
    const fold = await Fold.open(tx, concerning(ids, []));
    for (const id of ids) for (const target of fold.ofDevice(id)) fold.apply(target, { type: 'subscribed' });
    await unpark(tx, ids);
    changed.push(...(await fold.save(tx)).deploymentIds);
  }
  return changed;
}
