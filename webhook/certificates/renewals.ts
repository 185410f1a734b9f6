/**
 * Renewal over MQTT. A request is stored with the event that brought it (and acked); here it is worked off: the CA is asked
 * outside any transaction, the answer leaves through the outbox. The row goes only with the answer, so nothing is lost.
 */
import { eq, inArray, sql } from 'drizzle-orm';
import type { CertRenewResponse } from '#emqx/protocol.ts';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/connect.ts';
import { enqueue } from '../deployments/outbox.ts';
import { AppError } from '../errors.ts';
import { issue } from './certificates.ts';
import { renewals } from './table.ts';

export interface RenewalRequest {
  deviceId: string;
  requestId: string;
  csr: string;
  slash: boolean;
}

export async function storeRequests(db: Db, requests: RenewalRequest[]): Promise<void> {
  await db.insert(renewals).values(requests);
}

const batch = 32;
const leaseS = 60;

/** Works off one batch; answers whether there may be more. */
export async function work(context: Context): Promise<boolean> {
  const claimed = await query<{ id: string }>(
    context.db,
    sql`update renewals set try_at = now() + make_interval(secs => ${leaseS})
        where id in (select id from renewals where try_at <= now() order by try_at, id limit ${batch} for update skip locked)
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
  for (const row of rows) await answer(context, row);
  context.wake();
  return claimed.length === batch;
}

async function answer(context: Context, row: typeof renewals.$inferSelect): Promise<void> {
  let body: Pick<CertRenewResponse, 'certificate' | 'chain' | 'error'>;
  try {
    const { certificate, chain } = await issue(context, {
      profile: 'device',
      commonName: row.deviceId,
      csr: row.csr,
    });
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
