import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { query } from '../db/query.ts';
import { type Answer, cheapPasswords, type Json, startTestWebhook } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { countAttempt, limits, networkOf } from './attempts.ts';
import { ensureAdmin, logIn } from './auth.ts';
import { maxDevices, rememberDevice } from './known-devices.ts';
import { use } from './second-factor.ts';
import { users } from './table.ts';
import { create as createToken } from './tokens.ts';
import { codeOf, stepAt, uriOf } from './totp.ts';

const passwords = cheapPasswords();
const verify = vi.spyOn(passwords, 'verify');
const password = 'correct horse';
const { database, webhook } = await startSuite({
  admin: { email: 'Root@Example.com', password },
  proxies: 1,
  passwords,
});
beforeEach(() => database.db.execute(sql`delete from login_attempts`));

const login = (email: string, secret = password, address = '192.0.2.1') =>
  webhook.api(
    'POST',
    '/api/login',
    { email, password: secret },
    { 'x-forwarded-for': `1.1.1.1, ${address}` },
  );
async function cookieOf(email: string, secret = password): Promise<string> {
  const answer = await login(email, secret);
  expect(answer.status).toBe(200);
  return answer.headers.get('set-cookie')!.split(';')[0]!;
}
const me = async (headers: Record<string, string>) =>
  (await webhook.api('GET', '/api/me', undefined, headers)).status;
async function user(role = 'operator'): Promise<Json> {
  const email = `${randomUUID().slice(0, 8)}@example.com`;
  const { status, body } = await webhook.api('POST', '/api/users', { email, password, role });
  expect(status).toBe(201);
  return body;
}
const change = (id: string, body: object) => webhook.api('PATCH', `/api/users/${id}`, body);

