/** An issuing CA's key in AWS KMS (or what speaks its API): it can be used there and never be read. */
import { createHash, createPublicKey } from 'node:crypto';
import { GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { CaError } from './client.ts';
import type { Signer } from './signer.ts';

export interface KmsSettings {
  /** Id, ARN or alias of a key for SIGN_VERIFY on ECC_NIST_P256. */
  keyId: string;
  region: string;
}

export type KmsSigner = Signer & { arn: string };

const timeoutMs = 10_000;

/**
 * Credentials come from the SDK's own chain (task role, environment), as does another endpoint (AWS_ENDPOINT_URL_KMS).
 * @throws CaError config_invalid for a key that cannot be a CA's, ca_unavailable when the KMS does not answer or refuses
 */
export async function openKmsSigner({ keyId, region }: KmsSettings): Promise<KmsSigner> {
  const client = new KMSClient({ region });
  const ask = async <T>(work: (options: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> => {
    try {
      return await work({ abortSignal: AbortSignal.timeout(timeoutMs) });
    } catch (cause) {
      const { name } = cause as Error;
      throw new CaError('ca_unavailable', `the KMS does not use ${keyId}: ${name}`, { cause });
    }
  };
  const key = await ask((options) => client.send(new GetPublicKeyCommand({ KeyId: keyId }), options));
  if (key.KeySpec !== 'ECC_NIST_P256' || key.KeyUsage !== 'SIGN_VERIFY' || !key.PublicKey)
    throw new CaError('config_invalid', `${keyId} must be a key for SIGN_VERIFY on ECC_NIST_P256`);
  const arn = key.KeyId ?? keyId;
  const spki = createPublicKey({ key: Buffer.from(key.PublicKey), format: 'der', type: 'spki' });
  return {
    arn,
    publicKey: new Uint8Array(spki.export({ type: 'spki', format: 'der' })),
    async sign(bytes) {
      // As DIGEST, so that the certificate itself never leaves this machine and its length does not matter.
      const command = new SignCommand({
        KeyId: arn,
        Message: createHash('sha256').update(bytes).digest(),
        MessageType: 'DIGEST',
        SigningAlgorithm: 'ECDSA_SHA_256',
      });
      const { Signature } = await ask((options) => client.send(command, options));
      if (!Signature) throw new CaError('ca_unavailable', `the KMS gave no signature by ${keyId}`);
      return Signature;
    },
  };
}

export function isKmsKeyId(text: string): boolean {
  return /^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)\/|alias\/)?[A-Za-z0-9/_-]{1,256}$/.test(text);
}
