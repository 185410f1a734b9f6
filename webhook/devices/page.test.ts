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
  heat: number | null;
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
  await db.execute(sql`
    insert into device_metrics (device_id, name, value, at, preferred)
    select id, 'heat', abs(hashtext(id)) % 300 / 10.0, now(), false from devices where id like '%1' or id like '%4'`);
  await db.execute(sql`analyze devices`);
  await db.execute(sql`analyze device_metrics`);
  fleet = await query<Row>(
    db,
    sql`select d.id, d.name, last_seen_at::text as "lastSeenAt", created_at::text as "createdAt", tags, m.value as heat
        from devices d left join device_metrics m on m.device_id = d.id`,
  );
}, 120_000);

type Holds = (row: Row) => boolean;
const hasTag =
  (tag: string): Holds =>
  ({ tags }) =>
    tags.includes(tag);

/** Ids of those for which it holds. What is unknown comes before everything. */
function sorted(sort: Sort, holds: Holds = () => true): string[] {
  const key = sort.replace('-', '') as 'id' | 'name' | 'lastSeenAt' | 'createdAt';
  const of = (row: Row) => `${row[key] ?? ''} ${row.id}`;
  const ids = fleet
    .filter(holds)
    .map((row) => [of(row), row.id] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, id]) => id);
  return sort.startsWith('-') ? ids.reverse() : ids;
}

type Page = { ids: string[]; total: number; more?: true; next: string | null };

async function ask(query: Record<string, string | number>): Promise<Page> {
  const asked = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  const { status, body } = await webhook.api('GET', `/api/devices?${asked}`);
  expect([query, status, body.detail]).toEqual([query, 200, undefined]);
  return { ...body, ids: body.items.map(({ id }: Json) => id) };
}

/** A page somewhere of those for which `holds` is true, and two that follow it. */
async function comparePages(random: Random, asked: Record<string, string>, all: string[], counted = 10_000) {
  const limit = random.int(1, 20);
  const offset = random.chance(0.5) ? 0 : random.int(0, Math.max(0, all.length - 1));
  let page = await ask({ ...asked, limit, offset });
  const most = offset + counted;
  expect([asked, page.total, page.more === true]).toEqual([
    asked,
    Math.min(most, all.length),
    all.length > most,
  ]);
  for (let at = offset, pages = 1; ; at += limit, pages++) {
    expect([asked, at, page.ids]).toEqual([asked, at, all.slice(at, at + limit)]);
    expect(page.next === null).toBe(at + limit >= all.length);
    if (pages === 3 || page.next === null) break;
    page = await ask({ ...asked, limit, cursor: page.next });
  }
}

test.each(sorts)('pages by %s are those of a list that is sorted as a whole', async (sort) => {
  const random = new Random(29, sort);
  await comparePages(random, { sort }, sorted(sort), Number.POSITIVE_INFINITY);
  for (const tag of ['late', 'half', 'few'])
    await comparePages(random, { sort, tag }, sorted(sort, hasTag(tag)));
});

test('so are pages of whatever somebody asks for', async () => {
  const random = new Random(30);
  const leaves: (() => [string, Holds])[] = [
    () => {
      const tag = random.pick(['late', 'half', 'few']);
      return [`tag = ${tag}`, hasTag(tag)];
    },
    () => {
      const part = `r ${random.int(0, 1)}${random.chance(0.5) ? random.int(0, 9) : ''}`;
      return [`name ~ "${part}"`, ({ name }) => name.includes(part)];
    },
    () => {
      const least = random.int(0, 300) / 10;
      return [`metric.heat > ${least}`, ({ heat }) => heat !== null && heat > least];
    },
    () => ['last_seen = never', ({ lastSeenAt }) => lastSeenAt === null],
  ];
  const make = (depth: number): [string, Holds] => {
    if (depth === 0 || random.chance(0.2)) return random.pick(leaves)();
    const [one, holds] = make(depth - 1);
    if (random.chance(0.2)) return [`not (${one})`, (row) => !holds(row)];
    const [other, too] = make(depth - 1);
    return random.chance(0.6)
      ? [`(${one} and ${other})`, (row) => holds(row) && too(row)]
      : [`(${one} or ${other})`, (row) => holds(row) || too(row)];
  };
  for (let n = 0; n < 30; n++) {
    const [q, holds] = make(2);
    const sort = random.pick(sorts);
    await comparePages(random, { sort, q }, sorted(sort, holds));
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
