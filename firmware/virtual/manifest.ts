import { compactVerify, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose';
import { type DeviceError, type Manifest, manifestSchema, type Running } from '#emqx/protocol.ts';

export type ManifestVerdict = { manifest: Manifest } | { error: DeviceError };

/** Checks one signed manifest; never throws. */
export type VerifyManifest = (jws: string, running: Running) => Promise<ManifestVerdict>;

/** Imported once for all the devices of a process that share them. */
const imported = new WeakMap<object, ReturnType<typeof createLocalJWKSet>>();

function keysOf(signingKeys: { keys: object[] }): ReturnType<typeof createLocalJWKSet> {
  const keys = imported.get(signingKeys) ?? createLocalJWKSet(signingKeys as JSONWebKeySet);
  imported.set(signingKeys, keys);
  return keys;
}

/**
 * Signature first (compact JWS, ES256, by `kid`), then the schema, then whether it is for this device: hardware, component,
 * anti-rollback and size.
 */
export function manifestVerifier(device: {
  signingKeys: { keys: object[] };
  hardware: string;
  component: string;
  slotBytes: number;
}): VerifyManifest {
  const keys = keysOf(device.signingKeys);
  return async (jws, running) => {
    let payload: Uint8Array;
    try {
      const verified = await compactVerify(
        jws,
        (header, token) => {
          // Without a kid jose would try any key that fits.
          if (!header?.kid) throw new errors.JWKSNoMatchingKey('no kid');
          return keys(header, token);
        },
        { algorithms: ['ES256'] },
      );
      payload = verified.payload;
    } catch (error) {
      const code = error instanceof errors.JWSInvalid ? 'manifest_invalid' : 'signature_invalid';
      return { error: { code, message: String((error as Error).message).slice(0, 200) } };
    }
    const parsed = manifestSchema.safeParse(parseJson(payload));
    if (!parsed.success)
      return { error: { code: 'manifest_invalid', message: parsed.error.issues[0]?.message.slice(0, 200) } };
    const manifest = parsed.data;
    if (manifest.hardware !== device.hardware)
      return { error: { code: 'hardware_mismatch', message: `for ${manifest.hardware}` } };
    if (manifest.component !== device.component)
      return { error: { code: 'component_unknown', message: manifest.component } };
    if (manifest.securityVersion < running.securityVersion)
      return {
        error: {
          code: 'downgrade_refused',
          message: `${manifest.securityVersion} < ${running.securityVersion}`,
        },
      };
    if (manifest.size > device.slotBytes)
      return { error: { code: 'size_mismatch', message: `a slot holds ${device.slotBytes} bytes` } };
    return { manifest };
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
