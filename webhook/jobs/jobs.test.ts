/** Acts on many devices: who is chosen, what is done, what fails, cancel, and a copy that is killed in the middle. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Context } from '../context.ts';
import { query } from '../db/query.ts';
import { everything } from '../devices/reach.ts';
import { type Json, startTestWebhook, type TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { cancel, start as startJob, workJobs } from './jobs.ts';

const { database, webhook } = await startSuite();
const { db } = database;

const mark = () => `j${randomUUID().slice(0, 8)}`;
const start = async (act: string, body: object): Promise<Json> => {
  const { status, body: job } = await webhook.api('POST', `/api/jobs/${act}`, body);
  expect([status, job.detail]).toEqual([202, undefined]);
  return job;
};
const get = async (path: string): Promise<Json> => (await webhook.api('GET', path)).body;
const finished = (id: string) =>
  until('the job', async () => {
    const job = await get(`/api/jobs/${id}`);
    return job.state !== 'running' && job;
  });
const tagged = (tag: string, n: number, more: object = {}) =>
  Promise.all(Array.from({ length: n }, () => webhook.device({ tags: [tag], ...more } as object)));
const device = ({ id }: TestDevice) => get(`/api/devices/${id}`);
/** Without the noise of a device each: many that match `tag = mark`. */
const fill = (tag: string, n: number) =>
  db.execute(sql`insert into devices (id, name, hardware, tags)
    select ${tag} || '-' || n, 'x', 'esp32-s3', array[${tag}] from generate_series(1, ${n}::int) n`);

test('tags those that match the query, and keeps the order of the tags that stay', async () => {
  const tag = mark();
  const [one, two] = await tagged(tag, 2, { tags: [tag, 'b', 'a'] });
  const other = await webhook.device();
  const job = await start('tag', {
    query: `tag = ${tag} and id != ${two!.id}`,
    add: ['new', 'a'],
    remove: ['b'],
  });
  expect(job).toMatchObject({
    act: 'tag',
    total: 1,
    state: 'running',
    args: { add: ['new', 'a'], remove: ['b'] },
  });
  expect(await finished(job.id)).toMatchObject({ state: 'done', done: 1, failed: 0 });
  expect((await device(one!)).tags).toEqual([tag, 'a', 'new']);
  expect([(await device(two!)).tags, (await device(other)).tags]).toEqual([[tag, 'b', 'a'], []]);
});

test('what cannot be done to one device is listed, and done to the others', async () => {
  const tag = mark();
  const full = Array.from({ length: 31 }, (_, i) => `t${i}`);
  const [fits, tooMany] = [...(await tagged(tag, 1)), ...(await tagged(tag, 1, { tags: [tag, ...full] }))];
  const job = await start('tag', { devices: [fits!.id, tooMany!.id], add: ['one-more'] });
  expect(await finished(job.id)).toMatchObject({ state: 'done', total: 2, done: 1, failed: 1 });
  expect(await get(`/api/jobs/${job.id}/failures`)).toEqual({
    items: [{ device: tooMany!.id, error: 'too_many_tags' }],
    total: 1,
    next: null,
  });
  expect((await device(tooMany!)).tags).not.toContain('one-more');
});

test('moves to a region and out of it; one that was deleted meanwhile fails them all', async () => {
  const tag = mark();
  const [one] = await tagged(tag, 1);
  const region = (await webhook.api('POST', '/api/regions', { name: tag })).body;
  await finished((await start('move', { query: `tag = ${tag}`, region: region.id })).id);
  expect((await device(one!)).region.name).toBe(tag);
  await finished((await start('move', { devices: [one!.id], region: null })).id);
  expect((await device(one!)).region).toBeNull();
  const gone = await start('move', { devices: [one!.id], region: randomUUID() });
  expect(await finished(gone.id)).toMatchObject({ state: 'done', done: 0, failed: 1 });
  expect((await get(`/api/jobs/${gone.id}/failures`)).items[0].error).toBe('unknown_reference');
});

test('sends a command to each, which its page shows', async () => {
  const tag = mark();
  const devices = await tagged(tag, 3);
  const job = await start('command', { query: `tag = ${tag}`, command: 'reboot', args: { inS: 3 } });
  expect(await finished(job.id)).toMatchObject({ done: 3, failed: 0 });
  for (const one of devices) {
    const sent = await until('the command', () => webhook.broker.to(one.id, 'control/command')[0]);
    const { items } = await get(`/api/devices/${one.id}/commands`);
    expect(sent.body).toMatchObject({ id: items[0].id, command: 'reboot', args: { inS: 3 } });
  }
});

test('bans, kicks those who are there, and lists who was banned already', async () => {
  const tag = mark();
  const [one, two] = await tagged(tag, 2);
  await one!.connect();
  await webhook.api('POST', '/api/bans', { device: two!.id });
  const job = await start('ban', { query: `tag = ${tag}`, reason: 'stolen' });
  expect(await finished(job.id)).toMatchObject({ done: 1, failed: 1 });
  expect((await get(`/api/jobs/${job.id}/failures`)).items).toEqual([
    { device: two!.id, error: 'already_banned' },
  ]);
  await until('the kick', () => webhook.broker.kicked.includes(one!.id));
  await until('the ban', () => webhook.broker.banned.get(one!.id) === 'stolen');
});

test('those of a group by its name; every one with `all`', async () => {
  const tag = mark();
  await tagged(tag, 2);
  await webhook.api('POST', '/api/groups', { name: tag, query: `tag = ${tag}` });
  expect((await start('tag', { group: tag, add: ['in-group'] })).total).toBe(2);
  const everybody = (await get('/api/devices?limit=1')).total;
  const all = await start('tag', { all: true, add: ['everybody'] });
  expect(all.total).toBe(everybody);
  await finished(all.id);
});

