/** Which objects are kept sealed, and the background step that seals them and deletes what was plain. */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { eq, type SQL, sql } from 'drizzle-orm';
import { mainComponent } from '#emqx/protocol.ts';
import type { Context } from '../../context.ts';
import { type Db, query } from '../../db/query.ts';
import { AppError } from '../../errors.ts';
import { oneAtATime } from '../one-at-a-time.ts';
import { open, seal, sealForm } from './format.ts';
import { sealedHardware, sealedObjects } from './table.ts';

const leaseS = 300;
const maxTries = 3;

/** Condition: firmware of this hardware, or (`gone`) whose plain object is gone already, is sealed only. */
export function isSealed(hardware: SQL, gone: SQL): SQL {
  return sql`(${gone} or exists (select from ${sealedHardware} h where h.hardware = ${hardware}))`;
}

/** Condition: the device has said that it opens sealed objects. Its children's images come by way of it, too. */
export function canOpen(deviceId: SQL): SQL {
  return sql`exists (select from components m
    where m.device_id = ${deviceId} and m.component = ${mainComponent} and m.seal = ${sealForm})`;
}

export async function needsSealing(
  db: Db,
  firmware: { hardware: string; sealed: boolean },
): Promise<boolean> {
  const [row] = await query<{ needed: boolean }>(
    db,
    sql`select ${isSealed(sql`${firmware.hardware}::text`, sql`${firmware.sealed}::boolean`)} as needed`,
  );
  return row!.needed;
}

/**
 * `objects`: select sha256, size_bytes, plain_path. One that could not be sealed is tried again after ten minutes; of one that is ready, what else
 * is there of its plain form goes.
 */
export async function want(db: Db, objects: SQL): Promise<void> {
  await db.execute(sql`
    insert into sealed_objects (sha256, size_bytes, plain_path)
    select distinct on (o.sha256) o.sha256, o.size_bytes, o.plain_path from (${objects}) o order by o.sha256
    on conflict (sha256) do update
    set plain_gone_at = null, wanted_at = now(),
        state = case when sealed_objects.state = 'failed' then 'wanted' else sealed_objects.state end,
        tries = case when sealed_objects.state = 'failed' then 0 else sealed_objects.tries end
    where sealed_objects.state = 'ready' or (sealed_objects.state = 'failed' and sealed_objects.wanted_at < now() - interval '10 minutes')`);
}

/** Everything that is there of some hardware, its patches too. */
export async function wantAllOf(db: Db, hardware: string[]): Promise<void> {
  const of = sql`jsonb_array_elements_text(${JSON.stringify(hardware)}::jsonb)`;
  await want(
    db,
    sql`select sha256, size_bytes, s3_path as plain_path from firmwares where hardware in (select ${of}) and not sealed
        union all
        select p.sha256, p.size_bytes, p.s3_path from patches p join firmwares f on f.sha256 = p.result
        where p.s3_path is not null and p.sha256 is not null and f.hardware in (select ${of})
          and not exists (select from sealed_objects o where o.sha256 = p.sha256 and o.s3_path = p.s3_path)`,
  );
}

type Claimed = {
  sha256: string;
  state: 'wanted' | 'ready';
  sizeBytes: number;
  plainPath: string;
  tries: number;
};

async function claim(db: Db): Promise<Claimed | undefined> {
  const [row] = await query<Claimed>(
    db,
    sql`update sealed_objects o set lease_until = now() + make_interval(secs => ${leaseS}), tries = o.tries + 1
        from (select sha256 from sealed_objects
              where (state = 'wanted' or (state = 'ready' and plain_gone_at is null))
                and (lease_until is null or lease_until < now())
              order by tries, wanted_at limit 1 for update skip locked) next
        where o.sha256 = next.sha256
        returning o.sha256, o.state, o.size_bytes::float8 as "sizeBytes", o.plain_path as "plainPath", o.tries`,
  );
  return row;
}

/** An object is sealed as it is read, so its size is no matter. */
export const createSealObjects = () =>
  oneAtATime('sealObjects', async ({ db, masterKeys }) => (masterKeys ? claim(db) : undefined), work);

async function work(context: Context, claimed: Claimed): Promise<void> {
  const { sha256, tries } = claimed;
  try {
    if (claimed.state === 'wanted') await sealOne(context, claimed);
    await dropPlain(context, sha256);
  } catch (error) {
    // What a copy leaves behind when it shuts down, another one takes up when its lease is over.
    if (context.closing.aborted) return;
    context.log('warn', 'object not sealed', { sha256, error });
    const text = (error instanceof Error ? error.message : String(error)).slice(0, 500);
    await context.db
      .execute(sql`
        update sealed_objects set error = ${text}, lease_until = now() + make_interval(secs => ${10 * tries}),
          state = case when state = 'wanted' and tries >= ${maxTries} then 'failed' else state end
        where sha256 = ${sha256}`)
      .catch(() => {});
  }
}

