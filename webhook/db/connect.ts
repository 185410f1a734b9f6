/**
 * One Drizzle client for both databases: PostgreSQL by URL (postgres.js), or PGlite in a directory (or in memory), which may have one
 * opener only. Migrations run on connect; with PostgreSQL one copy at a time does them.
 */
import { PGlite } from '@electric-sql/pglite';
import { sql } from 'drizzle-orm';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator';
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js';
import { migrate as migratePostgres } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { preparePartitions } from './partitions.ts';
import { createPatientSockets } from './patient-socket.ts';
import * as schema from './schema.ts';
import { prepareSearch } from './search.ts';

/** The client or a transaction of it: operations take either. */
export type Db = PgDatabase<PgQueryResultHKT, typeof schema>;

export interface Database {
  db: Db;
  kind: 'postgresql' | 'pglite';
  /** Calls back for every notification on a channel, from whichever copy. */
  listen(channel: string, onNotify: (payload: string) => void): Promise<void>;
  close(): Promise<void>;
}

export type DatabaseLocation = { url: string; connections?: number } | { dir: string | 'memory' };

const migrationsFolder = new URL('./migrations', import.meta.url).pathname;
/** Any number will do, as long as all copies use the same. */
const migrationLock = 4_717_241;

export async function connect(location: DatabaseLocation): Promise<Database> {
  return 'url' in location
    ? connectPostgres(location.url, location.connections ?? 10)
    : openPglite(location.dir);
}

async function connectPostgres(url: string, connections: number): Promise<Database> {
  const client = postgres(url, {
    max: connections,
    onnotice: () => {},
    connection: { application_name: 'flota' },
    // The driver has this option; its types do not.
    ...({ socket: createPatientSockets() } as object),
  });
  try {
    const single = postgres(url, { max: 1, onnotice: () => {} });
    try {
      const db = drizzlePostgres(single, { schema });
      await db.execute(sql`select pg_advisory_lock(${migrationLock})`);
      await migratePostgres(db, { migrationsFolder });
      await preparePartitions(db as unknown as Db);
      await prepareSearch(db as unknown as Db);
    } finally {
      await single.end({ timeout: 5 });
    }
  } catch (error) {
    await client.end({ timeout: 1 });
    throw error;
  }
  return {
    db: drizzlePostgres(client, { schema }) as unknown as Db,
    kind: 'postgresql',
    async listen(channel, onNotify) {
      await client.listen(channel, onNotify);
    },
    async close() {
      await client.end({ timeout: 5 });
    },
  };
}

async function openPglite(dir: string): Promise<Database> {
  const client = dir === 'memory' ? await PGlite.create() : await PGlite.create(dir);
  const db = drizzlePglite(client, { schema });
  await migratePglite(db, { migrationsFolder });
  await preparePartitions(db as unknown as Db);
  return {
    db: db as unknown as Db,
    kind: 'pglite',
    async listen(channel, onNotify) {
      await client.listen(channel, onNotify);
    },
    async close() {
      await client.close();
    },
  };
}

/** The rows of a raw query, alike from both drivers. */
export async function query<Row extends Record<string, unknown>>(
  db: Db,
  statement: ReturnType<typeof sql>,
): Promise<Row[]> {
  const result: unknown = await db.execute(statement);
  return (Array.isArray(result) ? result : (result as { rows: unknown[] }).rows) as Row[];
}

/** SQLSTATE of a failed query, wherever the driver and Drizzle have put it. */
export function sqlState(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = (e as { code?: unknown }).code;
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code;
  }
  return undefined;
}

export const uniqueViolation = '23505';
export const foreignKeyViolation = '23503';

/**
 * Faults of the data itself (classes 22 and 23; 54, what is beyond a limit; or values that no driver can write): trying the same again
 * cannot help.
 */
export function isPermanent(error: unknown): boolean {
  const state = sqlState(error);
  if (state) return /^(2[23]|54)/.test(state);
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof TypeError || e instanceof RangeError || e instanceof SyntaxError) return true;
  }
  return false;
}

/** Two transactions stood in each other's way: the same again at once may work. */
export function isCollision(error: unknown): boolean {
  return ['40001', '40P01'].includes(sqlState(error) ?? '');
}

/** A value of the caller that its type cannot hold: U+0000 in a text, a year before the calendar, a number too large. */
export function isUnstorable(error: unknown): boolean {
  return ['22021', '22P05', '22003', '22007', '22008', '22P02'].includes(sqlState(error) ?? '');
}

/** The database is away, starting, stopping or full up, as opposed to refusing a statement. */
export function isUnavailable(error: unknown): boolean {
  if (/^(08|53|57P)/.test(sqlState(error) ?? '')) return true;
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = String((e as { code?: unknown }).code);
    if (/^(CONNECTION_|CONNECT_TIMEOUT$|ECONNREFUSED$|ECONNRESET$|ENOTFOUND$|EPIPE$)/.test(code)) return true;
  }
  return false;
}
