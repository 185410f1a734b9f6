/**
 * Renewal over MQTT. A request is stored with the event that brought it (and acked); here it is worked off: the CA is asked
 * outside any transaction, the answer leaves through the outbox. The row goes only with the answer, so nothing is lost.
 */
import { eq, gt, inArray, sql } from 'drizzle-orm';
import type { CertRenewResponse } from '#emqx/protocol.ts';
import type { Context } from '../context.ts';
import { at } from '../db/clock.ts';
import { type Db, query } from '../db/query.ts';
import * as presence from '../devices/presence.ts';
import { devices } from '../devices/table.ts';
import { AppError } from '../errors.ts';
import { enqueue } from '../outbox/outbox.ts';
import { findBanned } from './blocked.ts';
import { findIssued, type IssuedView, issue } from './certificates.ts';
import { isStillTheAnswer, renewableFrom } from './renewal-rules.ts';
import { renewals } from './table.ts';

export interface RenewalRequest {
  deviceId: string;
  requestId: string;
  csr: string;
  slash: boolean;
}

export async function storeRequests(db: Db, requests: RenewalRequest[]): Promise<void> {
  if (requests.length > 0) await db.insert(renewals).values(requests);
}

/** Asked for at the same time, and answered by the CA in one group. */
const batch = 64;
const leaseS = 60;

/**
 * Works off one batch, the oldest request of each device: one that asks a thousand times keeps no other waiting.
 * Answers whether there may be more.
 */
export async function work(context: Context): Promise<boolean> {
  const claimed = await query<{ id: string }>(
    context.db,
    sql`update renewals set try_at = now() + make_interval(secs => ${leaseS})
        where id in (
          select id from renewals r where try_at <= now() and not exists (
            select 1 from renewals o where o.device_id = r.device_id and o.id < r.id)
          order by try_at, id limit ${batch} for update skip locked)
        returning id`,
  );
  if (claimed.length === 0) return false;
  const rows = await context.db
    .select()
    .from(renewals)
    .where(
      inArray(
        renewals.id,
        claimed.map((r) => Number(r.id)),
      ),
    );
  await Promise.all(rows.map((row) => answer(context, row)));
  context.wake();
  return true;
}

/** The certificate to answer with; null for a device that may not even be answered. Throws why not. */
async function judge(context: Context, { deviceId, csr }: RenewalRequest): Promise<IssuedView | null> {
  const { db } = context;
  if ((await findBanned(db, [deviceId])).has(deviceId))
    throw new AppError('device_banned', 'This device is banned.');
  const [connection] = await presence.listConnections(db, [deviceId]);
  // Nobody asks for one that was deleted meanwhile.
  if (!connection || connection.blocked) return null;
  const earlier = await findIssued(db, { device: deviceId, csr });
  if (earlier && isStillTheAnswer(earlier, Date.now()))
    return { ...earlier, notAfter: earlier.notAfter.toISOString() };
  const serial = connection.certificateSerial;
  const inUse = serial ? await findIssued(db, { serial }) : undefined;
  // A certificate that did not come through here has dates that we do not know; the first renewal makes it one that did.
  if (inUse && Date.now() < renewableFrom(inUse).getTime())
    throw new AppError(
      'not_due',
      `This certificate can be renewed from ${renewableFrom(inUse).toISOString()} on.`,
    );
  // Not its own row: that is gone, too, when another copy has answered it meanwhile.
  const asks = sql`select 1 from ${devices} where ${devices.id} = ${deviceId}`;
  return issue(context, { profile: 'device', commonName: deviceId, csr }, asks);
}

async function answer(context: Context, row: typeof renewals.$inferSelect): Promise<void> {
  let body: Pick<CertRenewResponse, 'certificate' | 'chain' | 'error'>;
  try {
    const issued = await judge(context, row);
    if (!issued) {
      // Its certificate is revoked, or it was deleted: it has been kicked, and gets no answer either.
      context.log('info', 'renewal that nobody may have', { device: row.deviceId });
      await context.db.delete(renewals).where(eq(renewals.id, row.id));
      return;
    }
    const { certificate, chain } = issued;
    body = { certificate, chain };
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'ca_unavailable') {
      // The lease is the back-off: the request stays and is tried again when it ends.
      context.log('warn', 'renewal postponed', { device: row.deviceId, error });
      return;
    }
    context.log('info', 'renewal refused', { device: row.deviceId, code: error.code });
    body = {
      error: { code: error.code as NonNullable<CertRenewResponse['error']>['code'], message: error.message },
    };
  }
  await context.db.transaction(async (tx) => {
    const gone = await tx.delete(renewals).where(eq(renewals.id, row.id)).returning({ id: renewals.id });
    // Another copy answered it after our lease had ended.
    if (gone.length === 0) return;
    await enqueue(tx, [
      {
        deviceId: row.deviceId,
        topic: `${row.slash ? '/' : ''}cert/renew/response`,
        body: { request: row.requestId, ...body },
      },
    ]);
  });
}

/** The clock went back: no lease is as long. */
export async function dropFuture(db: Db, now: number): Promise<void> {
  await db
    .update(renewals)
    .set({ tryAt: at(now) })
    .where(gt(renewals.tryAt, at(now + leaseS * 1000)));
}
