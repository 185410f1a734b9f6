import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

interface Cost {
  N: number;
  r: number;
  p: number;
  maxmem: number;
}
const derive = promisify<string, Buffer, number, Cost, Buffer>(scrypt);

/** OWASP's scrypt setting of 2^15, 8, 3. */
const owasp: Cost = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 };

export interface Passwords {
  hash(password: string): Promise<string>;
  /** Null, where there is no such user, takes the same work, so that the time taken tells nothing. */
  verify(password: string, hash: string | null): Promise<boolean>;
}

/** Hashes as `scrypt$<salt>$<key>`, base64; the cost is not in it. */
export function createPasswords(cost: Cost = owasp): Passwords {
  const passwords: Passwords = {
    async hash(password) {
      const salt = randomBytes(16);
      const key = await derive(password, salt, 32, cost);
      return `scrypt$${salt.toString('base64')}$${key.toString('base64')}`;
    },
    async verify(password, hash) {
      if (hash === null) {
        await passwords.hash(password);
        return false;
      }
      const [kind, salt, key] = hash.split('$');
      if (kind !== 'scrypt' || !salt || !key) return false;
      const expected = Buffer.from(key, 'base64');
      const actual = await derive(password, Buffer.from(salt, 'base64'), expected.length, cost);
      return timingSafeEqual(actual, expected);
    },
  };
  return passwords;
}
