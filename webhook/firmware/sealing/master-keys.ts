/** Keys of objects are kept under a key of the settings: the database and the bucket together open nothing. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { tagBytes } from './hpke.ts';

export interface MasterKeys {
  /** By the first of the keys. */
  wrap(key: Buffer, sha256: string): string;
  /** By the one that it was wrapped with. Throws when that is none of these, or for another object. */
  unwrap(wrapped: string, sha256: string): Buffer;
}

/** base64 of 32 bytes each, the newest first; older ones open only. Throws with what is wrong. */
export function readMasterKeys(text: string): MasterKeys {
  const keys = text.split(',').map((part) => {
    const key = Buffer.from(part.trim(), 'base64');
    if (key.length !== 32)
      throw new Error('must be 32 random bytes in base64 (openssl rand -base64 32), with commas');
    return {
      id: createHash('sha256').update('flota master key').update(key).digest('hex').slice(0, 16),
      key,
    };
  });
  const about = (sha256: string) => Buffer.from(`flota object key ${sha256}`);
  return {
    wrap(key, sha256) {
      const { id, key: master } = keys[0]!;
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', master, nonce).setAAD(about(sha256));
      const sealed = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
      return `${id}.${sealed.toString('base64url')}`;
    },
    unwrap(wrapped, sha256) {
      const [id, body] = wrapped.split('.');
      const master = keys.find((one) => one.id === id);
      if (!master || !body)
        throw new Error('the key of the object is under a master key that is not set here');
      const bytes = Buffer.from(body, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', master.key, bytes.subarray(0, 12), {
        authTagLength: tagBytes,
      });
      decipher.setAAD(about(sha256)).setAuthTag(bytes.subarray(-tagBytes));
      return Buffer.concat([decipher.update(bytes.subarray(12, -tagBytes)), decipher.final()]);
    },
  };
}
