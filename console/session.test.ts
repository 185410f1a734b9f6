import { expect, it } from 'vitest';
import { askLogin, loggedIn, loginWanted, user } from './session.ts';

it('asks once for all requests that wait for a session, and again when that session has ended too', async () => {
  const first = askLogin();
  expect(askLogin()).toBe(first);
  expect(loginWanted()).toBe(true);
  loggedIn({ email: 'a@example.test', role: 'admin' });
  await first;
  expect(loginWanted()).toBe(false);
  expect(user()).toEqual({ email: 'a@example.test', role: 'admin' });

  const second = askLogin();
  expect(second).not.toBe(first);
  expect(loginWanted()).toBe(true);
  loggedIn({ email: 'a@example.test', role: 'admin' });
  await second;
});
