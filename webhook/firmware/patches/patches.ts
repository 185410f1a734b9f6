/** Which patches there are: wanted when a device could use one, made by a background step, forgotten when nobody runs the old image. */
import { createHash, randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { and, eq, type SQL, sql } from 'drizzle-orm';
import type { PatchManifest } from '#emqx/protocol.ts';
import type { Context } from '../../context.ts';
import { type Db, query } from '../../db/query.ts';
import { paced } from '../../paced.ts';
import { toManifest } from '../firmware.ts';
import { oneAtATime } from '../one-at-a-time.ts';
import * as sealing from '../sealing/sealing.ts';
import { firmwares } from '../table.ts';
import { noBase, patchFormat } from './format.ts';
import { makeElsewhere, maxImageBytes } from './make.ts';
import { type PatchState, patches } from './table.ts';

/** What a patch must save of the image, or it is not worth its making of it; and what a compressed image must. */
const leastSaving = (base: string) => (base === noBase ? 0.05 : 0.2);
const leaseS = 300;
const maxTries = 3;
/** A request waits so long for a patch that is being made; then the image goes whole. */
export const holdMs = 30_000;

/**
 * Pairs that some device could use, of images that are kept and not too large. Those that are known stay as they are; the others are
 * returned.
 */
export async function want(db: Db, pairs: SQL): Promise<{ base: string; result: string }[]> {
  return query(
    db,
    sql`
    insert into patches (base, result)
    select distinct p.base, p.result from (${pairs}) p
    where p.base <> p.result
      and (p.base = ${noBase} or exists (select from firmwares f where f.sha256 = p.base and f.size_bytes <= ${maxImageBytes}))
      and exists (select from firmwares f where f.sha256 = p.result and f.size_bytes <= ${maxImageBytes} and f.manifest is not null)
    on conflict do nothing
    returning base, result`,
  );
}

type Wanted = { base: string; result: string; tries: number };

async function claim(db: Db): Promise<Wanted | undefined> {
  const [row] = await query<Wanted>(
    db,
    sql`update patches p set lease_until = now() + make_interval(secs => ${leaseS}), tries = p.tries + 1
        from (select base, result from patches
              where state = 'wanted' and (lease_until is null or lease_until < now())
              order by tries, wanted_at limit 1 for update skip locked) next
        where p.base = next.base and p.result = next.result
        returning p.base, p.result, p.tries`,
  );
  return row;
}

export const createMakePatches = () => oneAtATime('makePatches', ({ db }) => claim(db), make);

async function make(context: Context, { base, result, tries }: Wanted): Promise<void> {
  try {
    await store(context, base, result);
  } catch (error) {
    // What a copy leaves behind when it shuts down, another one takes up when its lease is over.
    if (context.closing.aborted) return;
    context.log('warn', 'patch not made', { base, result, error });
    const text = error instanceof Error ? error.message : String(error);
    const values = {
      state: tries >= maxTries ? ('failed' as const) : ('wanted' as const),
      error: text.slice(0, 500),
      leaseUntil: sql`now() + make_interval(secs => ${30 * tries})`,
    };
    await context.db
      .update(patches)
      .set(values)
      .where(isPair(base, result))
      .catch(() => {});
  }
}

async function store(context: Context, base: string, result: string): Promise<void> {
  const [image] = await context.db
    .select()
    .from(firmwares)
    .where(and(eq(firmwares.sha256, result), sql`${firmwares.manifest} is not null`))
    .limit(1);
  const [old] = await context.db.select().from(firmwares).where(eq(firmwares.sha256, base)).limit(1);
  if (!image || (!old && base !== noBase)) throw new Error('an image is gone');
  // Before either is in memory.
  if (Math.max(image.sizeBytes, old?.sizeBytes ?? 0) > maxImageBytes) {
    await settle(context.db, base, result, { state: 'useless', error: `larger than ${maxImageBytes} bytes` });
    return;
  }
  const nothing = Buffer.alloc(0);
  const [from, to] = await Promise.all([
    old ? readObject(context, old) : nothing,
    readObject(context, image),
  ]);
  const startedAt = performance.now();
  const patch = await makeElsewhere(from, to, context.closing, context.patchProgram);
  const madeMs = Math.round(performance.now() - startedAt);
  const made = { sizeBytes: patch.length, madeMs, error: null };
  if (patch.length > image.sizeBytes * (1 - leastSaving(base))) {
    await settle(context.db, base, result, { ...made, state: 'useless' });
    return;
  }
  const sha256 = createHash('sha256').update(patch).digest('hex');
  const s3Path = await put(context, image, patch, sha256);
  const manifest = await context.signer?.sign(
    toPatchManifest(image, { base, sizeBytes: patch.length, sha256 }),
  );
  await settle(context.db, base, result, {
    ...made,
    state: manifest ? 'ready' : 'unsigned',
    sha256,
    s3Path,
    manifest: manifest ?? null,
  });
  context.log('info', 'patch made', { base, result, bytes: patch.length, of: image.sizeBytes, ms: madeMs });
  context.live.changed('firmware', image.id);
}

/** What is signed for it. */
export function toPatchManifest(
  image: Parameters<typeof toManifest>[0],
  { base, sizeBytes, sha256 }: { base: string; sizeBytes: number; sha256: string },
): PatchManifest {
  const of = base === noBase ? {} : { base };
  return { ...toManifest(image), patch: { format: patchFormat, ...of, size: sizeBytes, sha256 } };
}

/** Nothing plain of an image that is sealed comes into the bucket. */
async function put(
  context: Context,
  image: typeof firmwares.$inferSelect,
  patch: Buffer,
  sha256: string,
): Promise<string> {
  if (await sealing.needsSealing(context.db, image)) return sealing.putSealed(context, patch, sha256);
  const s3Path = `patches/${randomUUID()}/${image.sha256.slice(0, 16)}-${sha256.slice(0, 16)}.patch`;
  await context.objects.put(s3Path, patch, 'application/octet-stream');
  return s3Path;
}

async function readObject(context: Context, image: typeof firmwares.$inferSelect): Promise<Buffer> {
  const { sha256 } = image;
  const bytes = await buffer(await sealing.openPlain(context, image));
  if (createHash('sha256').update(bytes).digest('hex') !== sha256)
    throw new Error('the file store holds another image than was registered');
  return bytes;
}

async function settle(
  db: Db,
  base: string,
  result: string,
  values: Partial<typeof patches.$inferInsert> & { state: PatchState },
): Promise<void> {
  await db
    .update(patches)
    .set({ ...values, leaseUntil: null })
    .where(isPair(base, result));
}

function isPair(base: string, result: string): SQL | undefined {
  return and(eq(patches.base, base), eq(patches.result, result));
}

const lookEveryMs = 3_600_000;
const atOnce = 100;

/** Those that were made while nobody here could sign. */
export const createSignPatches = () =>
  paced({ everyMs: lookEveryMs }, async function signPatches(context: Pick<Context, 'db' | 'signer'>) {
    return (await signMade(context)) === atOnce ? 'more' : 'done';
  });

export async function signMade({ db, signer }: Pick<Context, 'db' | 'signer'>): Promise<number> {
  if (!signer) return 0;
  const rows = await db
    .selectDistinctOn([patches.base, patches.result], { patch: patches, image: firmwares })
    .from(patches)
    .innerJoin(firmwares, and(eq(firmwares.sha256, patches.result), sql`${firmwares.manifest} is not null`))
    .where(eq(patches.state, 'unsigned'))
    .limit(atOnce);
  for (const { patch, image } of rows) {
    const { base, result, sizeBytes, sha256 } = patch;
    const claims = toPatchManifest(image, { base, sizeBytes: sizeBytes!, sha256: sha256! });
    await db
      .update(patches)
      .set({ state: 'ready', manifest: await signer.sign(claims) })
      // Forgotten and made again meanwhile, it is another one.
      .where(and(isPair(base, result), eq(patches.state, 'unsigned'), eq(patches.sha256, sha256!)));
  }
  return rows.length;
}

/** Those of which nobody has run the old image for a day, with their objects. */
export const createForgetPatches = () =>
  paced({ everyMs: lookEveryMs, firstMs: lookEveryMs }, async function forgetPatches(context: Context) {
    return (await forget(context)) === atOnce ? 'more' : 'done';
  });

export async function forget(
  { db, objects }: Pick<Context, 'db' | 'objects'>,
  olderS = 86_400,
): Promise<number> {
  const gone = await query<{ s3Path: string | null }>(
    db,
    sql`delete from patches where ctid = any(array(
          select p.ctid from patches p
          where p.base <> ${noBase} and p.wanted_at < now() - make_interval(secs => ${olderS})
            and (p.lease_until is null or p.lease_until < now())
            and not exists (select from components c where c.sha256 = p.base)
          limit ${atOnce} for update skip locked))
        returning s3_path as "s3Path"`,
  );
  // An object that stays behind is found by nobody, and costs its bytes.
  for (const { s3Path } of gone) {
    if (!s3Path) continue;
    await sealing.forget(db, s3Path);
    await objects.delete(s3Path);
  }
  return gone.length;
}
