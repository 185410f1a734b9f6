/**
 * What grows by the message is partitioned by hours, day (UTC) or week, natively: charts and pages read only the days that they ask for, and old
 * days are dropped instead of deleted row by row. drizzle-kit knows no partitions, so its migrations make plain tables, and this step
 * follows them: `table.ts` stays the one place that names columns and indexes.
 */
import { type SQL, sql } from 'drizzle-orm';
import { locks, tryLock } from './locks.ts';
import { type Db, query } from './query.ts';

export const partitioned = [
  'measurements',
  'measured_hours',
  'device_logs',
  'device_incidents',
  'target_events',
  'received_messages',
] as const;
export type Partitioned = (typeof partitioned)[number];

/** By which column, and of how many days each partition is. */
const daily = { column: 'at', days: 1 };
const shapes: Record<Partitioned, { column: string; days: number }> = {
  // Kept for hours.
  measurements: { column: 'at', days: 0.25 },
  measured_hours: daily,
  device_logs: daily,
  device_incidents: daily,
  target_events: daily,
  // Every message is looked for in all of them.
  received_messages: { column: 'received_at', days: 7 },
};

const dayMs = 86_400_000;
/** From yesterday on, for what the broker has kept back; as long as copies may be down before the default partition fills. */
const aheadDays = 3;
/** A query that runs for long must not keep every other one waiting behind this; the next round tries again. */
const lockTimeout = sql.raw(`set local lock_timeout = '3s'`);

/** After migrations, by one copy at a time: plain tables become partitioned ones, with their rows, and the next days get partitions. */
export async function preparePartitions(db: Db): Promise<void> {
  for (const table of partitioned) await convert(db, table);
  await createPartitions(db, Date.now());
}

/** Makes the partitions of the days around `now` that are not there. False when another copy is at it. */
export async function createPartitions(db: Db, now: number): Promise<boolean> {
  for (const table of partitioned) {
    const known = new Set(await listDays(db, table));
    const spanMs = spanOf(table);
    const first = Math.floor((now - dayMs) / spanMs) * spanMs;
    for (let day = first; day <= now + aheadDays * dayMs; day += spanMs) {
      if (!known.has(day) && !(await createPartition(db, table, day))) return false;
    }
  }
  return true;
}

/** Drops the partitions that ended before; answers how many. What has no day of its own is in `defaultOf(table)`. */
export async function dropPartitions(db: Db, table: Partitioned, before: number): Promise<number> {
  const old = (await listDays(db, table)).filter((day) => day + spanOf(table) <= before);
  let dropped = 0;
  for (const day of old) {
    const done = await exclusively(db, async (tx) => {
      await tx.execute(sql`drop table if exists ${sql.identifier(nameOf(table, day))}`);
    });
    if (!done) break;
    dropped += 1;
  }
  return dropped;
}

/**
 * Partitions that ended before: `consume` has each in a transaction that ends with it empty, and nothing comes to it meanwhile. It is dropped
 * once nothing has come since. Answers how many were dropped.
 */
export async function consumePartitions(
  db: Db,
  table: Partitioned,
  before: number,
  consume: (tx: Db, partition: SQL) => Promise<unknown>,
): Promise<number> {
  const old = (await listDays(db, table)).filter((day) => day + spanOf(table) <= before);
  let dropped = 0;
  for (const day of old) {
    const name = sql.identifier(nameOf(table, day));
    const isEmpty = async (tx: Db) => {
      const [row] = await query<{ is: boolean }>(tx, sql`select not exists (select from ${name}) as is`);
      return row!.is;
    };
    const consumed = await exclusively(db, async (tx) => {
      if (!(await isThere(tx, table, day))) return;
      // Readers go on until it is emptied.
      await tx.execute(sql`lock table ${name} in share mode`);
      if (await isEmpty(tx)) return;
      await consume(tx, sql`${name}`);
      await tx.execute(sql`truncate ${name}`);
    });
    const gone = await exclusively(db, async (tx) => {
      if (!(await isThere(tx, table, day))) return;
      // In the order of readers, or one that has the first would wait for the second for ever.
      await tx.execute(sql`lock table only ${sql.identifier(table)} in access exclusive mode`);
      await tx.execute(sql`lock table ${name} in access exclusive mode`);
      if (await isEmpty(tx)) await tx.execute(sql`drop table ${name}`);
    });
    if (!consumed || !gone) break;
    dropped += 1;
  }
  return dropped;
}

