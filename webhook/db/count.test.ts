import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { startSuite } from '../testing-suite.ts';

const { database, webhook } = await startSuite();

const total = async (rest = '') => {
  const { body } = await webhook.api('GET', `/api/devices?tag=many&limit=1${rest}`);
  const { items: _, ...told } = body;
  return told;
};

test('a list is counted to ten thousand behind its page, and says when there are more', async () => {
  const insert = (from: number, to: number) =>
    database.db.execute(sql`insert into devices (id, name, hardware, tags)
      select 'many-' || n, 'Many', 'esp32-s3', '{many}' from generate_series(${from}::int, ${to}::int) n`);
  await insert(1, 10_000);
  expect(await total()).toEqual({ total: 10_000 });
  await insert(10_001, 10_002);
  expect(await total()).toEqual({ total: 10_000, more: true });
  expect(await total('&offset=1')).toEqual({ total: 10_001, more: true });
  expect(await total('&offset=2')).toEqual({ total: 10_002 });
  expect(await total('&count=exact')).toEqual({ total: 10_002 });
  // Of what the tallies know no row is counted.
  const { body } = await webhook.api('GET', '/api/devices?hardware=esp32-s3&limit=1');
  expect([body.total, body.more]).toEqual([10_002, undefined]);
});
