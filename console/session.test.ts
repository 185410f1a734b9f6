import { expect, it } from 'vitest';
import {
  askLogin,
  dismissFailedLogins,
  failedLogins,
  loggedIn,
  loginWanted,
  setUser,
  user,
} from './session.ts';

it('asks once for all requests that wait for a session, and again when that session has ended too', async () => {
  const first = askLogin();
  expect(askLogin()).toBe(first);
  expect(loginWanted()).toBe(true);
  loggedIn({ email: 'a@example.test', role: 'admin', reach: null });
  await first;
  expect(loginWanted()).toBe(false);
  expect(user()).toEqual({ email: 'a@example.test', role: 'admin', reach: null });

  const second = askLogin();
  expect(second).not.toBe(first);
  expect(loginWanted()).toBe(true);
  loggedIn({ email: 'a@example.test', role: 'admin', reach: null });
  await second;
});

it('tells the wrong passwords that came before a login until they are dismissed, and of no other login', () => {
  const who = { email: 'a@example.test', role: 'admin', reach: null };
  const told = { count: 3, networks: ['192.0.2.0/24'] };
  loggedIn({ ...who, failedLogins: told });
  setUser(who);
  expect([user(), failedLogins()]).toEqual([who, told]);
  dismissFailedLogins();
  expect(failedLogins()).toBeNull();
  loggedIn({ ...who, failedLogins: told });
  loggedIn(who);
  expect(failedLogins()).toBeNull();
});
