/** Which devices are on a page of a list, in which order: only ids are walked over to it, whose rows are read and joined then. */
import { type SQL, sql } from 'drizzle-orm';
import { countedBeyond, type Total, toTotal } from '../db/count.ts';
import { down, Order, type Paging, readPage, up } from '../db/keyset.ts';
import { planForValues } from '../db/planning.ts';
import { type Db, query } from '../db/query.ts';
import { devices } from './table.ts';

/** A leading minus is descending. */
export const sorts = [
  'id',
  '-id',
  'name',
  '-name',
  'lastSeenAt',
  '-lastSeenAt',
  'createdAt',
  '-createdAt',
] as const;
export type Sort = (typeof sorts)[number];

/** As an index has it, or every device would be sorted for one page; with the id, so that pages neither repeat nor miss a device. */
export const orders = Object.fromEntries(
  sorts.map((sort) => {
    const to = sort.startsWith('-') ? down : up;
    const id = to(devices.id);
    const name = sort.replace('-', '') as 'id' | 'name' | 'lastSeenAt' | 'createdAt';
    if (name === 'id') return [sort, new Order(sort, [id])];
    if (name !== 'lastSeenAt') return [sort, new Order(sort, [to(devices[name]), id])];
    // The index has the hour; within it some are sorted.
    return [sort, new Order(sort, [to(devices.seenHour), to(devices.lastSeenAt), id], { nulls: 2 })];
  }),
) as Record<Sort, Order>;

/** Columns besides the id that the order takes. */
const columnsOf: Record<string, SQL> = {
  id: sql``,
  name: sql`, name`,
  lastSeenAt: sql`, seen_hour, last_seen_at`,
  createdAt: sql`, created_at`,
};

type Row = { id: string; key: (string | null)[] };
type Page = { ids: string[]; next: string | null };

const columnsFor = (sort: Sort) => columnsOf[sort.replace('-', '')]!;

/** Rows of a page out of `from`, which calls them `devices`. Keys are made for these alone: one costs four times what it costs to pass a row over. */
const pageOf = (from: SQL, sort: Sort, limit: number, offset: number): SQL => {
  const order = orders[sort];
  const by = sql.join(order.by, sql`, `);
  return sql`select id, ${order.key} as key
    from (select id ${columnsFor(sort)} from ${from} order by ${by} limit ${limit} offset ${offset}) devices order by ${by}`;
};

const toPage = ({ rows, next }: { rows: { id: string }[]; next: string | null }): Page => ({
  ids: rows.map(({ id }) => id),
  next,
});

/** Where an index leads to the page: of the whole fleet, of a place, of a hardware. */
export async function walkToPage(db: Db, where: SQL = sql`true`, sort: Sort, paging: Paging): Promise<Page> {
  const walk = (behind: SQL = sql`true`, limit: number, offset: number) =>
    query<Row>(db, pageOf(sql`devices where ${where} and ${behind}`, sort, limit, offset));
  return toPage(await readPage(orders[sort], paging, walk));
}

/** So many devices are looked through for each that is wanted, where one in a hundred matches: twice as many as that takes. */
const lookedThrough = 200;

/**
 * Of very many that match: they are come across soon in the page's order, unless they all lie far down in it. Then all of them are sorted, for to
 * walk on may be to read the fleet.
 */
async function comeAcross(
  db: Db,
  where: SQL,
  sort: Sort,
  behind: SQL,
  limit: number,
  offset: number,
): Promise<Row[]> {
  const by = sql.join(orders[sort].by, sql`, `);
  const first = sql`(select * from devices where ${behind} order by ${by} limit ${(limit + offset) * lookedThrough}) devices`;
  const rows = await query<Row>(db, pageOf(sql`${first} where ${where}`, sort, limit, offset));
  if (rows.length === limit) return rows;
  const all = sql`(select id ${columnsFor(sort)} from devices where ${where} and ${behind} offset 0) devices`;
  return query<Row>(db, pageOf(all, sort, limit, offset));
}

/**
 * The page of those that meet conditions of which nobody knows how many do. They are looked for in any order first: a planner that hopes to come
 * across a page of them soon, in its order, would read every device where there are few.
 */
export function findPage(
  db: Db,
  where: SQL = sql`true`,
  sort: Sort,
  paging: Paging,
  count?: 'exact',
): Promise<Page & Total> {
  const most = paging.offset + countedBeyond;
  return db.transaction(async (tx) => {
    await planForValues(tx);
    let n = 0;
    const page = await readPage<Row>(orders[sort], paging, async (behind = sql`true`, limit, offset) => {
      const found = await query<{ n: number; id: string | null; key: Row['key'] }>(
        tx,
        sql`with matching as materialized (
              select id ${columnsFor(sort)} from devices where ${where} limit ${most + 1})
            select counted.n, page.id, page.key from (select count(*)::int as n from matching) counted
            left join (
              select id, key, row_number() over () as nth
              from (${pageOf(sql`matching devices where ${behind}`, sort, limit, offset)}) sorted) page on true
            order by page.nth`,
      );
      n = found[0]!.n;
      if (n > most) return comeAcross(tx, where, sort, behind, limit, offset);
      return found.flatMap(({ id, key }) => (id === null ? [] : [{ id, key }]));
    });
    const total =
      n > most && count === 'exact' ? { total: await tx.$count(devices, where) } : toTotal(n, most);
    return { ...toPage(page), ...total };
  });
}
