/**
 * An empty, migrated PGlite as a file, since making one costs five seconds of a processor and reading one costs one. Kept below
 * node_modules for as long as migrations and PGlite stay the same.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  openAsBlob,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { connect, type Database } from '#webhook/db/connect.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = join(root, 'node_modules/.cache/flota');

/** The file; made, in memory, where there is none. */
export async function keepDatabase(): Promise<string> {
  const file = fileOf();
  if (existsSync(file)) return file;
  const client = await PGlite.create();
  await connect({ client });
  await keep(file, client);
  await client.close();
  return file;
}

/** The database in `dir`; where there is none it is made of the file, and the file of it. */
export async function openLocalDatabase(dir: string): Promise<Database> {
  if (existsSync(dir)) return connect({ dir });
  const file = fileOf();
  const isKept = existsSync(file);
  const client = await PGlite.create({
    dataDir: dir,
    ...(isKept && { loadDataDir: await openAsBlob(file) }),
  });
  const database = await connect({ client });
  // Whoever may not write there starts all the same.
  if (!isKept) await keep(file, client).catch(() => {});
  return database;
}

async function keep(file: string, client: PGlite): Promise<void> {
  const made = Buffer.from(await (await client.dumpDataDir('none')).arrayBuffer());
  // One of other migrations is of no use any more, and has 42 MB.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const temporary = `${file}.${randomUUID()}`;
  writeFileSync(temporary, made);
  renameSync(temporary, file);
}

function fileOf(): string {
  const hash = createHash('sha256');
  const sources = join(root, 'webhook/db');
  const database = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(ts|sql|json)$/.test(name),
  );
  hash.update(readFileSync(join(root, 'node_modules/@electric-sql/pglite/package.json')));
  for (const name of database.sort()) hash.update(readFileSync(join(sources, name)));
  return join(folder, `pglite-${hash.digest('hex').slice(0, 16)}.tar`);
}
