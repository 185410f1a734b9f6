import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { validateProfiles } from './profiles.ts';
import { readPublicKey } from './public-keys.ts';

const policy = validateProfiles().device.keys;
const refusal = expect.objectContaining({ code: 'csr_key_refused' });
const spki = (namedCurve: string) =>
  new Uint8Array(generateKeyPairSync('ec', { namedCurve }).publicKey.export({ type: 'spki', format: 'der' }));

describe('a public key', () => {
  it.each(['P-256', 'P-384'])('on %s is read as it is', (curve) => {
    const der = spki(curve);
    const key = readPublicKey(der, policy);
    expect(new Uint8Array(key.export({ type: 'spki', format: 'der' }))).toEqual(der);
  });

  it.each(['P-521', 'secp256k1', 'brainpoolP256r1'])('on %s is refused', (curve) => {
    expect(() => readPublicKey(spki(curve), policy)).toThrowError(refusal);
  });

  it('whose point is not on its curve, or is said to be on another, is refused', () => {
    const moved = spki('P-256');
    moved[moved.length - 1]! ^= 1;
    expect(() => readPublicKey(moved, policy)).toThrowError(refusal);
    const renamed = spki('P-256');
    // The last octet of the curve's identifier: the key has the right length, but names no curve of ours.
    renamed[22]! ^= 1;
    expect(() => readPublicKey(renamed, policy)).toThrowError(refusal);
  });

  it('as a compressed point is refused', () => {
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      Buffer.of(2),
      spki('P-256').subarray(27, 59),
    ]);
    expect(() => readPublicKey(compressed, policy)).toThrowError(refusal);
  });

  it('is refused when the policy has no place for its kind', () => {
    const only384 = { curves: ['P-384' as const], rsaBits: null };
    expect(() => readPublicKey(spki('P-256'), only384)).toThrowError(refusal);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
      type: 'spki',
      format: 'der',
    });
    expect(() => readPublicKey(rsa, only384)).toThrowError(refusal);
    expect(readPublicKey(rsa, policy).asymmetricKeyType).toBe('rsa');
  });
});
