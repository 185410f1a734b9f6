import { scryptSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { createPasswords } from './password.ts';

test('a password is stored by OWASP’s setting of scrypt, with a salt of its own', async () => {
  const passwords = createPasswords();
  const [hash, another] = await Promise.all([1, 2].map(() => passwords.hash('correct horse')));
  expect(hash).not.toBe(another);
  const [kind, salt, key] = hash!.split('$');
  const expected = scryptSync('correct horse', Buffer.from(salt!, 'base64'), 32, {
    N: 32_768,
    r: 8,
    p: 3,
    maxmem: 64 * 1024 * 1024,
  });
  expect([kind, key]).toEqual(['scrypt', expected.toString('base64')]);
  expect(await passwords.verify('correct horse', hash!)).toBe(true);
  expect(await passwords.verify('correct Horse', hash!)).toBe(false);
  expect(await passwords.verify('correct horse', 'plain$correct horse')).toBe(false);
  expect(await passwords.verify('correct horse', null)).toBe(false);
});
