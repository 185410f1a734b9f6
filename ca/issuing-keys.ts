/** Keys of issuing CAs: sealed in a file beside the certificate, or in a KMS, of which the file then holds the address. */
import { generateKeyPairSync } from 'node:crypto';
import { CaError } from './client.ts';
import { type KmsSettings, openKmsSigner } from './kms-signer.ts';
import { openPrivateKey, sealPrivateKey } from './private-keys.ts';
import { localSigner, type Signer } from './signer.ts';

export interface KeyPlace {
  passphrase?: string;
  kms?: KmsSettings;
}

/** `kept` is what belongs into issuing.key. With a KMS the key is there already and is looked up. */
export async function makeIssuingKey({
  passphrase,
  kms,
}: KeyPlace): Promise<{ signer: Signer; kept: string }> {
  if (kms) {
    const signer = await openKmsSigner(kms);
    // The ARN and not an alias, which may be pointed at another key tomorrow.
    return { signer, kept: `${JSON.stringify({ kms: { ...kms, keyId: signer.arn } })}\n` };
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { signer: localSigner(privateKey), kept: await sealPrivateKey(privateKey, passphrase) };
}

/** @throws CaError passphrase_wrong | hierarchy_damaged | ca_unavailable */
export async function openIssuingKey(kept: string, passphrase: string | undefined): Promise<Signer> {
  if (!kept.startsWith('{')) return localSigner(openPrivateKey(kept, passphrase));
  let place: { keyId: string; region: string };
  try {
    ({ kms: place } = JSON.parse(kept) as { kms: typeof place });
    if (typeof place.keyId !== 'string' || typeof place.region !== 'string') throw new TypeError('no key id');
  } catch (cause) {
    throw new CaError('hierarchy_damaged', 'the CA key cannot be read', { cause });
  }
  return openKmsSigner(place);
}
