/**
 * CRLs as static objects in the file store. EMQX refuses every handshake when it cannot fetch one, so they must not depend on the CA's
 * process; the CA makes new ones every day and after every revocation, and they are valid for two weeks.
 */
import { text } from 'node:stream/consumers';
import { lte, notInArray, sql } from 'drizzle-orm';
import type { PublishedCrl } from '#ca/client.ts';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/query.ts';
import { AppError } from '../errors.ts';
import { paced } from '../paced.ts';
import { publishedCrls } from './table.ts';

/** In the file store: the object behind the address that certificates name. */
export const crlName = /^crl(?:-\d{1,6})?\.pem$/;
const everyMs = 300_000;
const retryMs = 30_000;

type Place = Pick<Context, 'authority' | 'db' | 'objects'>;

/** What is there already is only read. */
export async function publishCrls(place: Place): Promise<void> {
  const crls = await place.authority.crls();
  for (const crl of crls) await publish(place, crl);
  // Issuing CAs that have expired make none any more.
  const names = crls.map(({ name }) => name);
  await place.db.delete(publishedCrls).where(notInArray(publishedCrls.name, names));
}

/**
 * At every start and every five minutes of each copy: an object that is gone, cut off or older (the file store was emptied, restored or
 * exchanged for another) is written again, and a new CRL is there well before the old one's nextUpdate. A step of `background.ts`.
 */
export const createRefreshCrls = () =>
  paced({ everyMs, retryMs }, async function refreshCrls(place: Place) {
    await publishCrls(place);
    return 'done';
  });

/** Seconds since each CRL was last seen whole in the file store. */
export function ageOfPublished(db: Db): Promise<{ name: string; seconds: number }[]> {
  return query(
    db,
    sql`select name, extract(epoch from now() - published_at)::float8 as seconds from published_crls order by name`,
  );
}

/** Whoever may read a certificate may read these; for brokers that cannot reach the file store over plain http. */
export async function readCrl(context: Context, name: string): Promise<string> {
  try {
    return await readObject(context.objects, name);
  } catch (error) {
    if (error instanceof AppError && error.code === 'object_missing')
      throw new AppError('not_found', 'There is no such CRL.', { cause: error });
    throw error;
  }
}

/** The row is held until the object is there: of two copies, the one with the older CRL then finds the newer number. */
async function publish({ db, objects }: Place, crl: PublishedCrl): Promise<void> {
  const values = { number: crl.number, nextUpdate: new Date(crl.nextUpdate), publishedAt: new Date() };
  await db.transaction(async (tx) => {
    const [ours] = await tx
      .insert(publishedCrls)
      .values({ name: crl.name, ...values })
      .onConflictDoUpdate({
        target: publishedCrls.name,
        set: values,
        setWhere: lte(publishedCrls.number, crl.number),
      })
      .returning({ name: publishedCrls.name });
    if (!ours) return;
    // One that cannot be read may be cut off; should it be the store that is away, then writing fails too.
    const there = await readObject(objects, crl.name).catch(() => null);
    if (there !== crl.pem) await objects.put(crl.name, crl.pem, 'application/x-pem-file');
  });
}

async function readObject(objects: Context['objects'], name: string): Promise<string> {
  return text((await objects.open(name)).stream);
}