describe('users', () => {
  test('are created once, whatever the case of the address, and listed without their secrets', async () => {
    const made = await user('viewer');
    expect(made).toMatchObject({ role: 'viewer', disabled: false });
    const again = await webhook.api('POST', '/api/users', {
      email: made.email.toUpperCase(),
      password,
      role: 'admin',
    });
    expect([again.status, again.body.code]).toEqual([409, 'user_exists']);
    const { body } = await webhook.api('GET', '/api/users');
    expect(body.find((u: Json) => u.id === made.id)).toEqual(made);
    expect(body.map((u: Json) => u.email)).toContain('root@example.com');
    expect(JSON.stringify(body)).not.toMatch(/scrypt|hash/i);
    for (const bad of [{ password: 'short' }, { email: 'none' }, { role: 'owner' }]) {
      const answer = await webhook.api('POST', '/api/users', {
        email: 'a@b.example',
        password,
        role: 'viewer',
        ...bad,
      });
      expect(answer.status).toBe(400);
    }
  });

  test('who is disabled is out at once, and in again when enabled', async () => {
    const { id, email } = await user();
    const cookie = await cookieOf(email);
    expect((await change(id, { disabled: true })).body.disabled).toBe(true);
    expect(await me({ cookie })).toBe(401);
    expect((await login(email)).status).toBe(401);
    await change(id, { disabled: false });
    expect(await me({ cookie })).toBe(401);
    expect(await me({ cookie: await cookieOf(email) })).toBe(200);
  });

  test('a new role counts from the next request', async () => {
    const { id, email } = await user('viewer');
    const cookie = await cookieOf(email);
    const rename = () => webhook.api('POST', '/api/regions', { name: randomUUID() }, { cookie });
    expect((await rename()).status).toBe(403);
    await change(id, { role: 'admin' });
    expect((await rename()).status).toBe(201);
    await change(id, { role: 'viewer' });
    expect((await rename()).status).toBe(403);
  });

  test('an admin’s new password for somebody ends the sessions of that user only', async () => {
    const [one, other] = [await user(), await user()];
    const cookies = [await cookieOf(one.email), await cookieOf(one.email), await cookieOf(other.email)];
    await change(one.id, { password: 'another secret' });
    expect(await Promise.all(cookies.map((cookie) => me({ cookie })))).toEqual([401, 401, 200]);
    expect((await login(one.email)).status).toBe(401);
    expect(await me({ cookie: await cookieOf(one.email, 'another secret') })).toBe(200);
  });

  test('one’s own password takes the present one, and leaves one session: the new', async () => {
    const { email } = await user('viewer');
    const [cookie, elsewhere] = [await cookieOf(email), await cookieOf(email)];
    const attempt = (currentPassword: string) =>
      webhook.api('POST', '/api/me/password', { currentPassword, newPassword: 'quite new' }, { cookie });
    const wrong = await attempt('wrong');
    expect([wrong.status, wrong.body.code]).toEqual([401, 'login_failed']);
    const answer = await attempt(password);
    expect(answer.status).toBe(204);
    const fresh = answer.headers.get('set-cookie')!.split(';')[0]!;
    expect(await Promise.all([cookie, elsewhere, fresh].map((c) => me({ cookie: c })))).toEqual([
      401, 401, 200,
    ]);
    expect(await me({ cookie: await cookieOf(email, 'quite new') })).toBe(200);
    const token = await webhook.api('POST', '/api/me/password', {
      currentPassword: 'x',
      newPassword: password,
    });
    expect([token.status, token.body.code]).toEqual([403, 'forbidden']);
  });

  test('a session that starts while the password changes does not outlive the change', async () => {
    const { id, email } = await user();
    const racing = logIn(database.db, passwords, {
      email,
      password,
      address: '192.0.2.9',
      deviceTokens: [],
    }).catch(() => null);
    await change(id, { password: 'another secret' });
    const session = await racing;
    if (session) expect(await me({ cookie: `flota_session=${session.token}` })).toBe(401);
    const rows = await query(database.db, sql`select 1 as x from sessions where user_id = ${id}`);
    expect(rows).toEqual([]);
  });

  test('one admin must remain, also when two disable each other at once', async () => {
    const admins = (await webhook.api('GET', '/api/users')).body.filter(
      (u: Json) => u.role === 'admin' && !u.disabled,
    );
    const other = await user('admin');
    for (const admin of admins.slice(1)) await change(admin.id, { disabled: true });
    const answers = await Promise.all([
      change(admins[0].id, { disabled: true }),
      change(other.id, { role: 'viewer' }),
    ]);
    expect(answers.map((a) => a.status).sort()).toEqual([200, 409]);
    expect(answers.find((a) => a.status === 409)!.body.code).toBe('last_admin');
    await change(admins[0].id, { disabled: false });
    expect((await change(randomUUID(), { disabled: true })).status).toBe(404);
  });

  test('the admin of the configuration is an admin with its password after each start', async () => {
    const admin = { email: `${randomUUID().slice(0, 8)}@example.com`, password: 'first password' };
    await (await startTestWebhook(database, { admin })).close();
    const cookie = await cookieOf(admin.email, 'first password');
    const { id } = (await webhook.api('GET', '/api/users')).body.find((u: Json) => u.email === admin.email);
    await change(id, { role: 'viewer', disabled: true });
    await (await startTestWebhook(database, { admin: { ...admin, password: 'second one' } })).close();
    expect(await me({ cookie })).toBe(401);
    const answer = await login(admin.email, 'second one');
    expect([answer.status, answer.body.role]).toEqual([200, 'admin']);
  });
});