async function sealOne(context: Context, { sha256, sizeBytes, plainPath }: Claimed): Promise<void> {
  const { stream } = await context.objects.open(plainPath);
  const sealing = seal(stream as AsyncIterable<Buffer>, sizeBytes);
  const s3Path = sealedPath();
  await context.objects.putStream(s3Path, sealing.stream, sealing.sizeBytes);
  if (sealing.digest() !== sha256) {
    await context.objects.delete(s3Path);
    throw new Error('the file store holds another object than was registered');
  }
  await settle(context, { sha256, s3Path, key: sealing.key });
  context.log('info', 'object sealed', { sha256, bytes: sizeBytes });
}

/** By chance: neither version nor file name is to be read from it. */
const sealedPath = () => `sealed/${randomUUID()}`;

async function settle(
  context: Context,
  { sha256, s3Path, key }: { sha256: string; s3Path: string; key: Buffer },
): Promise<void> {
  const wrappedKey = context.masterKeys!.wrap(key, sha256);
  await context.db
    .update(sealedObjects)
    .set({ state: 'ready', s3Path, wrappedKey, error: null, leaseUntil: null })
    .where(eq(sealedObjects.sha256, sha256));
}

/** Nothing of it is left in the bucket that anybody could read; but what other hardware shares stays. */
async function dropPlain(context: Context, sha256: string): Promise<void> {
  const plain = await query<{ path: string }>(
    context.db,
    sql`select f.s3_path as path from firmwares f
        where f.sha256 = ${sha256} and ${isSealed(sql`f.hardware`, sql`f.sealed`)}
        union select p.s3_path from patches p
        where p.sha256 = ${sha256} and p.s3_path is not null
          and not exists (select from sealed_objects o where o.sha256 = p.sha256 and o.s3_path = p.s3_path)`,
  );
  // First it is known that it is gone: what is read after that is read from the sealed one.
  await context.db.transaction(async (tx) => {
    await tx.execute(sql`
      update firmwares f set sealed = true where f.sha256 = ${sha256} and ${isSealed(sql`f.hardware`, sql`f.sealed`)}`);
    await tx.execute(sql`
      update patches p set s3_path = o.s3_path from sealed_objects o where o.sha256 = ${sha256} and p.sha256 = o.sha256`);
  });
  for (const { path } of plain) await context.objects.delete(path);
  await context.db
    .update(sealedObjects)
    .set({ plainGoneAt: sql`now()`, leaseUntil: null })
    .where(eq(sealedObjects.sha256, sha256));
}

/** The plain content of an image, wherever it is. Throws `sealing_unavailable` when it is sealed and there is no master key for it. */
export async function openPlain(
  context: Context,
  { s3Path, sha256, sealed }: { s3Path: string; sha256: string; sealed: boolean },
): Promise<Readable> {
  if (!sealed) return (await context.objects.open(s3Path)).stream;
  const [object] = await context.db.select().from(sealedObjects).where(eq(sealedObjects.sha256, sha256));
  if (!object?.s3Path || !object.wrappedKey) throw new Error('the sealed object is gone');
  const key = keyOf(context, { sha256, wrappedKey: object.wrappedKey });
  const { stream } = await context.objects.open(object.s3Path);
  return Readable.from(open(stream as AsyncIterable<Buffer>, key, object.sizeBytes), { objectMode: false });
}

export function keyOf(
  { masterKeys }: Pick<Context, 'masterKeys'>,
  { sha256, wrappedKey }: { sha256: string; wrappedKey: string },
): Buffer {
  if (!masterKeys) throw unavailable();
  return masterKeys.unwrap(wrappedKey, sha256);
}

export function unavailable(): AppError {
  return new AppError(
    'sealing_unavailable',
    'No master key is set (SEALING_KEYS): nothing can be kept encrypted.',
  );
}

/** A patch, which is in memory already: sealed before it is anywhere else. Returns where it is. */
export async function putSealed(context: Context, plain: Buffer, sha256: string): Promise<string> {
  if (!context.masterKeys) throw unavailable();
  const sealing = seal(Readable.from([plain]), plain.length);
  const s3Path = sealedPath();
  await context.objects.putStream(s3Path, sealing.stream, sealing.sizeBytes);
  await context.db.delete(sealedObjects).where(eq(sealedObjects.sha256, sha256));
  await context.db.insert(sealedObjects).values({
    ...{ sha256, sizeBytes: plain.length, plainPath: s3Path, s3Path, state: 'ready' },
    wrappedKey: context.masterKeys.wrap(sealing.key, sha256),
    plainGoneAt: new Date(),
  });
  return s3Path;
}

/** Of a patch that is forgotten. */
export async function forget(db: Db, s3Path: string): Promise<void> {
  await db.delete(sealedObjects).where(eq(sealedObjects.s3Path, s3Path));
}
