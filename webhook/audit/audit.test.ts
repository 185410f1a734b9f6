import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eq, sql } from 'drizzle-orm';
import { beforeEach, describe, expect, test } from 'vitest';
import { program } from '#deploy/lab/primitives/programs.js';
import { until } from '#deploy/lab/primitives/until.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { writeSnapshot } from '../metrics/snapshot.ts';
import { apiToken, type Json, startTestWebhook } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { record } from './audit.ts';
import { genesis, hashOf } from './chain.ts';
import { createVerifyWhole, headName, publishHead } from './heads.ts';
import { auditLog } from './table.ts';

const { database, webhook } = await startSuite();
const place = { ...webhook, db: database.db, log: () => {}, metrics: createMetrics() };
beforeEach(async () => {
  await database.db.execute(sql`delete from audit_log`);
  webhook.authority.log.last = null;
  webhook.objects.objects.delete(headName);
});

const addRegions = async (n: number) => {
  for (let i = 0; i < n; i += 1) await webhook.api('POST', '/api/regions', { name: randomUUID() });
};
const verify = async (expected = '') =>
  (await webhook.api('GET', `/api/audit/verification${expected && `?expect=${expected}`}`)).body;
const entries = async (filter = '') => (await webhook.api('GET', `/api/audit?${filter}`)).body;
const cli = (env: Record<string, string>, ...args: string[]) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    const { PATH = '', HOME = '' } = process.env;
    const command = [...program(new URL('./cli.ts', import.meta.url)), ...args];
    execFile(process.execPath, command, { env: { PATH, HOME, ...env } }, (error, stdout, stderr) =>
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
    const head = { id: 30, hash: items[0].hash };
    expect(await verify()).toMatchObject({ valid: true, entries: 30, sealed: 0, head, broken: null });
    await second.close();
    await other.close();
  });

  test('holds over details of every shape, as they come back from the database', async () => {
    const detail = {
      z: 1,
      a: { y: [1.5, -0, 1e21, null, { b: '"\\\n', a: 'é 🙂' }], x: undefined },
      when: new Date(0),
    };
    const entry = { actor: 'a', action: 'device.create', subject: 'c' } as const;
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
    expect((await verify(expected)).broken).toEqual({
      id: 3,
      reason: 'the chain ends before it, and it was expected',
    });
  });

  test('takes in entries that are older than it, once, by a seal', async () => {
    await database.db.execute(
      sql`insert into audit_log (actor, action, subject) values ('a', 'b', 'c'), ('a', 'b', 'd')`,
    );
    await addRegions(2);
    expect((await verify()).broken).toMatchObject({ reason: 'it has no hash, and no seal covers it' });
    await publishHead(place);
    await publishHead(place);
    expect(await verify()).toMatchObject({ valid: true, entries: 5, sealed: 2 });
    await database.db.execute(sql`create table older as select * from audit_log`);
    const notSealed = 'entries older than the chain are not those that were sealed';
    for (const [statement, reason] of [
      [sql`update audit_log set actor = 'x' where subject = 'd'`, notSealed],
      [sql`delete from audit_log where subject = 'c'`, notSealed],
      [sql`insert into audit_log (id, actor, action, subject) values (-1, 'x', 'y', 'z')`, notSealed],
      [sql`delete from audit_log where action = 'b'`, 'entries between 0 and it are gone'],
    ] as const) {
      await database.db.execute(statement);
      expect((await verify()).broken?.reason).toBe(reason);
      await database.db.execute(sql`delete from audit_log`);
      await database.db.execute(sql`insert into audit_log select * from older`);
      expect((await verify()).valid).toBe(true);
    }
  });
});