describe('API tokens', () => {
  const make = async (more: object = {}) => {
    const name = randomUUID();
    const answer = await webhook.api('POST', '/api/tokens', { name, role: 'viewer', ...more });
    expect(answer.status).toBe(201);
    return answer.body as Json;
  };
  const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });

  test('open the API in their role until revoked; the secret is shown once and stored hashed', async () => {
    const { secret, token } = await make({ role: 'operator' });
    expect((await webhook.api('GET', '/api/me', undefined, bearer(secret))).body).toEqual({
      email: `token ${token.name}`,
      role: 'operator',
      reach: null,
    });
    const refused = await webhook.api('GET', '/api/users', undefined, bearer(secret));
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
    const { body: listed } = await webhook.api('GET', '/api/tokens');
    expect(JSON.stringify(listed)).not.toContain(secret);
    expect(listed.find((t: Json) => t.id === token.id)).toMatchObject({
      createdBy: 'api-token',
      revokedAt: null,
    });
    expect(listed.find((t: Json) => t.id === token.id).lastUsedAt).not.toBeNull();
    const rows = await query(database.db, sql`select * from api_tokens`);
    expect(JSON.stringify(rows)).not.toContain(secret);
    const revoke = () => webhook.api('DELETE', `/api/tokens/${token.id}`);
    expect([(await revoke()).status, (await revoke()).status]).toEqual([204, 204]);
    expect(await me(bearer(secret))).toBe(401);
    expect((await webhook.api('DELETE', `/api/tokens/${randomUUID()}`)).status).toBe(404);
  });

  test('end at their time, and a made-up one opens nothing', async () => {
    const { secret, token } = await make({ expiresAt: new Date(Date.now() + 60_000).toISOString() });
    expect(await me(bearer(secret))).toBe(200);
    await database.db.execute(
      sql`update api_tokens set expires_at = now() - interval '1 second' where id = ${token.id}`,
    );
    expect(await me(bearer(secret))).toBe(401);
    expect(await me(bearer('flota_x'))).toBe(401);
    const past = { name: 'x', role: 'viewer', expiresAt: new Date(0).toISOString() };
    expect((await webhook.api('POST', '/api/tokens', past)).status).toBe(400);
  });

  test('with scopes may do no more than those name, and end after 90 days unless somebody says otherwise', async () => {
    const { secret, token } = await make({ role: 'admin', scopes: ['firmware:write'] });
    const get = (path: string) => webhook.api('GET', path, undefined, bearer(secret));
    expect((await get('/api/me')).body.scopes).toEqual(['firmware:write']);
    expect((await get('/api/firmwares/metadata')).status).toBe(200);
    const refused = await get('/api/devices');
    expect([refused.status, refused.body]).toEqual([
      403,
      expect.objectContaining({ code: 'scope_missing', scope: 'devices:read' }),
    ]);
    const days = (Date.parse(token.expiresAt) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(90);
    expect((await make({ scopes: ['read'], expiresAt: null })).token.expiresAt).toBeNull();
    expect((await make()).token).toMatchObject({ scopes: null, expiresAt: null });
    for (const scopes of [[], ['firmware'], ['everything:write']]) {
      const bad = await webhook.api('POST', '/api/tokens', { name: randomUUID(), role: 'viewer', scopes });
      expect([bad.status, bad.body.code]).toEqual([400, 'invalid_request']);
    }
  });

  test('live no longer than whoever runs the server allows', async () => {
    const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);
    const create = (expiresAt?: Date | null) =>
      createToken(
        database.db,
        {
          name: randomUUID(),
          role: 'viewer',
          reach: null,
          scopes: null,
          ...(expiresAt !== undefined && { expiresAt }),
        },
        'somebody',
        30,
      );
    for (const expiresAt of [null, inDays(31)])
      await expect(create(expiresAt)).rejects.toMatchObject({ code: 'invalid_request' });
    expect((await create(inDays(30))).token.expiresAt).not.toBeNull();
    const { token } = await create();
    expect(Math.round((token.expiresAt!.getTime() - Date.now()) / 86_400_000)).toBe(30);
  });

  test('a name is taken as long as its token is not revoked', async () => {
    const { token } = await make();
    const again = () => webhook.api('POST', '/api/tokens', { name: token.name, role: 'viewer' });
    expect((await again()).body.code).toBe('name_taken');
    await webhook.api('DELETE', `/api/tokens/${token.id}`);
    expect((await again()).status).toBe(201);
  });
});

