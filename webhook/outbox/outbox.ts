/** Commands for devices, written in the transaction that decides on them and sent after its commit (`send.ts`). */
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import type { DownlinkTopic } from '#emqx/protocol.ts';
import { at } from '../db/clock.ts';
import { anyOf, type Db } from '../db/query.ts';
import { outbox } from './table.ts';

/** Seconds: the longest that a row is put off. */
export const maxBackOffS = 60;

export interface Command {
  deviceId: string;
  /** As the device sees it; certificate topics may have the leading slash. */
  topic: DownlinkTopic | `/${DownlinkTopic}`;
  /** The message without `id` and `at`, which are added on sending. */
  body: Record<string, unknown>;
}

export async function enqueue(db: Db, commands: Command[]): Promise<void> {
  await db.insert(outbox).values(commands.map((c) => ({ ...c, sendAt: sql`now()` })));
}

/** What an attempt needs to be told: its message is made from the attempt when it is sent. */
export interface AttemptCommand {
  deviceId: string;
  deploymentId: string;
  attempt: number;
  type: 'request' | 'cancel';
}

export async function enqueueForAttempts(db: Db, commands: AttemptCommand[]): Promise<void> {
  if (commands.length === 0) return;
  const rows = commands.map(({ deviceId, deploymentId, attempt, type }) => ({
    v: deviceId,
    topic: `firmware/download/${type}` satisfies DownlinkTopic,
    d: deploymentId,
    attempt,
  }));
  await db.execute(sql`
    insert into outbox (device_id, topic, deployment_id, attempt, send_at)
    select v, topic, d, attempt, now()
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(v text, topic text, d uuid, attempt int)`);
}

/** The devices subscribed: what was parked for them goes now. */
export async function unpark(db: Db, deviceIds: string[]): Promise<void> {
  await db
    .update(outbox)
    .set({ sendAt: sql`now()` })
    .where(and(sql`${outbox.deviceId} ${anyOf(deviceIds)}`, isNull(outbox.sendAt)));
}

/** The device is deleted: nothing is sent to it any more. */
export async function forgetDevice(db: Db, deviceId: string): Promise<void> {
  await db.delete(outbox).where(eq(outbox.deviceId, deviceId));
}

/** The clock went back: nothing is put off for so long. */
export async function dropFuture(db: Db, now: number): Promise<void> {
  await db
    .update(outbox)
    .set({ sendAt: at(now) })
    .where(gt(outbox.sendAt, at(now + maxBackOffS * 1000)));
}
