import { isDeepStrictEqual } from 'node:util';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { type Manifest, manifestSchema, type PatchManifest, patchSchema, type Undo } from '#emqx/protocol.ts';
import { AppError } from '../errors.ts';

/** Holds the firmware signing key, outside this process in production (KMS, or a person with `npm run firmware -- sign`). */
export interface FirmwareSigner {
  /** Compact JWS (RFC 7515) with alg ES256 and a `kid`. */
  sign(manifest: Manifest | Undo | PatchManifest): Promise<string>;
}

/** Throws `manifest_invalid` unless `jws` is signed by a trusted key and says exactly what `expected` says. */
export async function verifyManifest(
  jws: string,
  expected: Manifest | PatchManifest,
  trustedKeys: JSONWebKeySet,
): Promise<void> {
  const schema = 'patch' in expected ? patchSchema : manifestSchema;
  const manifest: Partial<PatchManifest> = await compactVerify(jws, createLocalJWKSet(trustedKeys), {
    algorithms: ['ES256'],
  })
    .then(({ payload, protectedHeader }) => {
      // Devices choose the key by its `kid` and refuse a manifest without one.
      if (!protectedHeader.kid) throw new Error('no kid');
      const told = JSON.parse(new TextDecoder().decode(payload));
      // The order to undo it, or a patch that makes it, says all that its manifest says.
      if ('undo' in told || ('patch' in told && !('patch' in expected)))
        throw new Error('no manifest of an image');
      return schema.parse(told);
    })
    .catch((cause: unknown) => {
      throw new AppError('manifest_invalid', 'The manifest is not signed by a trusted firmware key.', {
        cause,
      });
    });
  const differing = (Object.keys(expected) as (keyof PatchManifest)[]).filter(
    (name) => !isDeepStrictEqual(manifest[name], (expected as PatchManifest)[name]),
  );
  if (differing.length > 0) {
    throw new AppError(
      'manifest_invalid',
      `The manifest is for another firmware: ${differing.join(', ')} differ.`,
    );
  }
}
