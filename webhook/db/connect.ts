/**
 * One Drizzle client for both databases: PostgreSQL by URL (postgres.js), or PGlite in a directory, which may have one opener
 * only. Migrations run on connect; with PostgreSQL one copy at a time does them.
 */
import { PGlite } from '@electric-sql/pglite';
import { sql } from 'drizzle-orm';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator';
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js';
import { migrate as migratePostgres } from 'drizzle-orm/postgres-js/migrator';
import postgres, { type Sql } from 'postgres';
import { locks } from './locks.ts';
import { preparePartitions } from './partitions.ts';
import { createPatientSockets } from './patient-socket.ts';
import { prepareOften } from './prepared.ts';
import type { Db } from './query.ts';
import * as schema from './schema.ts';
import { prepareSearch } from './search.ts';

export interface Database {
  db: Db;
  /**
   * The same database for what devices say, over connections of its own: who reads pages cannot make it wait, and its statements are prepared
   * and planned in a few connections instead of in all of them.
   */
  ingest: Db;
  kind: 'postgresql' | 'pglite';
  /** Calls back for every notification on a channel, from whichever copy. */
  listen(channel: string, onNotify: (payload: string) => void): Promise<void>;
  close(): Promise<void>;
}

/** `client`: a PGlite that the caller has opened, and prepared in its own way. */
export type DatabaseLocation = { url: string; connections?: number } | { dir: string } | { client: PGlite };

/** As many groups of events as are committed at a time (events/ingest.ts). */
const ingestConnections = 2;

const migrationsFolder = new URL('./migrations', import.meta.url).pathname;

export async function connect(location: DatabaseLocation): Promise<Database> {
  if ('url' in location) return connectPostgres(location.url, location.connections ?? 10);
  const client = 'client' in location ? location.client : await PGlite.create(location.dir);
  keepFewParsers(client);
  const database = overPglite(client);
  await migratePglite(database.db as never, { migrationsFolder });
  await preparePartitions(database.db);
  return database;
}

/** Below it are the types that PostgreSQL itself names to its clients; those of its catalogues and of each of our tables follow. */
const firstOfCatalogues = 4_000;

/**
 * PGlite makes a parser for the array of each of 400 types, and copies all of them for each query that brings parsers of its own, as Drizzle's do: that
 * was half of what a small query costs.
 */
export function keepFewParsers(client: Pick<PGlite, 'parsers'>): void {
  for (const type of Object.keys(client.parsers))
    if (Number(type) >= firstOfCatalogues) delete client.parsers[Number(type)];
}

async function connectPostgres(url: string, connections: number): Promise<Database> {
  const client = createPool(url, Math.max(1, connections - ingestConnections));
  const ingest = createPool(url, ingestConnections);
  try {
    const single = postgres(url, { max: 1, onnotice: () => {} });
    try {
      const db = drizzlePostgres(single, { schema });
      await db.execute(sql`select pg_advisory_lock(${locks.migration})`);
      await migratePostgres(db, { migrationsFolder });
      await preparePartitions(db as unknown as Db);
      await prepareSearch(db as unknown as Db);
    } finally {
      await single.end({ timeout: 5 });
    }
  } catch (error) {
    await Promise.all([client.end({ timeout: 1 }), ingest.end({ timeout: 1 })]);
    throw error;
  }
  return {
    db: drizzlePostgres(client, { schema }) as unknown as Db,
    ingest: drizzlePostgres(ingest, { schema }) as unknown as Db,
    kind: 'postgresql',
    async listen(channel, onNotify) {
      await client.listen(channel, onNotify);
    },
    async close() {
      await Promise.all([client.end({ timeout: 5 }), ingest.end({ timeout: 5 })]);
    },
  };
}

/** Connections are made when they are needed. */
function createPool(url: string, max: number): Sql {
  const client = postgres(url, {
    max,
    onnotice: () => {},
    // Compiling a statement takes a third of a second; what is asked here is answered sooner, but planned for rows that are no longer there.
    connection: { application_name: 'flota', jit: 'off' },
    // The driver has this option; its types do not.
    ...({ socket: createPatientSockets() } as object),
  });
  prepareOften(client);
  return client;
}

/** A connection to a PGlite that is migrated already. */
export function overPglite(client: PGlite): Database {
  const db = drizzlePglite(client, { schema }) as unknown as Db;
  return {
    db,
    ingest: db,
    kind: 'pglite',
    async listen(channel, onNotify) {
      await client.listen(channel, onNotify);
    },
    async close() {
      await client.close();
    },
  };
}
