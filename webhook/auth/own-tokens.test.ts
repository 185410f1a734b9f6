import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { type Answer, cheapPasswords, type Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';

const { database, webhook } = await startSuite({ passwords: cheapPasswords() });
const { api } = webhook;
const password = 'a long passphrase';

type Ask = (method: string, path: string, body?: unknown, more?: Record<string, string>) => Promise<Answer>;
const as =
  (headers: Record<string, string>): Ask =>
  (method, path, body, more) =>
    api(method, path, body, { ...headers, ...more });
const bearer = (secret: string) => as({ authorization: `Bearer ${secret}` });

async function person(role = 'operator', reach: Json = null) {
  const email = `${randomUUID().slice(0, 8)}@example.com`;
  const { id } = (await api('POST', '/api/users', { email, password, role, reach })).body;
  const logIn = async () => {
    const { headers } = await api('POST', '/api/login', { email, password }, {});
    return as({
      cookie: headers
        .getSetCookie()
        .map((line) => line.split(';')[0]!)
        .join('; '),
    });
  };
  const ask = await logIn();
  const change = (body: object) => api('PATCH', `/api/users/${id}`, body);
  const make = async (body: object = {}): Promise<{ ask: Ask; token: Json; secret: string }> => {
    const made = await ask('POST', '/api/me/tokens', { name: randomUUID(), ...body });
    if (made.status !== 201) throw new Error(JSON.stringify(made.body));
    return { ...made.body, ask: bearer(made.body.secret) };
  };
  return { id, email, ask, logIn, change, make };
}
const codeOf = async (answer: Promise<Answer>) => (await answer).body.code;
const place = async (kind: 'regions' | 'divisions'): Promise<string> =>
  (await api('POST', `/api/${kind}`, { name: randomUUID() })).body.id;
const newRegion = (by: Ask) => by('POST', '/api/regions', { name: randomUUID() });
const me = async (by: Ask) => (await by('GET', '/api/me')).body;

test('anybody makes them, for 90 days; they act in the user’s name, and are listed and revoked by who made them', async () => {
  const { ask, make, email } = await person('viewer');
  const { token, ask: by, secret } = await make({ name: 'laptop' });
  expect(token).toMatchObject({
    name: 'laptop',
    role: 'viewer',
    personal: true,
    createdBy: email,
    reach: null,
  });
  expect(Date.parse(token.expiresAt) - Date.now()).toBeGreaterThan(89 * 86_400_000);
  expect(await me(by)).toMatchObject({ email: `token laptop of ${email}`, role: 'viewer' });
  expect((await by('GET', '/api/devices?limit=1')).status).toBe(200);
  const listed = (await ask('GET', '/api/me/tokens')).body;
  expect(listed).toMatchObject([{ id: token.id, revokedAt: null }]);
  expect(JSON.stringify(listed)).not.toContain(secret);
  // Somebody else's may have the same name; another of one's own may not.
  await (await person()).make({ name: 'laptop' });
  expect(await codeOf(ask('POST', '/api/me/tokens', { name: 'laptop' }))).toBe('name_taken');
  const revoke = (seen: number) =>
    ask('DELETE', `/api/me/tokens/${token.id}`, undefined, { 'if-match': `"${seen}"` });
  expect(await codeOf(revoke(token.revision + 1))).toBe('changed_meanwhile');
  expect((await revoke(token.revision)).status).toBe(204);
  expect(await codeOf(by('GET', '/api/me'))).toBe('token_invalid');
  await make({ name: 'laptop' });
});

test('a stranger’s token is not there; admins see all, and revoke any', async () => {
  const [owner, other] = [await person('admin'), await person('admin')];
  const { token, ask } = await owner.make();
  expect(await codeOf(other.ask('DELETE', `/api/me/tokens/${token.id}`))).toBe('not_found');
  expect((await other.ask('GET', '/api/me/tokens')).body).toEqual([]);
  // One that an admin has made for a machine is nobody's own.
  const machine = (await owner.ask('POST', '/api/tokens', { name: randomUUID(), role: 'viewer' })).body.token;
  expect(machine.personal).toBe(false);
  expect(await codeOf(owner.ask('DELETE', `/api/me/tokens/${machine.id}`))).toBe('not_found');
  const all = (await other.ask('GET', '/api/tokens')).body;
  expect(all.find(({ id }: Json) => id === token.id)).toMatchObject({ personal: true });
  expect((await other.ask('DELETE', `/api/tokens/${token.id}`)).status).toBe(204);
  expect(await codeOf(ask('GET', '/api/me'))).toBe('token_invalid');
});

test('more than one has oneself is refused: role, reach, scopes, time, number', async () => {
  const [region, elsewhere, division] = [
    await place('regions'),
    await place('regions'),
    await place('divisions'),
  ];
  const { ask } = await person('operator', { regions: [region], divisions: [division] });
  const refused = async (body: object) =>
    codeOf(ask('POST', '/api/me/tokens', { name: randomUUID(), ...body }));
  const reach = (limits: object) => ({ reach: { regions: [], divisions: [], ...limits } });
  expect(await refused({ role: 'admin' })).toBe('forbidden');
  expect(await refused(reach({ regions: [region, elsewhere] }))).toBe('beyond_reach');
  expect(await refused(reach({ regions: [region], query: 'tag = pilot' }))).toBe('beyond_reach');
  expect(await refused({ scopes: ['accounts:write'] })).toBe('invalid_request');
  expect(await refused({ scopes: [] })).toBe('invalid_request');
  for (const expiresAt of [null, new Date(Date.now() - 1000), new Date(Date.now() + 366 * 86_400_000)])
    expect(await refused({ expiresAt })).toBe('invalid_request');
  for (let n = 0; n < 50; n++)
    expect(
      (await ask('POST', '/api/me/tokens', { name: `${n}`, ...reach({ regions: [region] }) })).status,
    ).toBe(201);
  expect(await refused({})).toBe('tokens_full');
});

test('it never may more than its user may when it is used: demoted, limited, with scopes', async () => {
  const { make, change } = await person('admin');
  const [all, some] = [await make(), await make({ role: 'operator', scopes: ['devices:write'] })];
  expect((await newRegion(all.ask)).status).toBe(201);
  expect(await codeOf(newRegion(some.ask))).toBe('forbidden');
  expect(await codeOf(some.ask('GET', '/api/deployments'))).toBe('scope_missing');
  const [region, elsewhere] = [await place('regions'), await place('regions')];
  const there = await webhook.device({ region });
  const here = await webhook.device({ region: elsewhere });
  const sees = async (by: Ask) =>
    (await by('GET', '/api/devices?limit=1000')).body.items.map(({ id }: Json) => id).sort();
  const narrow = await make({ reach: { regions: [region], divisions: [] } });
  expect(await sees(narrow.ask)).toEqual([there.id]);
  await change({ reach: { regions: [elsewhere], divisions: [] } });
  expect(await sees(all.ask)).toEqual([here.id]);
  expect(await sees(narrow.ask)).toEqual([]);
  expect(await codeOf(newRegion(all.ask))).toBe('beyond_reach');
  await change({ reach: null, role: 'viewer' });
  expect(await me(all.ask)).toMatchObject({ role: 'viewer', reach: null });
  expect(await codeOf(newRegion(all.ask))).toBe('forbidden');
  expect(await codeOf(some.ask('PATCH', `/api/devices/${here.id}`, { name: 'x' }))).toBe('forbidden');
});

test('who is disabled, deleted, or gets another password takes them along, for good', async () => {
  const { make, change, id, logIn } = await person();
  const first = await make();
  await change({ disabled: true });
  expect(await codeOf(first.ask('GET', '/api/me'))).toBe('token_invalid');
  await change({ disabled: false });
  expect(await codeOf(first.ask('GET', '/api/me'))).toBe('token_invalid');
  const made = await (await logIn())('POST', '/api/me/tokens', { name: 'second' });
  await change({ password: 'another long passphrase' });
  expect(await codeOf(bearer(made.body.secret)('GET', '/api/me'))).toBe('token_invalid');
  // Without anything of ours having been run.
  const other = await person();
  const [held, gone] = [await other.make(), await other.make()];
  await database.db.execute(sql`update users set disabled_at = now() where id = ${other.id}`);
  expect(await codeOf(held.ask('GET', '/api/me'))).toBe('token_invalid');
  await database.db.execute(sql`delete from users where id in (${other.id}, ${id})`);
  expect(await codeOf(gone.ask('GET', '/api/me'))).toBe('token_invalid');
});

test('it makes no tokens, no users, changes no account and approves nothing, whatever its role', async () => {
  const { make, id, ask } = await person('admin');
  const { ask: by, token } = await make();
  expect(
    await codeOf(make({ scopes: ['accounts:read', 'read'] }).then((m) => m.ask('POST', '/api/users', {}))),
  ).toBe('scope_missing');
  const asked: [string, string, object?][] = [
    ['POST', '/api/me/tokens', { name: 'x' }],
    ['DELETE', `/api/me/tokens/${token.id}`],
    ['POST', '/api/tokens', { name: 'x', role: 'admin' }],
    ['DELETE', `/api/tokens/${token.id}`],
    ['POST', '/api/users', { email: 'x@example.com', password, role: 'admin' }],
    ['PATCH', `/api/users/${id}`, { password }],
    ['POST', '/api/me/password', { currentPassword: password, newPassword: password }],
    ['POST', '/api/me/totp', { password }],
  ];
  for (const [method, path, body] of asked)
    expect([method, path, await codeOf(by(method, path, body))]).toEqual([method, path, 'scope_missing']);
  // An admin's for a machine may; but it is no person, who has tokens of his own.
  expect(await codeOf(api('POST', '/api/me/tokens', { name: 'x' }))).toBe('forbidden');
  expect((await api('GET', '/api/me/tokens')).body).toEqual([]);

  await api('PUT', '/api/approval_rules', { rules: [{ hardware: null, aboveDevices: 0 }] });
  const device = await webhook.device();
  const deploy = { firmwareId: (await webhook.firmware()).id, devices: [device.id] };
  const { id: deployment } = (await by('POST', '/api/deployments', deploy)).body;
  const second = await person('admin');
  const { digest } = (await second.ask('GET', `/api/deployments/${deployment}/approval`)).body;
  const approve = (who: Ask) =>
    codeOf(who('POST', `/api/deployments/${deployment}/approve`, { digest, reason: 'x' }));
  expect(await approve((await second.make()).ask)).toBe('approval_by_token');
  // Nor does who has asked for it by a token, under whatever e-mail by now.
  await database.db.execute(sql`update users set email = ${`${randomUUID()}@example.com`} where id = ${id}`);
  expect(await approve(ask)).toBe('approval_by_author');
  expect(await approve(second.ask)).toBe(undefined);
});

test('the audit log names it with its user', async () => {
  const { make, email } = await person('admin');
  const { ask: by } = await make({ name: 'ci' });
  await by('POST', '/api/devices', { id: `dev-${randomUUID().slice(0, 8)}`, hardware: 'esp32-s3' });
  const actionsOf = async (actor: string): Promise<Json[]> =>
    (await api('GET', `/api/audit?actor=${encodeURIComponent(actor)}`)).body.items;
  await until('its line', async () => (await actionsOf(`token ci of ${email}`)).length > 0);
  expect(await actionsOf(`token ci of ${email}`)).toMatchObject([{ action: 'device.create' }]);
  const made = (await actionsOf(email)).find(({ action }) => action === 'token.create');
  expect(made.detail).toMatchObject({ name: 'ci', personal: true });
});
