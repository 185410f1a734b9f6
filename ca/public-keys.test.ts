import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { validateProfiles } from './profiles.ts';
import { readPublicKey } from './public-keys.ts';

const policy = validateProfiles().device.keys;
const refusal = expect.objectContaining({ code: 'csr_key_refused' });
const spki = (namedCurve: string) =>
  new Uint8Array(generateKeyPairSync('ec', { namedCurve }).publicKey.export({ type: 'spki', format: 'der' }));

describe('a public key', () => {
  it.each(['P-256', 'P-384'])('on %s is read as it is', async (curve) => {
    const der = spki(curve);
    const key = await readPublicKey(der, policy);
    expect(new Uint8Array(key.export({ type: 'spki', format: 'der' }))).toEqual(der);
  });

  it.each(['P-521', 'secp256k1', 'brainpoolP256r1'])('on %s is refused', async (curve) => {
    await expect(readPublicKey(spki(curve), policy)).rejects.toThrowError(refusal);
  });

  it('whose point is not on its curve, or is said to be on another, is refused', async () => {
    const moved = spki('P-256');
    moved[moved.length - 1]! ^= 1;
    await expect(readPublicKey(moved, policy)).rejects.toThrowError(refusal);
    const renamed = spki('P-256');
    // The last octet of the curve's identifier: the key has the right length, but names no curve of ours.
    renamed[22]! ^= 1;
    await expect(readPublicKey(renamed, policy)).rejects.toThrowError(refusal);
  });

  it('as a compressed point is refused', async () => {
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      Buffer.of(2),
      spki('P-256').subarray(27, 59),
    ]);
    await expect(readPublicKey(compressed, policy)).rejects.toThrowError(refusal);
  });

  it('is refused when the policy has no place for its kind', async () => {
    const only384 = { curves: ['P-384' as const], rsaBits: null };
    await expect(readPublicKey(spki('P-256'), only384)).rejects.toThrowError(refusal);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
      type: 'spki',
      format: 'der',
    });
    await expect(readPublicKey(rsa, only384)).rejects.toThrowError(refusal);
    expect((await readPublicKey(rsa, policy)).asymmetricKeyType).toBe('rsa');
  });
});