/** Takes every row whose day has no partition, so that none is refused. */
export function defaultOf(table: Partitioned): string {
  return `${table}_default`;
}

export function columnOf(table: Partitioned): string {
  return shapes[table].column;
}

const spanOf = (table: Partitioned): number => shapes[table].days * dayMs;

/** Of less than a day, with the hour. */
function nameOf(table: Partitioned, day: number): string {
  const digits = new Date(day).toISOString().replace(/[^0-9]/g, '');
  return `${table}_${digits.slice(0, shapes[table].days < 1 ? 10 : 8)}`;
}

/** Start of each day that has a partition, ms since 1970. */
async function listDays(db: Db, table: Partitioned): Promise<number[]> {
  const rows = await query<{ day: string }>(
    db,
    sql`select substring(c.relname from '_([0-9]{8,10})$') as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = to_regclass(${table}) and c.relname ~ '_[0-9]{8,10}$' order by 1`,
  );
  return rows.map(({ day }) =>
    Date.UTC(
      Number(day.slice(0, 4)),
      Number(day.slice(4, 6)) - 1,
      Number(day.slice(6, 8)),
      Number(day.slice(8)),
    ),
  );
}

async function isThere(tx: Db, table: Partitioned, day: number): Promise<boolean> {
  const [row] = await query<{ is: boolean }>(
    tx,
    sql`select to_regclass(${nameOf(table, day)}) is not null as is`,
  );
  return row!.is;
}

/** `CREATE TABLE … PARTITION OF` would lock out everybody; attaching a table locks only the default partition, whose rows of that day move. */
async function createPartition(db: Db, table: Partitioned, day: number): Promise<boolean> {
  const [parent, name, rest, column] = [table, nameOf(table, day), defaultOf(table), columnOf(table)].map(
    (n) => sql.identifier(n),
  );
  const [from, to] = [day, day + spanOf(table)].map((at) => sql.raw(`'${new Date(at).toISOString()}'`));
  return exclusively(db, async (tx) => {
    if (await isThere(tx, table, day)) return;
    await tx.execute(sql`create table ${name} (like ${parent} including defaults including constraints)`);
    await tx.execute(sql`lock table ${rest} in access exclusive mode`);
    await tx.execute(sql`
      with moved as (
        delete from ${rest} where ${column} >= ${from}::timestamptz and ${column} < ${to}::timestamptz returning *)
      insert into ${name} select * from moved`);
    await tx.execute(
      sql`alter table ${parent} attach partition ${name} for values from (${from}) to (${to})`,
    );
  });
}

/** Work on partitions, by one copy at a time. False when another is at it. */
export async function exclusively(db: Db, work: (tx: Db) => Promise<void>): Promise<boolean> {
  return db.transaction(async (tx) => {
    await tx.execute(lockTimeout);
    const isMine = await tryLock(tx, locks.partitions);
    if (isMine) await work(tx);
    return isMine;
  });
}

/** A table as the migrations made it becomes the default partition's parent: same columns, defaults, sequence, indexes and rows. */
async function convert(db: Db, table: Partitioned): Promise<void> {
  const [found] = await query<{ kind: string }>(
    db,
    sql`select relkind::text as kind from pg_class where oid = to_regclass(${table})`,
  );
  if (found?.kind !== 'r') return;
  const [parent, rest] = [table, defaultOf(table)].map((n) => sql.identifier(n));
  await db.transaction(async (tx) => {
    await tx.execute(sql`lock table ${parent} in access exclusive mode`);
    const indexes = await query<{ name: string; definition: string }>(
      tx,
      sql`select indexname as name, indexdef as definition from pg_indexes
          where schemaname = current_schema() and tablename = ${table}`,
    );
    await tx.execute(sql`alter table ${parent} rename to ${rest}`);
    await tx.execute(
      sql`create table ${parent} (like ${rest} including defaults including constraints)
          partition by range (${sql.identifier(columnOf(table))})`,
    );
    const sequence = `${table}_id_seq`;
    const [counted] = await query<{ is: boolean }>(
      tx,
      sql`select to_regclass(${sequence}) is not null as is`,
    );
    if (counted!.is) await tx.execute(sql`alter sequence ${sql.identifier(sequence)} owned by ${parent}.id`);
    for (const { name } of indexes) await tx.execute(sql`drop index ${sql.identifier(name)}`);
    await tx.execute(sql`alter table ${parent} attach partition ${rest} default`);
    // They say the parent's name, for they were read before.
    for (const { definition } of indexes) await tx.execute(sql.raw(definition));
  });
}
