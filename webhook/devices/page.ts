/** Which devices are on a page of a list, in which order: only ids are walked over to it, whose rows are read and joined then. */
import { and, type SQL, sql } from 'drizzle-orm';
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

const walk =
  (db: Db, where: SQL | undefined, order: Order) =>
  (behind: SQL | undefined, limit: number, offset: number) =>
    db
      .select({ id: devices.id, key: order.key })
      .from(devices)
      .where(and(where, behind))
      .orderBy(...order.by)
      .limit(limit)
      .offset(offset);

const toPage = ({ rows, next }: { rows: { id: string }[]; next: string | null }): Page => ({
  ids: rows.map(({ id }) => id),
  next,
});

/** Where an index leads to the page: of the whole fleet, of a place, of a hardware. */
export async function walkToPage(db: Db, where: SQL | undefined, sort: Sort, paging: Paging): Promise<Page> {
  const order = orders[sort];
  return toPage(await readPage(order, paging, walk(db, where, order)));
}

/**
 * The page of those that meet conditions of which nobody knows how many do. They are looked for in any order first: a planner that hopes to come
 * across a page of them soon, in its order, would read every device where there are few. Where there are very many, it hopes rightly.
 */
export function findPage(
  db: Db,
  where: SQL | undefined,
  sort: Sort,
  paging: Paging,
  count?: 'exact',
): Promise<Page & Total> {
  const order = orders[sort];
  const most = paging.offset + countedBeyond;
  return db.transaction(async (tx) => {
    await planForValues(tx);
    let n = 0;
    const page = await readPage<Row>(order, paging, async (behind = sql`true`, limit, offset) => {
      const found = await query<{ n: number; id: string | null; key: Row['key'] }>(
        tx,
        sql`with matching as materialized (
              select id ${columnsOf[sort.replace('-', '')]} from devices where ${where ?? sql`true`} limit ${most + 1})
            select counted.n, page.id, page.key from (select count(*)::int as n from matching) counted
            left join (
              select id, key, row_number() over () as nth from (
                select id, ${order.key} as key from matching devices where ${behind}
                order by ${sql.join(order.by, sql`, `)} limit ${limit} offset ${offset}) sorted) page on true
            order by page.nth`,
      );
      n = found[0]!.n;
      if (n > most) return walk(tx, where, order)(behind, limit, offset);
      return found.flatMap(({ id, key }) => (id === null ? [] : [{ id, key }]));
    });
    const total =
      n > most && count === 'exact' ? { total: await tx.$count(devices, where) } : toTotal(n, most);
    return { ...toPage(page), ...total };
  });
}
