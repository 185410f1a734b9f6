import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { type Db, query } from '../db/query.ts';
import { prepareSearch } from '../db/search.ts';
import { find } from '../devices/find.ts';
import { everything } from '../devices/reach.ts';
import type { Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';

const { database, webhook } = await startSuite();
const { db } = database;
const mark = () => `s${randomUUID().slice(0, 8)}`;
const search = async (q: string): Promise<Json> => {
  const { status, body } = await webhook.api('GET', `/api/search?q=${encodeURIComponent(q)}`);
  expect([status, body.detail]).toEqual([200, undefined]);
  return body;
};

describe('a word finds', () => {
  test('devices: what begins with it before what has it anywhere, at most five', async () => {
    const word = mark();
    for (const name of ['1', '2', '3', '4', '5']) await webhook.device({ name: `${word} ${name}` } as object);
    const inside = await webhook.device({ name: `the ${word}` } as object);
    const { devices } = await search(word.toUpperCase());
    expect(devices).toHaveLength(5);
    expect(devices.map(({ id }: Json) => id)).not.toContain(inside.id);
    expect((await search(`he ${word}`)).devices).toEqual([
      { id: inside.id, name: `the ${word}`, online: false },
    ]);
    expect((await search(inside.id)).devices[0].id).toBe(inside.id);
  });

  test('certificates by serial, with or without colons', async () => {
    const id = mark();
    const { body: made } = await webhook.api('POST', '/api/certificates/tokens', { commonName: id });
    const { serial } = (
      await webhook.api(
        'POST',
        '/api/issue_cert',
        { csr: `CSR ${id} key` },
        { authorization: `Bearer ${made.token}` },
      )
    ).body;
    expect((await search(serial.toLowerCase())).certificates).toEqual([{ serial, commonName: id }]);
    expect((await search(serial.match(/../g).slice(0, 8).join(':'))).certificates[0].serial).toBe(serial);
    expect((await search(serial.slice(0, 3))).certificates).toEqual([]);
  });

  test('firmware by version and digest, and its deployments; deployments by id', async () => {
    const device = await webhook.device();
    const { id, version, name, sha256 } = await webhook.firmware();
    const deployment = await webhook.deploy(id, device);
    const found = await search(sha256.slice(0, 12));
    expect(found.firmwares).toEqual([{ id, name, version, sha256 }]);
    expect(found.deployments.map((one: Json) => one.id)).toEqual([deployment.id]);
    expect((await search(version)).firmwares.map((one: Json) => one.id)).toEqual([id]);
    const byId = await search(deployment.id.slice(0, 13));
    expect(byId.deployments).toMatchObject([{ id: deployment.id, firmware: { name, version } }]);
  });

  test('nothing, where a pattern would have found everything', async () => {
    await webhook.device();
    for (const word of ['%', '_', '%%%', '\\', "' or 1=1 --"])
      expect(await search(word)).toEqual({ devices: [], certificates: [], firmwares: [], deployments: [] });
  });
});

test('no word, or one that is too long, is refused', async () => {
  for (const q of ['', '%20', 'x'.repeat(101)])
    expect((await webhook.api('GET', `/api/search?q=${q}`)).body.code).toBe('invalid_request');
});

test.runIf(database.kind === 'postgresql')(
  'no index for parts of a name serves a question for one id',
  async () => {
    await db.execute(sql`drop index devices_containing, certificates_containing`);
    // As versions to 0.3 made it.
    await db.execute(
      sql`create index devices_search on devices using gin (id gin_trgm_ops, name gin_trgm_ops)`,
    );
    await prepareSearch(db);
    const indexes = await query<{ name: string; plain: boolean }>(
      db,
      sql`select i.indexrelid::regclass::text as name, bool_or(key <> 0) as plain
        from pg_index i join pg_opclass o on o.oid = any(i.indclass), unnest(i.indkey) key
        where o.opcname = 'gin_trgm_ops' group by 1 order by 1`,
    );
    expect(indexes).toEqual([
      { name: 'certificates_containing', plain: false },
      { name: 'devices_containing', plain: false },
    ]);
  },
);

test.runIf(database.kind === 'postgresql')('reads no table of devices from end to end', async () => {
  await prepareSearch(db);
  await db.execute(sql`insert into devices (id, name, hardware)
    select 'plan-' || n, 'Sensor ' || n, 'esp32-s3' from generate_series(1, 20000) n`);
  await db.execute(sql`analyze devices`);
  const read = async (tx: Db) => {
    const statistics = sql`select seq_tup_read::int as n from pg_stat_xact_user_tables where relname = 'devices'`;
    return (await query<{ n: number }>(tx, statistics))[0]!.n;
  };
  const words = ['plan-77', 'ensor 123', 'nowhere at all', 'ens', 'pl'];
  // More often than a statement must come to be prepared, and then planned without its values.
  for (const word of Array.from({ length: 30 }, (_, i) => words[i % words.length]!))
    await db.transaction(async (tx) => {
      const before = await read(tx);
      await find(tx, everything, word, 5);
      expect([word, (await read(tx)) - before]).toEqual([word, 0]);
    });
});
