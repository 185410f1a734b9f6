/**
 * Patches where no signer is at hand: asked for by name, made, and signed by a person elsewhere (`npm run firmware -- sign-patches`), who brings
 * the manifests in.
 */
import { eq, sql } from 'drizzle-orm';
import type { PatchManifest } from '#emqx/protocol.ts';
import { record } from '../../audit/audit.ts';
import type { Context } from '../../context.ts';
import { query } from '../../db/query.ts';
import { AppError } from '../../errors.ts';
import { get } from '../firmware.ts';
import { verifyManifest } from '../signer.ts';
import { noBase, patchFormat } from './format.ts';
import { toPatchManifest, want } from './patches.ts';
import { type PatchState, patches } from './table.ts';

/** So many bases are asked for unless they are named: those that most devices run. */
const mostBases = 20;

export interface PatchOf {
  /** Null: it is the image, compressed. */
  base: string | null;
  baseFirmware: { id: string; name: string; version: string } | null;
  state: PatchState;
  sizeBytes: number | null;
  sha256: string | null;
  madeMs: number | null;
  error: string | null;
  /** What is signed for it; null until it is made. */
  claims: PatchManifest | null;
}

export interface Patches {
  /** Of the image itself, as it was signed; null until it is. Who signs a patch checks that it is for this. */
  manifest: string | null;
  sizeBytes: number;
  items: PatchOf[];
}

/** Those that make this image, in the order they were wanted. Throws not_found. */
export async function list({ db }: Pick<Context, 'db'>, id: string): Promise<Patches> {
  const image = await get(db, id);
  const rows = await db
    .select()
    .from(patches)
    .where(eq(patches.result, image.sha256))
    .orderBy(patches.wantedAt);
  const bases = await query<{ sha256: string; id: string; name: string; version: string }>(
    db,
    sql`select distinct on (f.sha256) f.sha256, f.id, f.name, f.version from firmwares f
        join patches p on p.base = f.sha256 and p.result = ${image.sha256}
        order by f.sha256, f.created_at desc`,
  );
  const items = rows.map((row): PatchOf => {
    const { base, state, sizeBytes, sha256, madeMs, error } = row;
    const of = bases.find((it) => it.sha256 === base);
    const isMade = (state === 'ready' || state === 'unsigned') && sizeBytes !== null && sha256 !== null;
    return {
      ...{ base: base === noBase ? null : base, state, sizeBytes, sha256, madeMs, error },
      baseFirmware: of ? { id: of.id, name: of.name, version: of.version } : null,
      claims: isMade ? toPatchManifest(image, { base, sizeBytes, sha256 }) : null,
    };
  });
  return { manifest: image.manifest, sizeBytes: image.sizeBytes, items };
}

/**
 * Has them made: from the firmwares `from`, or from what devices attest that take patches; and the image compressed. Those that are there stay;
 * one that could not be made is tried again. Errors: not_found, firmware_unsigned.
 */
export async function ask(
  context: Context,
  id: string,
  from: string[] | undefined,
  actor: string,
): Promise<Patches> {
  const { db } = context;
  const image = await get(db, id);
  if (image.manifest === null)
    throw new AppError('firmware_unsigned', 'Sign the firmware first: a patch is signed for what it makes.');
  const named = from && (await Promise.all(from.map((one) => get(db, one))));
  const other = named?.find(
    ({ hardware, component }) => hardware !== image.hardware || component !== image.component,
  );
  if (other)
    throw new AppError(
      'invalid_request',
      `from: ${other.version} is for ${other.hardware}, ${other.component}.`,
    );
  const bases = named
    ? sql`select sha256 as base from firmwares where id in ${named.map((one) => one.id)}`
    : sql`select c.sha256 as base from components c join devices d on d.id = c.device_id
          where c.component = ${image.component} and c.patch = ${patchFormat} and coalesce(c.hardware, d.hardware) = ${image.hardware}
          group by c.sha256 order by count(*) desc limit ${mostBases}`;
  await db.transaction(async (tx) => {
    await want(
      tx,
      sql`select base, ${image.sha256}::text as result from (${bases}) b union all select ${noBase}, ${image.sha256}`,
    );
    await tx
      .update(patches)
      .set({ state: 'wanted', tries: 0, error: null, leaseUntil: null, wantedAt: sql`now()` })
      .where(sql`${patches.result} = ${image.sha256} and ${patches.state} = 'failed'`);
    await record(tx, { actor, action: 'firmware.patch', subject: id });
  });
  context.wake();
  return list(context, id);
}

/** Brings in a manifest that was signed elsewhere: from now on devices are sent the patch. Errors: not_found, patch_not_made, manifest_invalid. */
export async function attach(
  context: Context,
  { id, base, jws }: { id: string; base: string | null; jws: string },
  actor: string,
): Promise<Patches> {
  const { db } = context;
  const image = await get(db, id);
  const { items } = await list(context, id);
  const patch = items.find((it) => it.base === base);
  if (!patch) throw new AppError('not_found', 'There is no such patch.');
  if (!patch.claims)
    throw new AppError('patch_not_made', `The patch cannot be signed: it is ${patch.state}.`);
  await verifyManifest(jws, patch.claims, context.trustedKeys);
  const { size, sha256 } = patch.claims.patch;
  await db.transaction(async (tx) => {
    // Forgotten and made again meanwhile, it is another one.
    const signed = await tx
      .update(patches)
      .set({ state: 'ready', manifest: jws })
      .where(
        sql`${patches.base} = ${base ?? noBase} and ${patches.result} = ${image.sha256} and ${patches.sha256} = ${sha256}
            and ${patches.sizeBytes} = ${size} and ${patches.state} in ('unsigned', 'ready')`,
      )
      .returning({ base: patches.base });
    if (signed.length === 0) throw new AppError('not_found', 'There is no such patch any more.');
    await record(tx, { actor, action: 'firmware.sign_patch', subject: id, detail: { base } });
  });
  context.live.changed('firmware', id);
  return list(context, id);
}