describe('guessing passwords', () => {
  const known = (answer: Answer) =>
    answer.headers
      .getSetCookie()
      .find((cookie) => cookie.startsWith('flota_device_'))!
      .split(';')[0]!;
  const from = (address: string, email: string, secret: string, cookie = '') =>
    webhook.api('POST', '/api/login', { email, password: secret }, { 'x-forwarded-for': address, cookie });
  /** As if that many failures had been counted: making them all would take its time. */
  const advance = (kind: string, count: number) =>
    database.db.execute(sql`update login_attempts set count = ${count} where key like ${`${kind} %`}`);
  const wrongOf = (count: number, address: string, email: string) =>
    Promise.all(Array.from({ length: count }, () => from(address, email, 'wrong')));
  const heard = (answers: Answer[]) => answers.filter((a) => a.status === 401).length;
  const hashed = () => verify.mock.calls.length;

  // Time passes only where a test says so, however slow the machine is.
  const start = Date.now();
  const waitUntil = (ms: number) => vi.setSystemTime(start + ms);
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now: start });
    verify.mockClear();
  });
  afterAll(() => vi.useRealTimers());

  test('of fifty guesses at the same time six are heard, and no password is hashed for the others', async () => {
    const { email } = await user();
    const answers = await wrongOf(50, '192.0.2.1', email);
    expect([heard(answers), hashed()]).toEqual([limits.pair.free + 1, limits.pair.free + 1]);
    const refused = answers.filter((a) => a.status === 429);
    expect(refused).toHaveLength(50 - limits.pair.free - 1);
    expect(refused.map((a) => a.body.code)).toEqual(refused.map(() => 'too_many_attempts'));
    // Also where all fifty have looked before the first has counted.
    const attempt = { email, address: '198.51.100.1', device: null };
    const racing = Array.from({ length: 50 }, () => countAttempt(database.db, attempt));
    const counted = (await Promise.allSettled(racing)).filter((r) => r.status === 'fulfilled');
    expect(counted).toHaveLength(limits.pair.free + 1);
  });

  test('a stranger’s guesses of a whole hour keep the owner out neither from a known browser nor from another network', async () => {
    const { email } = await user();
    const cookie = known(await login(email));
    verify.mockClear();
    const times: number[] = [];
    for (let s = 0; s < 3600; s += 30) {
      waitUntil(s * 1000);
      const count = heard(await wrongOf(s === 0 ? 10 : 1, '192.0.2.1', s % 60 ? email : email.toUpperCase()));
      times.push(...Array<number>(count).fill(s));
    }
    // Six at once, then after half a minute, one, two, four, eight, and each quarter of an hour.
    expect(times).toEqual([0, 0, 0, 0, 0, 0, 30, 90, 210, 450, 930, 1830, 2730]);
    expect(hashed()).toBe(times.length);
    expect((await from('192.0.2.77', email, password)).status).toBe(429);
    expect((await from('198.51.100.1', email, password)).status).toBe(200);
    const inside = await from('192.0.2.1', email, password, cookie);
    expect(inside.status).toBe(200);
  });

  test('the wait grows to a quarter of an hour, is told, and is over when it was said to be', async () => {
    const { email } = await user();
    for (const [beyond, waitS] of [30, 60, 120, 240, 480, 900, 900].entries()) {
      await from('192.0.2.1', email, 'wrong');
      await advance('pair', limits.pair.free + beyond);
      expect((await from('192.0.2.1', email, 'wrong')).status).toBe(401);
      const told = await from('192.0.2.1', email, password);
      expect([told.status, told.headers.get('retry-after')]).toEqual([429, String(waitS)]);
      waitUntil(waitS * 1000 - 1);
      expect((await from('192.0.2.1', email, password)).status).toBe(429);
      waitUntil(waitS * 1000);
      expect((await from('192.0.2.1', email, password)).status).toBe(200);
      await database.db.execute(sql`delete from login_attempts`);
      waitUntil(0);
    }
  });

  test('a network is slowed on whichever e-mails; other networks and open sessions are not', async () => {
    const { email } = await user();
    const cookie = await cookieOf(email);
    const guess = () => from('203.0.113.5', `${randomUUID()}@example.com`, 'x');
    expect((await guess()).status).toBe(401);
    await advance('network', limits.network.free);
    expect((await guess()).status).toBe(401);
    expect((await from('203.0.113.9', email, password)).status).toBe(429);
    expect((await from('203.0.114.9', email, password)).status).toBe(200);
    expect(await me({ cookie })).toBe(200);
  });

  test('many networks that guess at one e-mail are slowed together, and a known browser is not', async () => {
    const { email } = await user();
    const cookie = known(await login(email));
    expect((await from('10.0.0.1', email, 'wrong')).status).toBe(401);
    await advance('email', limits.email.free + 10);
    const guesses = await Promise.all(
      Array.from({ length: 20 }, (_, i) => from(`10.1.${i}.1`, email, 'wrong')),
    );
    expect(guesses.filter((g) => g.status === 401)).toHaveLength(1);
    expect((await from('10.2.0.1', email, password, cookie)).status).toBe(200);
  });

  test('a known browser is slowed by its own guesses only, for its own user only, and known no longer after a new password', async () => {
    const [{ id, email }, other] = [await user(), await user()];
    const cookie = known(await login(email));
    expect(cookie).not.toBe(known(await login(email)));
    expect((await from('10.0.0.1', email, 'wrong', cookie)).status).toBe(401);
    await advance('device', limits.device.free);
    expect((await from('10.0.0.1', email, 'wrong', cookie)).status).toBe(401);
    expect((await from('10.0.0.1', email, password, cookie)).status).toBe(429);
    expect((await from('10.0.0.1', other.email, 'wrong', cookie)).status).toBe(401);
    const keys = await query<{ key: string }>(
      database.db,
      sql`select key from login_attempts where key like 'pair %'`,
    );
    expect(keys).toHaveLength(1);
    await change(id, { password: 'another secret' });
    expect(await query(database.db, sql`select 1 as x from known_devices where user_id = ${id}`)).toEqual([]);
  });

  test('ten browsers of a user are known, and none is stored as it is', async () => {
    const { id, email } = await user();
    for (let i = 0; i <= maxDevices; i += 1) await rememberDevice(database.db, id, null);
    const last = await login(email);
    const rows = await query<{ hash: string }>(
      database.db,
      sql`select token_hash as hash from known_devices where user_id = ${id}`,
    );
    expect(rows).toHaveLength(maxDevices);
    expect(rows.map((r) => r.hash)).not.toContain(known(last).split('=')[1]);
    const flags = last.headers.getSetCookie().find((c) => c.startsWith('flota_device_'))!;
    expect(flags).toMatch(/HttpOnly/);
    expect(flags).toMatch(/SameSite=Strict/);
  });

  test('the owner is told at the next login how often and from where, and so is the audit log; nothing is told of nobody', async () => {
    const { id, email } = await user();
    for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8::1']) await from(address, email, 'wrong');
    const failedLogins = { count: 3, networks: ['192.0.2.0/24', '2001:db8:0:0::/64'] };
    expect((await login(email, password, '198.51.100.1')).body.failedLogins).toEqual(failedLogins);
    expect((await login(email, password, '198.51.100.1')).body.failedLogins).toBeUndefined();
    const { body } = await webhook.api('GET', `/api/audit?action=session.start&subject=${id}`);
    expect(body.items.map((entry: Json) => entry.detail)).toEqual([null, { failedBefore: failedLogins }]);
  });

  test('what a caller writes into X-Forwarded-For is not believed, and networks are told apart', async () => {
    for (const address of [
      '2001:db8:1:2::1',
      '2001:db8:1:2:ffff::9',
      '2001:DB8:1:2:3:4:5:6',
      '2001:db8:1:3::1',
    ])
      await login('x@example.com', 'x', address);
    const rows = await query<{ key: string; count: number }>(
      database.db,
      sql`select key, count from login_attempts where key like 'network %' order by count desc`,
    );
    expect(rows.map((r) => r.count)).toEqual([3, 1]);
    expect(JSON.stringify(rows)).not.toContain('1.1.1');
    expect(networkOf('::ffff:192.0.2.9')).toBe('192.0.2.0/24');
    expect(networkOf('fe80::1%eth0')).toBe('unknown');
  });

  test('logins that succeed are not counted, nor do they undo what others have guessed', async () => {
    const { email } = await user();
    expect((await login(email, 'wrong')).status).toBe(401);
    await advance('email', limits.email.free - 1);
    for (let i = 0; i < 3; i += 1) expect((await login(email)).status).toBe(200);
    const [row] = await query<{ count: number }>(
      database.db,
      sql`select count from login_attempts where key like 'email %'`,
    );
    expect(row!.count).toBe(limits.email.free - 1);
  });
});

