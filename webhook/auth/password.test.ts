import { scryptSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { hashPassword, verifyPassword } from './password.ts';

test('a password is stored by OWASP’s setting of scrypt, with a salt of its own', async () => {
  const [hash, another] = await Promise.all([hashPassword('correct horse'), hashPassword('correct horse')]);
  expect(hash).not.toBe(another);
  const [kind, salt, key] = hash.split('$');
  const expected = scryptSync('correct horse', Buffer.from(salt!, 'base64'), 32, {
    N: 32_768,
    r: 8,
    p: 3,
    maxmem: 64 * 1024 * 1024,
  });
  expect([kind, key]).toEqual(['scrypt', expected.toString('base64')]);
  expect(await verifyPassword('correct horse', hash)).toBe(true);
  expect(await verifyPassword('correct Horse', hash)).toBe(false);
  expect(await verifyPassword('correct horse', 'plain$correct horse')).toBe(false);
});
