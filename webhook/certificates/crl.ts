/**
 * CRLs as static objects in the file store. EMQX refuses every handshake when it cannot fetch one, so they must not depend on the CA's
 * process; the CA makes new ones every day and after every revocation, and they are valid for two weeks.
 */
import { text } from 'node:stream/consumers';
import { sql } from 'drizzle-orm';
import type { PublishedCrl } from '#ca/client.ts';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { publishedCrls } from './table.ts';

/** In the file store: the object behind the address that certificates name. */
export const crlName = /^crl(?:-\d{1,6})?\.pem$/;
const everyMs = 3_600_000;
const retryMs = 30_000;

export async function publishCrls(context: Context): Promise<void> {
  for (const crl of await context.authority.crls()) await publish(context, crl);
}

/** Every hour: well before nextUpdate, also after days without the CA. A step of the dispatcher. */
export function createRefreshCrls(): (context: Context) => Promise<boolean> {
  let next = 0;
  return async function refreshCrls(context) {
    if (Date.now() < next) return false;
    next = Date.now() + retryMs;
    await publishCrls(context);
    next = Date.now() + everyMs;
    return false;
  };
}

/** Whoever may read a certificate may read these; for brokers that cannot reach the file store over plain http. */
export async function readCrl(context: Context, name: string): Promise<string> {
  try {
    return await text((await context.objects.open(name)).stream);
  } catch (error) {
    if (error instanceof AppError && error.code === 'object_missing')
      throw new AppError('not_found', 'There is no such CRL.', { cause: error });
    throw error;
  }
}

/** The row is held until the object is there: of two copies, the one with the older CRL then finds the newer number. */
async function publish(context: Context, crl: PublishedCrl): Promise<void> {
  const values = { number: crl.number, nextUpdate: new Date(crl.nextUpdate), publishedAt: new Date() };
  await context.db.transaction(async (tx) => {
    const [newer] = await tx
      .insert(publishedCrls)
      .values({ name: crl.name, ...values })
      .onConflictDoUpdate({
        target: publishedCrls.name,
        set: values,
        setWhere: sql`${publishedCrls.number} < ${crl.number}`,
      })
      .returning({ name: publishedCrls.name });
    if (newer) await context.objects.put(crl.name, crl.pem, 'application/x-pem-file');
  });
}
