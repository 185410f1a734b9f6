import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { beforeEach, describe, expect, test } from 'vitest';
import { query } from '../db/connect.ts';
import { apiToken, type Json, startTestWebhook } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { record } from './audit.ts';

const { database, webhook } = await startSuite();
beforeEach(() => database.db.execute(sql`delete from audit_log`));

const addRegions = async (n: number) => {
  for (let i = 0; i < n; i += 1) await webhook.api('POST', '/api/regions', { name: randomUUID() });
};
const verify = async (expected = '') =>
  (await webhook.api('GET', `/api/audit/verification${expected && `?expect=${expected}`}`)).body;
const entries = async (filter = '') => (await webhook.api('GET', `/api/audit?${filter}`)).body;
const cli = (env: Record<string, string>, ...args: string[]) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    const bin = new URL('../../node_modules/.bin/tsx', import.meta.url).pathname;
    const file = new URL('./cli.ts', import.meta.url).pathname;
    const { PATH = '', HOME = '' } = process.env;
    execFile(bin, [file, ...args], { env: { PATH, HOME, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    );
  });

describe('the log', () => {
  test('holds who did what to what, newest first, filtered and paged', async () => {
    const { body: region } = await webhook.api('POST', '/api/regions', { name: 'South' });
    const device = await webhook.device();
    const all = await entries();
    expect(all.total).toBe(2);
    expect(all.items.map((e: Json) => e.action)).toEqual(['device.create', 'regions.create']);
    expect(all.items[1]).toMatchObject({ actor: 'api-token', subject: region.id, detail: { name: 'South' } });
    expect((await entries(`subject=${device.id}`)).items).toEqual([all.items[0]]);
    expect((await entries('action=regions.create&actor=api-token')).total).toBe(1);
    expect((await entries('actor=nobody')).items).toEqual([]);
    expect((await entries('limit=1&offset=1')).items).toEqual([all.items[1]]);
    const [from, to] = [all.items[0].at, new Date(Date.now() + 1000).toISOString()].map(encodeURIComponent);
    expect((await entries(`from=${from}&to=${to}`)).items[0]).toEqual(all.items[0]);
    expect((await entries(`to=${from}&subject=${device.id}`)).total).toBe(0);
    expect((await webhook.api('GET', '/api/audit?from=yesterday')).status).toBe(400);
  });

  test('an act that fails leaves no entry', async () => {
    await webhook.api('POST', '/api/regions', { name: 'North' });
    expect((await webhook.api('POST', '/api/regions', { name: 'North' })).status).toBe(409);
    expect(await verify()).toMatchObject({ valid: true, entries: 1 });
  });
});