describe('an authenticator', () => {
  const ask = (method: string, path: string, cookie: string, body?: object) =>
    webhook.api(method, path, body, { cookie });
  const logInWith = (email: string, code?: string, address = '192.0.2.1') =>
    webhook.api(
      'POST',
      '/api/login',
      { email, password, ...(code !== undefined && { code }) },
      { 'x-forwarded-for': `1.1.1.1, ${address}` },
    );
  /** As if that long ago: a code holds once, and the next one comes after half a minute. */
  const forget = (id: string) =>
    database.db.execute(sql`update users set totp_step = totp_step - 10 where id = ${id}::uuid`);
  async function enrol() {
    const { id, email } = await user();
    const cookie = await cookieOf(email);
    const { secret, uri } = (await ask('POST', '/api/me/totp', cookie, { password })).body;
    expect(uri).toBe(uriOf(secret, email));
    const now = () => codeOf(secret, stepAt(Date.now()));
    const wrong = () => codeOf(secret, stepAt(Date.now()) + 5);
    const done = await ask('POST', '/api/me/totp/confirm', cookie, { code: now() });
    expect(done.status).toBe(200);
    return { id, email, cookie, now, wrong, recovery: done.body.recoveryCodes as string[] };
  }
  const codeOfLogin = async (...of: Parameters<typeof logInWith>) => {
    const { status, body } = await logInWith(...of);
    return status === 200 ? 200 : body.code;
  };

  test('counts once its code has come; a login then takes it, and takes none twice', async () => {
    const { id, email } = await user();
    const cookie = await cookieOf(email);
    const begin = (secret: string) => ask('POST', '/api/me/totp', cookie, { password: secret });
    expect((await begin('wrong')).body.code).toBe('login_failed');
    const confirm = (code: string) => ask('POST', '/api/me/totp/confirm', cookie, { code });
    expect((await confirm('123456')).body.code).toBe('totp_off');
    const { secret } = (await begin(password)).body;
    expect((await confirm(codeOf(secret, stepAt(Date.now()) + 5))).body.code).toBe('totp_wrong');
    expect((await logInWith(email)).status).toBe(200);
    const code = codeOf(secret, stepAt(Date.now()));
    expect((await confirm(code)).body.recoveryCodes).toHaveLength(10);
    expect((await begin(password)).body.code).toBe('totp_on');
    expect((await ask('GET', '/api/me', cookie)).body.totp).toBe(true);

    expect(await codeOfLogin(email)).toBe('totp_required');
    // The one that set it up, and any of a moment before it.
    for (const used of [code, codeOf(secret, stepAt(Date.now()) - 1)])
      expect(await codeOfLogin(email, used)).toBe('totp_wrong');
    await forget(id);
    const made = await logInWith(email, code);
    expect([made.status, made.body.totp]).toEqual([200, true]);
    expect(await codeOfLogin(email, code)).toBe('totp_wrong');
    // A wrong password tells nothing of the code, nor that there is one.
    expect((await login(email, 'wrong horse')).body.code).toBe('login_failed');
    const { body } = await webhook.api('GET', '/api/users');
    expect(body.find((u: Json) => u.id === id)).toMatchObject({ totp: true });
    expect(JSON.stringify(body)).not.toContain(secret);
  });

  test('lets one in of two with one code at once, or with one recovery code', async () => {
    const { id, now, recovery } = await enrol();
    await forget(id);
    const [row] = await database.db.select().from(users).where(eq(users.id, id));
    const [code, recovered] = [now(), recovery[0]!];
    for (const one of [code, recovered]) {
      const both = await Promise.all([use(database.db, row!, one), use(database.db, row!, one)]);
      expect(both.sort()).toEqual([false, true]);
    }
  });

  test('that is lost is stood in for by recovery codes, each once, and is reset by an admin', async () => {
    const { id, email, recovery } = await enrol();
    expect(new Set(recovery).size).toBe(10);
    expect(await codeOfLogin(email, recovery[0])).toBe(200);
    expect(await codeOfLogin(email, recovery[0])).toBe('totp_wrong');
    expect(await codeOfLogin(email, recovery[1]!.toLowerCase().replaceAll('-', ' '))).toBe(200);
    expect((await webhook.api('DELETE', `/api/users/${id}/totp`)).status).toBe(204);
    expect(await codeOfLogin(email)).toBe(200);
    expect((await webhook.api('DELETE', `/api/users/${id}/totp`)).body.code).toBe('totp_off');
    expect((await webhook.api('DELETE', `/api/users/${randomUUID()}/totp`)).body.code).toBe('not_found');
    const { items } = (await webhook.api('GET', `/api/audit?subject=${id}&limit=20`)).body;
    const told = items.map(({ action, actor, detail }: Json) => [action, actor, detail?.left]);
    expect(told.filter(([action]: string[]) => /totp|recovery/.test(action!))).toEqual([
      ['user.totp_reset', 'api-token', undefined],
      ['user.recovery_code', email, 8],
      ['user.recovery_code', email, 9],
      ['user.totp_on', email, undefined],
    ]);
  });

  test('is turned off by its owner, with password and code, and by nobody who has the session alone', async () => {
    const { id, email, cookie, now, wrong } = await enrol();
    await forget(id);
    const off = (body: object) => ask('POST', '/api/me/totp/disable', cookie, body);
    expect((await off({ password: 'wrong', code: now() })).body.code).toBe('login_failed');
    expect((await off({ password, code: wrong() })).body.code).toBe('totp_wrong');
    expect((await off({ password, code: now() })).status).toBe(204);
    expect(await codeOfLogin(email)).toBe(200);
    expect((await webhook.api('POST', '/api/me/totp', { password })).body.code).toBe('forbidden');
  });

  test('is guessed as slowly as a password, and asking for the code wipes no guess away', async () => {
    const { id, email, now, wrong } = await enrol();
    await forget(id);
    await database.db.execute(sql`delete from login_attempts`);
    for (let guess = 0; guess < limits.pair.free; guess++) {
      expect(await codeOfLogin(email, wrong())).toBe('totp_wrong');
      if (guess < limits.pair.free - 1) expect(await codeOfLogin(email)).toBe('totp_required');
    }
    expect(await codeOfLogin(email, wrong())).toBe('totp_wrong');
    expect(await codeOfLogin(email, now())).toBe('too_many_attempts');
    expect((await logInWith(email, now(), '203.0.113.9')).body.failedLogins.count).toBe(limits.pair.free + 1);
  });

  test('of the admin of the configuration goes with another password, which is the way back in', async () => {
    const admin = { email: 'lost@example.com', password };
    await ensureAdmin(database.db, passwords, admin);
    const set = sql`update users set totp_secret = 'ABC' where email = ${admin.email}`;
    await database.db.execute(set);
    await ensureAdmin(database.db, passwords, admin);
    expect(await codeOfLogin(admin.email)).toBe('totp_required');
    await ensureAdmin(database.db, passwords, { ...admin, password: 'another passphrase' });
    expect((await login(admin.email, 'another passphrase')).status).toBe(200);
  });
});
