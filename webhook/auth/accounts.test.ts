import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { beforeEach, describe, expect, test } from 'vitest';
import { query } from '../db/query.ts';
import { type Json, startTestWebhook } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { perAddress, perEmail } from './attempts.ts';
import { logIn } from './auth.ts';

const password = 'correct horse';
const { database, webhook } = await startSuite({
  admin: { email: 'Root@Example.com', password },
  proxies: 1,
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
    const racing = logIn(database.db, { email, password, address: '192.0.2.9' }).catch(() => null);
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

  test('a name is taken as long as its token is not revoked', async () => {
    const { token } = await make();
    const again = () => webhook.api('POST', '/api/tokens', { name: token.name, role: 'viewer' });
    expect((await again()).body.code).toBe('name_taken');
    await webhook.api('DELETE', `/api/tokens/${token.id}`);
    expect((await again()).status).toBe(201);
  });
});

describe('guessing passwords', () => {
  /** As if that many tries had been counted: hashing them all would take its time. */
  const advance = (kind: 'email' | 'address', tries: number) =>
    database.db.execute(sql`update login_attempts set count = ${tries} where key like ${`${kind} %`}`);

  test('an e-mail is closed after its tries, from wherever they came, also for the right password; then opens', async () => {
    const { email } = await user();
    expect((await login(email.toUpperCase(), 'wrong', '192.0.2.1')).status).toBe(401);
    await advance('email', perEmail - 1);
    expect((await login(email, 'wrong', '192.0.2.2')).status).toBe(401);
    const closed = await login(email, password, '198.51.100.1');
    expect([closed.status, closed.body.code]).toEqual([429, 'too_many_attempts']);
    const wait = Number(closed.headers.get('retry-after'));
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(15 * 60);
    await database.db.execute(sql`update login_attempts set reset_at = now() - interval '1 s'`);
    expect((await login(email)).status).toBe(200);
  });

  test('an address is closed after its tries on whichever e-mails; others and open sessions are not', async () => {
    const { email } = await user();
    const cookie = await cookieOf(email);
    const guess = () => login(`${randomUUID()}@example.com`, 'x', '203.0.113.5');
    expect((await guess()).status).toBe(401);
    await advance('address', perAddress - 2);
    const guesses = await Promise.all([guess(), guess(), guess(), guess(), guess()]);
    expect(guesses.filter((g) => g.status === 429)).toHaveLength(3);
    expect((await login(email, password, '203.0.113.5')).status).toBe(429);
    expect((await login(email, password, '203.0.113.6')).status).toBe(200);
    expect(await me({ cookie })).toBe(200);
  });

  test('an IPv6 subscriber is one address, and what a caller writes into X-Forwarded-For is not believed', async () => {
    const addresses = ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:db8:1:2:3:4:5:6', '2001:db8:1:3::1'];
    for (const address of addresses) await login('x@example.com', 'x', address);
    const rows = await query<{ key: string; count: number }>(
      database.db,
      sql`select key, count from login_attempts where key like 'address %' order by count desc`,
    );
    expect(rows.map((r) => r.count)).toEqual([3, 1]);
    expect(JSON.stringify(rows)).not.toContain('1.1.1.1');
  });

  test('logins that succeed are not counted, and clear what was counted for the e-mail', async () => {
    const { email } = await user();
    expect((await login(email, 'wrong')).status).toBe(401);
    await advance('email', perEmail - 1);
    for (let i = 0; i < 3; i += 1) expect((await login(email)).status).toBe(200);
  });
});