test('a query that matches nothing or does not parse, no choice, nothing to change and unknown fields are refused', async () => {
  const refused = async (act: string, body: object) => {
    const { status, body: problem } = await webhook.api('POST', `/api/jobs/${act}`, body);
    return `${status} ${problem.code} ${problem.detail}`;
  };
  const before = (await get('/api/jobs')).total;
  expect(await refused('tag', { query: 'tag = nobody-has-it', add: ['x'] })).toContain('422 no_match');
  expect(await refused('tag', { add: ['x'] })).toContain('422 no_match');
  expect(await refused('tag', { query: 'tag = a b', add: ['x'] })).toMatch(
    /400 invalid_request query: at character 9: unexpected b/,
  );
  expect(await refused('tag', { all: true })).toContain('400 invalid_request must change something');
  expect(await refused('tag', { all: true, add: ['no good'] })).toContain('400 invalid_request add.0');
  expect(await refused('tag', { all: true, add: ['x'], everything: 1 })).toContain(
    'everything: is not known',
  );
  expect(await refused('tag', { group: 'no such', add: ['x'] })).toContain('422 unknown_reference');
  expect(await refused('tag', { group: 'x', query: 'id = a', add: ['x'] })).toContain('400 invalid_request');
  expect(await refused('command', { all: true, command: 'No Command' })).toContain('400 invalid_request');
  expect(await refused('explode', { all: true })).toContain('40');
  expect((await get('/api/jobs')).total).toBe(before);
});

test('an operator may send commands, and neither tag, move nor ban', async () => {
  const made = await webhook.api('POST', '/api/tokens', { name: mark(), role: 'operator' });
  const headers = { authorization: `Bearer ${made.body.secret}` };
  const as = async (act: string, body: object) =>
    (await webhook.api('POST', `/api/jobs/${act}`, { query: 'tag = nobody', ...body }, headers)).status;
  expect(await as('command', { command: 'reboot' })).toBe(422);
  expect(await as('tag', { add: ['x'] })).toBe(403);
  expect(await as('move', { region: null })).toBe(403);
  expect(await as('ban', {})).toBe(403);
});

test('start, end and cancel are in the audit log', async () => {
  const tag = mark();
  await tagged(tag, 1);
  const { id } = await start('tag', { query: `tag = ${tag}`, add: ['x'] });
  await finished(id);
  const { items } = await get(`/api/audit?subject=${id}`);
  expect(items.map((entry: Json) => [entry.action, entry.detail.total])).toEqual([
    ['job.finish', 1],
    ['job.start', 1],
  ]);
  expect((await webhook.api('POST', `/api/jobs/${id}/cancel`)).body.code).toBe('job_finished');
  expect((await webhook.api('POST', `/api/jobs/${randomUUID()}/cancel`)).status).toBe(404);
});

/** A copy whose background does nothing: the test takes its steps. */
const quiet = async (run: (context: Context) => Promise<void>) => {
  const parts = { db, live: { changed: () => {} }, broker: webhook.broker, log: () => {}, wake: () => {} };
  await run(parts as unknown as Context);
};
const left = async (id: string) =>
  (
    await query<{ n: number }>(db, sql`select count(*)::int as n from job_devices where job_id = ${id}::uuid`)
  )[0]!.n;

test('a copy that is killed in a batch leaves it to the next: each device gets it once', async () => {
  const tag = mark();
  await fill(tag, 1_200);
  await webhook.copy.close();
  await quiet(async (context) => {
    const choice = { all: false, regions: [], divisions: [], devices: [], query: `tag = ${tag}` };
    const { id } = await startJob(context, everything, 'command', { command: 'reboot' }, choice, 'test');
    expect(await workJobs(context)).toBe(true);
    // What a kill does to a transaction: none of it is there.
    const dying = new Proxy(db, {
      get(target, property) {
        if (property !== 'transaction') return Reflect.get(target, property).bind?.(target);
        return (run: (tx: unknown) => Promise<unknown>) =>
          target.transaction(async (tx) => {
            await run(tx);
            throw new Error('killed');
          });
      },
    });
    await expect(workJobs({ ...context, db: dying })).rejects.toThrow('killed');
    expect(await left(id)).toBe(700);
  });
  const next = await startTestWebhook(database);
  try {
    const job = await until('the job', async () => {
      const { body } = await next.api('GET', '/api/jobs?limit=1');
      return body.items[0].state === 'done' && body.items[0];
    });
    expect(job).toMatchObject({ total: 1_200, done: 1_200, failed: 0 });
    const [row] = await query<{ n: number; devices: number }>(
      db,
      sql`select count(*)::int as n, count(distinct device_id)::int as devices from control_commands where device_id like ${`${tag}-%`}`,
    );
    expect(row).toEqual({ n: 1_200, devices: 1_200 });
    expect(await left(job.id)).toBe(0);
  } finally {
    await next.close();
  }
});

test('a cancelled one does nothing more; what was done stays', async () => {
  const tag = mark();
  await fill(tag, 1_200);
  await quiet(async (context) => {
    const choice = { all: false, regions: [], divisions: [], devices: [], query: `tag = ${tag}` };
    const { id } = await startJob(context, everything, 'tag', { add: ['late'], remove: [] }, choice, 'test');
    await workJobs(context);
    expect(await cancel(context, everything, id, 'test')).toMatchObject({ state: 'cancelled', done: 500 });
    expect(await workJobs(context)).toBe(false);
    const [row] = await query<{ n: number }>(
      db,
      sql`select count(*)::int as n from devices where tags @> array[${tag}, 'late']`,
    );
    expect([row!.n, await left(id)]).toEqual([500, 0]);
  });
});
