/** Signs patches as a server tells of them (`GET /api/firmware/<id>/patches`), without believing what it says. */
import { isDeepStrictEqual } from 'node:util';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { type Manifest, manifestSchema, patchSchema } from '#emqx/protocol.ts';
import type { SigningKey } from './key.ts';

const toldSchema = z.object({
  manifest: z.string().nullable(),
  items: z.array(
    z.object({ base: z.string().nullable(), state: z.string(), claims: patchSchema.nullable() }),
  ),
});

export interface SignedPatch {
  /** Null: the compressed image. */
  base: string | null;
  manifest: string;
}

/**
 * A patch is worth what it makes: signed is only one that makes the image of a manifest which one of `trusted` has signed. Patches that are signed
 * already are left out. Throws when what is told is not so.
 */
export async function signPatches(
  told: unknown,
  key: SigningKey,
  trusted: JSONWebKeySet = key.publicKeys,
): Promise<SignedPatch[]> {
  const parsed = toldSchema.safeParse(told);
  if (!parsed.success) throw new Error('these are no patches as a server lists them');
  const { manifest, items } = parsed.data;
  if (manifest === null) throw new Error('the firmware itself is not signed');
  const image = await openManifest(manifest, trusted);
  const signed: SignedPatch[] = [];
  for (const { base, state, claims } of items) {
    if (state !== 'unsigned' || !claims) continue;
    const { patch, ...made } = claims;
    const differing = (Object.keys(made) as (keyof Manifest)[]).filter(
      (name) => !isDeepStrictEqual(made[name], image[name]),
    );
    if (differing.length > 0)
      throw new Error(`a patch is for another image than the signed one: ${differing.join(', ')}`);
    if ((patch.base ?? null) !== base) throw new Error('a patch is told with another base than is signed');
    signed.push({ base, manifest: await key.sign(claims) });
  }
  return signed;
}

async function openManifest(jws: string, trusted: JSONWebKeySet): Promise<Manifest> {
  try {
    const { payload } = await compactVerify(jws, createLocalJWKSet(trusted), { algorithms: ['ES256'] });
    return manifestSchema.parse(JSON.parse(new TextDecoder().decode(payload)));
  } catch (cause) {
    throw new Error('the firmware is signed by another key: give its public half with --keys', { cause });
  }
}