describe('whoever has the database', () => {
  const rewrite = async () => {
    const rows = await database.db.select().from(auditLog).orderBy(auditLog.id);
    let previous = genesis;
    for (const row of rows) {
      previous = hashOf(previous, { ...row, actor: 'somebody else' });
      await database.db
        .update(auditLog)
        .set({ actor: 'somebody else', hash: previous })
        .where(eq(auditLog.id, row.id));
    }
  };
  const run = (statement: string) => database.db.execute(sql.raw(statement));
  const cut = () => run('delete from audit_log where id > 3');
  const put = (jws: string) => webhook.objects.objects.set(headName, Buffer.from(jws));

  /** Five entries; a head was signed after the third, and after the fifth. */
  const attacks: [string, (heads: string[]) => unknown][] = [
    ['wipes the hashes', () => run('update audit_log set hash = null')],
    ['empties the table', () => run('delete from audit_log')],
    ['cuts off the tail', cut],
    ['chains all entries anew', rewrite],
    ['empties the table and begins anew', () => run('delete from audit_log').then(() => addRegions(6))],
    [
      'cuts off the tail and writes a head of its own into the file store',
      async () => {
        await cut();
        const { head } = await verify();
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
        const header = { alg: 'ES256', typ: 'flota-audit-head' };
        put(`${part(header)}.${part({ ...head, at: new Date() })}.${'A'.repeat(86)}`);
      },
    ],
    ['cuts off the tail and brings back the head of then', ([older]) => cut().then(() => put(older!))],
    [
      'cuts off the tail and deletes what was published',
      () => cut().then(() => webhook.objects.objects.delete(headName)),
    ],
  ];

  test.each(attacks)('is noticed who %s, and nothing of that is signed', async (_, attack) => {
    const heads: string[] = [];
    for (const entries of [3, 2]) {
      await addRegions(entries);
      expect(await publishHead(place)).toBe(true);
      heads.push(webhook.objects.objects.get(headName)!.toString());
    }
    const { last } = webhook.authority.log;
    expect(await verify()).toMatchObject({ valid: true, head: { id: 5 }, witnessed: { id: 5 } });
    await attack(heads);
    const verdict = await verify();
    expect(verdict).toMatchObject({ valid: false, broken: { reason: expect.any(String) } });
    expect(await publishHead(place)).toBe(false);
    expect(webhook.authority.log.last).toBe(last);
    expect((await verify()).valid).toBe(false);
  });

  test('and changes an entry that is older than the last head is noticed by a copy that starts, and once a day', async () => {
    await addRegions(3);
    await publishHead(place);
    await run(`update audit_log set actor = 'somebody else' where id = 2`);
    await addRegions(1);
    // The hourly look begins at the last head, and that is still there.
    expect(await publishHead(place)).toBe(true);
    const lines: [string, unknown][] = [];
    const metrics = createMetrics();
    const walk = createVerifyWhole();
    const log = (_: string, message: string, fields?: unknown) => void lines.push([message, fields]);
    for (let round = 0; round < 3; round++) expect(await walk({ ...place, metrics, log })).toBe(false);
    const reason = 'its hash does not follow from its content and the entry before it';
    expect(lines).toEqual([['the audit log is broken', { id: 2, reason }]]);
    expect(writeSnapshot(metrics.read())).toContain('flota_audit_heads_total{outcome="broken"} 1');
    const copy = await startTestWebhook(database, {
      objects: webhook.objects,
      authority: webhook.authority,
      log,
    });
    await until('the verdict of the copy', () => lines.length > 1);
    await copy.close();
    expect(lines).toContainEqual(['the audit log is broken', { id: 2, reason }]);
  });

  test('the whole log is read a page at a time', async () => {
    await run(`insert into audit_log (id, at, actor, action, subject)
      select n, now(), 'a', 'b', 'c' from generate_series(1, 2500) n`);
    await publishHead(place);
    const lines: [string, unknown][] = [];
    const log = (_: string, message: string, fields?: unknown) => void lines.push([message, fields]);
    const walk = createVerifyWhole();
    const rounds = [];
    for (let round = 0; round < 4; round++) rounds.push(await walk({ ...place, log }));
    expect(rounds).toEqual([true, true, false, false]);
    expect(lines).toEqual([['audit log verified', { entries: 2501 }]]);
  });

  test('cannot pass off a head that somebody else has signed', async () => {
    await addRegions(1);
    await publishHead(place);
    const jws = webhook.objects.objects.get(headName)!.toString();
    const [header, , signature] = jws.split('.');
    const forged = Buffer.from(JSON.stringify({ ...(await verify()).head, at: '' })).toString('base64url');
    for (const bad of [`${header}.${forged}.${signature}`, '', 'a.b.c', jws.slice(0, -3)]) {
      put(bad);
      expect((await verify()).broken?.reason).toBe(
        'audit/head.jws in the file store is not signed by the CA',
      );
    }
    put(jws);
    expect((await verify()).valid).toBe(true);
  });

  test('gains nothing when the CA has lost its memory, as long as the published head is there', async () => {
    await addRegions(2);
    await publishHead(place);
    webhook.authority.log.last = null;
    await run('delete from audit_log where id = 2');
    expect((await verify()).broken).toEqual({
      id: 2,
      reason: 'the chain ends before it, and it was published',
    });
  });
});

describe('the head', () => {
  test('is signed when a copy starts and when it stops, in its log and in the file store', async () => {
    const lines: [string, unknown][] = [];
    const other = await database.another();
    const copy = await startTestWebhook(other, {
      objects: webhook.objects,
      authority: webhook.authority,
      log: (_, message, fields) => void lines.push([message, fields]),
    });
    await until('the first head', () => webhook.authority.log.last);
    expect(webhook.authority.log.last).toMatchObject({ id: 0, hash: genesis });
    await addRegions(2);
    await copy.close();
    await other.close();
    const { last } = webhook.authority.log;
    expect(last).toMatchObject({ id: 2 });
    expect(lines).toContainEqual(['audit head', last]);
    expect(webhook.objects.objects.get(headName)?.toString()).toBe(last!.jws);
  });

  test('waits for a CA that is away, without whose word nothing is called good', async () => {
    await addRegions(1);
    webhook.authority.away = true;
    expect(await publishHead(place)).toBe(false);
    expect((await webhook.api('GET', '/api/audit/verification')).body.code).toBe('ca_unavailable');
    webhook.authority.away = false;
    expect(await publishHead(place)).toBe(true);
    // An hour in which nothing was done, and a second copy.
    expect(await publishHead(place)).toBe(true);
    expect(await verify()).toMatchObject({ valid: true, witnessed: { id: 1 } });
  });
});

describe('npm run audit', () => {
  test('asks the running API, and says what is broken with exit code 1', async () => {
    await addRegions(2);
    const env = { PUBLIC_URL: webhook.copy.url, FLOTA_API_TOKEN: apiToken };
    await publishHead(place);
    const good = await cli(env, 'verify');
    expect(good).toMatchObject({
      code: 0,
      output: expect.stringMatching(
        /^ok: 2 entries\nhead 2:([0-9a-f]{64})\nthe CA has signed 2:\1 at [0-9T:.-]+Z\n$/,
      ),
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
    expect((await cli(env, 'verify')).output).toBe('ok: 0 entries\nno head was signed yet\n');
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
