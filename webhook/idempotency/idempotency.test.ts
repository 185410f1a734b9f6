import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { answerError } from '../answer-error.ts';
import { query } from '../db/query.ts';
import { AppError } from '../errors.ts';
import type { AppEnv } from '../http.ts';
import { apiToken, type Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { answerOnce, forgetOldKeys } from './idempotency.ts';
import { seal, unseal } from './sealed.ts';

const { database, webhook } = await startSuite();
const { db } = database;

const post = (path: string, body: unknown, key: string, token = apiToken) =>
  webhook.api('POST', path, body, { authorization: `Bearer ${token}`, 'idempotency-key': key });
const makeRegion = (name: string, key: string, token?: string) =>
  post('/api/regions', { name, timeZone: 'Asia/Seoul' }, key, token);
const token = async (role: string) =>
  (await webhook.api('POST', '/api/tokens', { name: `${role} ${randomUUID()}`, role, expiresAt: null })).body
    .secret as string;
const kept = () => query<{ n: number }>(db, sql`select count(*)::int as n from idempotency_keys`);

test('sent again under its key, a request is answered as before and done once', async () => {
  const [name, key] = [`once ${randomUUID()}`, randomUUID()];
  const first = await makeRegion(name, key);
  expect(first.status).toBe(201);
  expect(first.headers.get('idempotency-replayed')).toBeNull();
  const again = await makeRegion(name, key);
  expect([again.status, again.body]).toEqual([201, first.body]);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  const regions = (await webhook.api('GET', '/api/regions')).body as Json[];
  expect(regions.filter((region) => region.name === name)).toHaveLength(1);
});

test('of twenty at once one is done, and the others are told so or that it is under way', async () => {
  const [name, key] = [`race ${randomUUID()}`, randomUUID()];
  const answers = await Promise.all(Array.from({ length: 20 }, () => makeRegion(name, key)));
  const good = answers.filter(({ status }) => status === 201);
  expect(new Set(good.map(({ body }) => body.id)).size).toBe(1);
  const others = answers.filter(({ status }) => status !== 201);
  expect(others.every(({ status, body }) => status === 409 && body.code === 'request_in_progress')).toBe(
    true,
  );
});

test('another request under the same key is refused, and somebody else has keys of their own', async () => {
  const key = randomUUID();
  expect((await makeRegion(`a ${key}`, key)).status).toBe(201);
  const other = await makeRegion(`b ${key}`, key);
  expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
  const query = await post(`/api/regions?x=1`, { name: `a ${key}`, timeZone: 'Asia/Seoul' }, key);
  expect(query.body.code).toBe('idempotency_key_reused');
  expect((await makeRegion(`c ${key}`, key, await token('admin'))).status).toBe(201);
});

test('what was refused may be sent again under its key, mended or not', async () => {
  const key = randomUUID();
  const taken = `taken ${key}`;
  expect((await makeRegion(taken, randomUUID())).status).toBe(201);
  for (let i = 0; i < 2; i++) {
    const refused = await makeRegion(taken, key);
    expect([refused.status, refused.body.code]).toEqual([409, 'name_taken']);
  }
  expect((await makeRegion(`free ${key}`, key)).status).toBe(201);
  const viewer = await token('viewer');
  for (let i = 0; i < 2; i++) expect((await makeRegion('no', key, viewer)).status).toBe(403);
});

test('a secret that is shown once can be had again by the key, and is not in the database', async () => {
  const key = randomUUID();
  const make = () => post('/api/tokens', { name: `t ${key}`, role: 'viewer', expiresAt: null }, key);
  const { secret } = (await make()).body;
  expect((await make()).body.secret).toBe(secret);
  const rows = await query<{ row: string }>(db, sql`select k::text as row from idempotency_keys k`);
  const text = rows.map(({ row }) => row).join('\n');
  expect(text).not.toContain(key);
  expect(text).not.toContain(Buffer.from(secret).toString('hex'));
});

test('a copy that died over it leaves its outcome open, which is said', async () => {
  const key = randomUUID();
  const name = `died ${key}`;
  await makeRegion(name, key);
  const set = (ago: string) =>
    db.execute(
      sql`update idempotency_keys set status = null, answer = null, started_at = now() - ${ago}::interval where status is not null`,
    );
  await set('1 second');
  expect((await makeRegion(name, key)).body.code).toBe('request_in_progress');
  await db.execute(sql`update idempotency_keys set started_at = now() - interval '3 minutes'`);
  expect((await makeRegion(name, key)).body.code).toBe('outcome_unknown');
});

test('a fault that may have come after the act leaves its outcome open; one that we say ourselves was before it', async () => {
  const faults = [
    new Error('the database was gone when what had been made was read'),
    new AppError('storage_unavailable', 'The file store does not answer.'),
  ];
  const acts = [0, 0];
  const app = new Hono<AppEnv>()
    .use((c, next) => {
      c.set('caller', { name: 'somebody', role: 'admin', userId: null, reach: null });
      return next();
    })
    .use(answerOnce({ db }))
    .post('/:nth', (c) => {
      const nth = Number(c.req.param('nth'));
      acts[nth]! += 1;
      throw faults[nth]!;
    })
    .onError((error, c) => {
      const { status, body } = answerError(error, () => {}, { method: 'POST', path: '/' });
      return c.body(body, status as 500);
    });
  for (const [nth, second, times] of [
    [0, 'outcome_unknown', 1],
    [1, 'storage_unavailable', 2],
  ] as const) {
    const headers = { 'idempotency-key': randomUUID() };
    const send = () => app.request(`/${nth}`, { method: 'POST', headers });
    expect((await send()).status).toBeGreaterThanOrEqual(500);
    expect((await (await send()).json()).code).toBe(second);
    expect(acts[nth]).toBe(times);
  }
});

test('a key is forgotten after a day, and may then be used for something else', async () => {
  const key = randomUUID();
  await makeRegion(`day ${key}`, key);
  await db.execute(sql`update idempotency_keys set started_at = now() - interval '25 hours'`);
  expect((await makeRegion(`next day ${key}`, key)).status).toBe(201);
  await db.execute(sql`update idempotency_keys set started_at = now() - interval '25 hours'`);
  await forgetOldKeys(db);
  await until('none', async () => (await kept())[0]!.n === 0);
});

test('a key that is none is refused, and means nothing where nothing is made', async () => {
  for (const bad of ['short', 'x'.repeat(256), 'with a space in it'])
    expect([(await makeRegion('x', bad)).body.code, bad]).toEqual(['invalid_request', bad]);
  const read = await webhook.api('GET', '/api/regions', undefined, {
    authorization: `Bearer ${apiToken}`,
    'idempotency-key': 'x',
  });
  expect(read.status).toBe(200);
});

test('an answer is opened by its key and caller only', () => {
  const sealed = seal('answer', 'a key of somebody', 'caller');
  expect(unseal(sealed, 'a key of somebody', 'caller')).toBe('answer');
  expect(() => unseal(sealed, 'another key', 'caller')).toThrow();
  expect(() => unseal(sealed, 'a key of somebody', 'another')).toThrow();
  sealed[14]! ^= 1;
  expect(() => unseal(sealed, 'a key of somebody', 'caller')).toThrow();
});
