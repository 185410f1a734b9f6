import { sql } from 'drizzle-orm';
import { beforeAll, expect, test } from 'vitest';
import { Random } from '#deploy/lab/primitives/random.ts';
import { query } from '../db/query.ts';
import type { Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { findPage, type Sort, sorts } from './page.ts';
import { devices } from './table.ts';

const { database, webhook } = await startSuite();
const { db } = database;

interface Row extends Record<string, unknown> {
  id: string;
  name: string;
  lastSeenAt: string | null;
  createdAt: string;
  tags: string[];
}
let fleet: Row[];

/** More than are counted have each of the first two tags: `late` the last ones by every order, `half` anybody. */
beforeAll(async () => {
  await db.execute(sql`
    insert into devices (id, name, hardware, created_at, last_seen_at, tags)
    select 'page-' || lpad(n::text, 5, '0'), 'Sensor ' || lpad((n / 3)::text, 5, '0'), 'esp32-s3',
      timestamptz '2026-01-01' + (n / 2) * interval '1 second',
      case when n % 7 = 0 then null else timestamptz '2026-01-01' + n * interval '1 minute' end,
      array_remove(array[
        case when n > 49900 then 'late' end, case when hashtext(n::text) % 2 = 0 then 'half' end,
        case when n % 4000 = 3 then 'few' end], null)
    from generate_series(1, 60000) n`);
  await db.execute(sql`analyze devices`);
  fleet = await query<Row>(
    db,
    sql`select id, name, last_seen_at::text as "lastSeenAt", created_at::text as "createdAt", tags from devices`,
  );
}, 120_000);

/** Ids of those with the tag, or of all. What is unknown comes before everything. */
function sorted(sort: Sort, tag?: string): string[] {
  const key = sort.replace('-', '') as 'id' | 'name' | 'lastSeenAt' | 'createdAt';
  const of = (row: Row) => `${row[key] ?? ''} ${row.id}`;
  const found = fleet.filter(({ tags }) => tag === undefined || tags.includes(tag));
  const ids = found
    .map((row) => [of(row), row.id] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, id]) => id);
  return sort.startsWith('-') ? ids.reverse() : ids;
}

test.each(sorts)('pages by %s are those of a list that is sorted as a whole', async (sort) => {
  const random = new Random(29, sort);
  const page = async (query: Record<string, string | number>): Promise<Json> => {
    const asked = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
    const { status, body } = await webhook.api('GET', `/api/devices?sort=${sort}&${asked}`);
    expect([status, body.detail]).toEqual([200, undefined]);
    return { ...body, ids: body.items.map(({ id }: Json) => id) };
  };
  for (const tag of [undefined, 'late', 'half', 'few']) {
    const all = sorted(sort, tag);
    for (let round = 0; round < 2; round++) {
      const limit = random.int(1, 20);
      const first = random.chance(0.5) ? 0 : random.int(0, all.length - 1);
      let { ids, next, total, more } = await page({ ...(tag && { tag }), limit, offset: first });
      const counted = tag ? first + 10_000 : all.length;
      expect([tag, total, more === true]).toEqual([tag, Math.min(counted, all.length), all.length > counted]);
      for (let at = first, pages = 1; ; at += limit, pages++) {
        expect([tag, at, ids]).toEqual([tag, at, all.slice(at, at + limit)]);
        expect(next === null).toBe(at + limit >= all.length);
        if (pages === 3 || next === null) break;
        ({ ids, next } = await page({ ...(tag && { tag }), limit, cursor: next }));
      }
    }
  }
});

test('a page of many that match, all of them far down in its order, is found without reading the fleet', async () => {
  await db.transaction(async (tx) => {
    const statistics = sql`
      select (seq_tup_read + idx_tup_fetch)::int as n from pg_stat_xact_user_tables where relname = 'devices'`;
    const read = async () => (await query<{ n: number }>(tx, statistics))[0]!.n;
    const before = await read();
    const late = sql`${devices.tags} && array['late']`;
    const { ids, total } = await findPage(tx, late, 'id', { limit: 1, offset: 0 });
    expect([ids, total]).toEqual([['page-49901'], 10_000]);
    // Counted, looked for in the order, and all of them once.
    expect((await read()) - before).toBeLessThan(10_001 + 2 * 200 + 10_099 + 1_000);
  });
});