describe('the chain', () => {
  test('holds when several copies write at the same time, without a gap', async () => {
    const other = await database.another();
    const second = await startTestWebhook(other);
    const names = Array.from({ length: 30 }, () => randomUUID());
    const answers = await Promise.all(
      names.map((name, i) => (i % 2 ? webhook : second).api('POST', '/api/regions', { name })),
    );
    expect(answers.every((a) => a.status === 201)).toBe(true);
    const { items } = await entries('limit=100');
    expect(items.map((e: Json) => e.id)).toEqual(Array.from({ length: 30 }, (_, i) => 30 - i));
    expect(await verify()).toEqual({
      valid: true,
      entries: 30,
      unchained: 0,
      head: { id: 30, hash: items[0].hash },
      broken: null,
    });
    await second.close();
    await other.close();
  });

  test('holds over details of every shape, as they come back from the database', async () => {
    const detail = {
      z: 1,
      a: { y: [1.5, -0, 1e21, null, { b: '"\\\n', a: 'é 🙂' }], x: undefined },
      when: new Date(0),
    };
    const entry = { actor: 'a', action: 'b', subject: 'c' };
    await database.db.transaction((tx) => record(tx, { ...entry, detail }));
    await database.db.transaction((tx) => record(tx, entry));
    expect(await verify()).toMatchObject({ valid: true, entries: 2 });
  });

  const tamperings: [string, string, number][] = [
    ['another actor', "update audit_log set actor = 'x' where id = 2", 2],
    ['another time', "update audit_log set at = at + interval '1 ms' where id = 2", 2],
    ['another detail', `update audit_log set detail = '{"name":"x"}' where id = 3`, 3],
    ['another hash', `update audit_log set hash = '${'a'.repeat(64)}' where id = 2`, 2],
    ['a hash that was taken away', 'update audit_log set hash = null where id = 2', 2],
    ['an entry that was deleted', 'delete from audit_log where id = 2', 3],
    ['the first entry deleted', 'delete from audit_log where id = 1', 2],
    [
      'two that were exchanged',
      'update audit_log set id = case id when 2 then -3 else -2 end where id in (2, 3); update audit_log set id = -id where id < 0',
      2,
    ],
  ];
  test('names the first entry that was tampered with', async () => {
    await addRegions(4);
    await database.db.execute(sql`create table kept as select * from audit_log`);
    for (const [what, statements, id] of tamperings) {
      for (const statement of statements.split(';')) await database.db.execute(sql.raw(statement));
      expect([what, (await verify()).broken?.id]).toEqual([what, id]);
      await database.db.execute(sql`delete from audit_log`);
      await database.db.execute(sql`insert into audit_log select * from kept`);
      expect((await verify()).valid).toBe(true);
    }
  });

  test('a head that was written down shows that the end was cut off or all was written anew', async () => {
    await addRegions(3);
    const { head } = await verify();
    const expected = `${head.id}:${head.hash}`;
    await addRegions(1);
    expect((await verify(expected)).valid).toBe(true);
    expect((await verify(`3:${'a'.repeat(64)}`)).broken.id).toBe(3);
    await database.db.execute(sql`delete from audit_log where id >= 3`);
    expect((await verify()).valid).toBe(true);
    expect((await verify(expected)).broken).toEqual({ id: 3, reason: 'the chain ends before it' });
  });

  test('begins behind entries that are older than it', async () => {
    await database.db.execute(
      sql`insert into audit_log (actor, action, subject) values ('a', 'b', 'c'), ('a', 'b', 'd')`,
    );
    await addRegions(2);
    expect(await verify()).toMatchObject({ valid: true, entries: 4, unchained: 2, head: { id: 4 } });
    await database.db.execute(sql`delete from audit_log where id = 2`);
    expect((await verify()).broken.id).toBe(3);
  });
});

describe('npm run audit', () => {
  async function place(): Promise<Record<string, string>> {
    const server = process.env.TEST_DATABASE_URL;
    if (!server) return { PUBLIC_URL: webhook.copy.url, FLOTA_API_TOKEN: apiToken };
    const [row] = await query<{ name: string }>(database.db, sql`select current_database() as name`);
    return { DATABASE_URL: Object.assign(new URL(server), { pathname: `/${row!.name}` }).href };
  }

  test('reads PostgreSQL itself, asks the running API with PGlite, and says what is broken with exit code 1', async () => {
    await addRegions(2);
    const env = await place();
    const good = await cli(env, 'verify');
    expect(good).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^ok: 2 entries\nhead 2:[0-9a-f]{64}\n$/),
    });
    await database.db.execute(sql`update audit_log set actor = 'x' where id = 1`);
    const head = /2:[0-9a-f]{64}/.exec(good.output)![0];
    const bad = await cli(env, 'verify', '--expect', head);
    expect(bad).toMatchObject({ code: 1, output: expect.stringMatching(/^audit: broken at entry 1: .+\n$/) });
  });

  test('takes the token that npm start made, and says in one line what is missing', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'flota-audit-'));
    const env = { PUBLIC_URL: webhook.copy.url, FLOTA_DATA: dir };
    expect(await cli(env, 'verify')).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^audit: FLOTA_API_TOKEN.*\n$/),
    });
    await writeFile(join(dir, 'secrets.json'), JSON.stringify({ apiToken }));
    expect((await cli(env, 'verify')).output).toBe('ok: 0 entries\n');
    await rm(dir, { recursive: true });
    expect(
      await cli({ ...env, PUBLIC_URL: 'http://127.0.0.1:1', FLOTA_API_TOKEN: apiToken }, 'verify'),
    ).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^audit: nothing answers at .*\n$/),
    });
    expect((await cli(env, 'check')).code).toBe(1);
    expect(await cli({}, '--help')).toMatchObject({ code: 0 });
  });
});
