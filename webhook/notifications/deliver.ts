/**
 * Deliveries leave through here, as commands leave through `outbox/send.ts`: claimed under a lease, sent with no lock held, tried again
 * after 2^tries seconds, dead after so many tries. In a loop of its own, because a receiver that hangs must hold up no update.
 */
import { sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import { at } from '../db/clock.ts';
import { anyOf, type Db, query } from '../db/query.ts';
import { storable } from '../db/storable.ts';
import { type Loop, startLoop } from '../loop.ts';
import { mailOf, slackBody, type Told, webhookBody } from './message.ts';
import type { Result } from './post.ts';
import { rule } from './ruling.ts';
import { type Secret, sign, signatureHeader } from './signature.ts';
import type { ChannelLanguage, channelKinds, Fault } from './table.ts';

const batch = 40;
/** Of one channel at a time: one that hangs leaves room for the others. */
const perChannel = 4;
/** Longer than a try may take. */
export const leaseS = 60;
/** Seconds. */
const maxBackOffS = 3_600;
/** The last one is about five hours after the first. */
export const maxTries = 16;
/** The longest that quiet hours put something off. */
const maxQuietS = 24 * 3_600;
/** Trying again would be the same. */
const final: readonly Fault[] = ['address_refused', 'mail_not_configured'];
const maxAnswerChars = 500;

export type DeliveryPlace = Pick<
  Context,
  'closing' | 'courier' | 'db' | 'live' | 'log' | 'metrics' | 'publicUrl'
>;

interface Row extends Told, Record<string, unknown> {
  delivery: string;
  eventId: string;
  tries: number;
  channelKind: (typeof channelKinds)[number];
  channelId: string;
  url: string | null;
  recipients: string[] | null;
  secrets: Secret[];
  language: ChannelLanguage;
}

export function startNotifier(
  context: DeliveryPlace,
  { idleMs, faultMs } = { idleMs: 1_000, faultMs: 2_000 },
): Loop {
  return startLoop(async () => {
    try {
      const ruled = await rule(context.db);
      const sent = await deliver(context);
      return { pauseMs: ruled || sent ? 0 : idleMs };
    } catch (error) {
      context.log('warn', 'notifications postponed', { error });
      return { pauseMs: faultMs, evenIfWoken: true };
    }
  });
}

/** Returns whether there may be more. */
export async function deliver(context: DeliveryPlace): Promise<boolean> {
  if (context.closing.aborted) return false;
  const rows = await claim(context.db);
  await Promise.all(rows.map((row) => tryOne(context, row)));
  if (rows.length > 0) context.live.changed('notification', 'delivery');
  return rows.length > 0;
}

/** One that is claimed already, as a test is. */
export async function deliverClaimed(context: DeliveryPlace, id: number): Promise<void> {
  for (const row of await read(context.db, [String(id)])) await tryOne(context, row);
}

async function tryOne(context: DeliveryPlace, row: Row): Promise<void> {
  const result = await send(context, row);
  if (result.fault !== null && context.closing.aborted) return release(context.db, row);
  const outcome = await settle(context.db, row, result);
  context.metrics.count('flota_notifications_total', { channel: row.channelKind, outcome });
  if (outcome === 'dead') {
    const { delivery, channelId, kind } = row;
    context.log('error', 'notification given up', {
      delivery,
      channel: channelId,
      kind,
      fault: result.fault,
    });
  }
}

function send({ courier, publicUrl, closing }: DeliveryPlace, row: Row): Promise<Result> {
  const event: Told = { ...row, id: row.eventId, at: new Date(row.at) };
  if (row.channelKind === 'email') {
    const id = `${row.eventId}.${row.channelId}`;
    if (courier.mail) return courier.mail({ to: row.recipients ?? [], id, ...mailOf(event, publicUrl) });
    return Promise.resolve({ status: null, answer: 'No SMTP_URL', fault: 'mail_not_configured' });
  }
  const signed = row.channelKind === 'webhook';
  const body = signed ? webhookBody(event, publicUrl) : slackBody(event, publicUrl);
  const headers = {
    'Content-Type': 'application/json',
    ...(signed && { [signatureHeader]: sign(row.secrets, body, Date.now()) }),
  };
  return courier.post(new URL(row.url!), headers, body, closing);
}

async function claim(db: Db): Promise<Row[]> {
  const claimed = await query<{ id: string }>(
    db,
    sql`update notification_deliveries set due_at = now() + make_interval(secs => ${leaseS}), tries = tries + 1
        where id in (
          select d.id from notification_deliveries d
          where d.state = 'waiting' and d.due_at <= now() and d.id in (
            select id from (
              select id, row_number() over (partition by channel_id order by due_at, id) as n
              from notification_deliveries where state = 'waiting' and due_at <= now()) ranked
            where n <= ${perChannel}::int)
          order by d.due_at limit ${batch} for update skip locked)
        returning id::text`,
  );
  return claimed.length === 0
    ? []
    : read(
        db,
        claimed.map((row) => row.id),
      );
}

function read(db: Db, ids: string[]): Promise<Row[]> {
  return query<Row>(
    db,
    sql`select d.id::text as delivery, d.event_id as "eventId", d.tries, d.channel_kind as "channelKind", d.channel_id as "channelId",
          c.url, c.recipients, c.secrets, c.language, e.kind, e.severity, e.at, e.data
        from notification_deliveries d join notification_events e on e.id = d.event_id
          join notification_channels c on c.id = d.channel_id
        where d.id ${anyOf(ids, 'bigint')}
        order by d.id`,
  );
}

/** Only of what still waits: a channel may have been deleted meanwhile. */
async function settle(
  db: Db,
  { delivery, tries, kind }: Row,
  { status, answer, fault }: Result,
): Promise<'delivered' | 'failed' | 'dead'> {
  const given = kind === 'test' || tries >= maxTries;
  const outcome = fault === null ? 'delivered' : given || final.includes(fault) ? 'dead' : 'failed';
  const state = outcome === 'failed' ? 'waiting' : outcome;
  await db.execute(sql`
    update notification_deliveries
    set state = ${state}, status = ${status}::int, answer = ${storable(answer, maxAnswerChars)}, fault = ${fault}::text,
        tried_at = now(), delivered_at = case when ${state}::text = 'delivered' then now() end,
        due_at = now() + make_interval(secs => least(${maxBackOffS}, power(2, ${tries}::int)))
    where id = ${delivery}::bigint and state = 'waiting'`);
  return outcome;
}

/** This copy ends: the next one tries it, and this was no try. */
async function release(db: Db, { delivery }: Row): Promise<void> {
  await db.execute(sql`
    update notification_deliveries set due_at = now(), tries = tries - 1
    where id = ${delivery}::bigint and state = 'waiting'`);
}

/** The clock went back: nothing is put off for longer than a back-off or quiet hours do. */
export async function dropFuture(db: Db, now: number): Promise<void> {
  await db.execute(sql`
    update notification_deliveries set due_at = ${at(now)}
    where state = 'waiting' and due_at > ${at(now)} + make_interval(
      secs => case when tries = 0 then ${maxQuietS}::int else ${maxBackOffS}::int end)`);
}
