/** A consistent copy of the database in one file: pg_dump's custom format, or PGlite's own dump of its directory. */
import { existsSync, openAsBlob } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { openPglite } from '#webhook/db/pglite.ts';
import { lockDataDirectory } from '../local/data-lock.ts';
import type { Places } from './config.ts';
import { BackupError, run } from './tools.ts';

export type DatabaseKind = 'postgresql' | 'pglite';

export function kindOf(places: Places): DatabaseKind {
  return places.databaseUrl ? 'postgresql' : 'pglite';
}

export function databaseIsThere(places: Places): boolean {
  return places.databaseUrl !== null || existsSync(join(places.dataDir, 'database'));
}

/** Throws DataDirectoryInUse while `npm start` has a PGlite open. PostgreSQL may be in use. */
export async function dumpDatabase(places: Places, file: string): Promise<void> {
  if (places.databaseUrl) {
    await run(
      'pg_dump',
      ['--format=custom', '--no-owner', '--no-privileges', `--file=${file}`],
      toVariables(places.databaseUrl),
    );
    return;
  }
  const release = await lockDataDirectory(places.dataDir);
  try {
    const database = await openPglite({ dataDir: join(places.dataDir, 'database') });
    const dump = await database.dumpDataDir('none');
    await database.close();
    await writeFile(file, Buffer.from(await dump.arrayBuffer()), { mode: 0o600 });
  } finally {
    await release();
  }
}

/** Null when a restore may go there, else what is in the way. */
export async function findInDatabase(places: Places): Promise<string | null> {
  if (!places.databaseUrl) {
    const dir = join(places.dataDir, 'database');
    const there = await readdir(dir).catch(() => []);
    return there.length > 0 ? dir : null;
  }
  const client = postgres(places.databaseUrl, { max: 1, onnotice: () => {}, connect_timeout: 10 });
  try {
    const [row] = await client`
      select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%' and c.relkind in ('r', 'v', 'm', 'S', 'p') limit 1`;
    return row ? `the database has ${row.name}` : null;
  } catch (cause) {
    throw new BackupError(
      `the database does not answer: ${(cause as Error).message || (cause as { code: string }).code}`,
      { cause },
    );
  } finally {
    await client.end({ timeout: 1 });
  }
}

/** All of it or nothing. */
export async function loadDatabase(places: Places, file: string): Promise<void> {
  if (places.databaseUrl) {
    const variables = toVariables(places.databaseUrl);
    const args = ['--no-owner', '--no-privileges', '--exit-on-error', '--single-transaction'];
    await run('pg_restore', [...args, `--dbname=${variables.PGDATABASE}`, file], variables);
    return;
  }
  const dir = join(places.dataDir, 'database');
  const draft = `${dir}.new`;
  await rm(draft, { recursive: true, force: true });
  const database = await openPglite({ dataDir: draft, loadDataDir: await openAsBlob(file) });
  await database.query('select 1 from drizzle.__drizzle_migrations limit 1');
  await database.close();
  await rename(draft, dir);
}

/** In the environment and not in the arguments, which everybody on the machine may read. */
function toVariables(url: string): Record<string, string> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const set = {
    PGHOST: searchParams.get('host') ?? decodeURIComponent(hostname).replace(/^\[(.*)\]$/, '$1'),
    PGPORT: port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)) || 'postgres',
    PGSSLMODE: searchParams.get('sslmode') ?? '',
    PGSSLROOTCERT: searchParams.get('sslrootcert') ?? '',
  };
  return Object.fromEntries(Object.entries(set).filter(([, value]) => value !== ''));
}
