import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { CaError } from './client.ts';
import { encodePem } from './pem.ts';

/** OWASP's figure for PBKDF2-HMAC-SHA256; OpenSSL's own default is 2,048. */
const iterations = 600_000;

const engine = new pkijs.CryptoEngine({ name: 'node', crypto: webcrypto as unknown as Crypto });

/** PKCS#8 as PEM: encrypted (RFC 5958 with PBES2, AES-256-CBC) when there is a passphrase, plain when there is none. */
export async function sealPrivateKey(key: KeyObject, passphrase?: string): Promise<string> {
  const der = new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }));
  if (passphrase === undefined) return encodePem('PRIVATE KEY', der);
  const bag = new pkijs.PKCS8ShroudedKeyBag({
    parsedValue: new pkijs.PrivateKeyInfo({ schema: asn1.fromBER(der).result }),
  });
  const parameters = {
    password: new Uint8Array(Buffer.from(passphrase, 'utf8')).buffer,
    contentEncryptionAlgorithm: { name: 'AES-CBC', length: 256 } as pkijs.ContentEncryptionAesCbcParams,
    hmacHashAlgorithm: 'SHA-256',
    iterationCount: iterations,
  };
  // The published type is narrower than what the method reads.
  await bag.makeInternalValues(parameters as never, engine);
  return encodePem('ENCRYPTED PRIVATE KEY', new Uint8Array(bag.toSchema().toBER()));
}

/** @throws CaError passphrase_wrong */
export function openPrivateKey(pem: string, passphrase?: string): KeyObject {
  const encrypted = pem.includes('ENCRYPTED');
  if (encrypted && passphrase === undefined) {
    throw new CaError('passphrase_wrong', 'the CA key is encrypted and no passphrase was given');
  }
  try {
    return createPrivateKey(
      encrypted ? { key: pem, format: 'pem', passphrase } : { key: pem, format: 'pem' },
    );
  } catch (cause) {
    if (encrypted)
      throw new CaError('passphrase_wrong', 'the passphrase does not open the CA key', { cause });
    throw new CaError('hierarchy_damaged', 'the CA key cannot be read', { cause });
  }
}
