/**
 * An empty, migrated PGlite, since making one costs five seconds of a processor and copying one half a second: as a folder for who starts
 * on a disk, as a file for who reads it into memory. Kept below node_modules for as long as migrations and PGlite stay the same.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  cpSync,
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
import type { PGlite, PGliteOptions } from '@electric-sql/pglite';
import { connect, type Database } from '#webhook/db/connect.ts';
import { openPglite } from '#webhook/db/pglite.ts';
import { dropOld, keptFolder } from '../primitives/programs.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The file; made where there is none. */
export async function keepDatabase(): Promise<string> {
  const file = `${keptPath()}.tar`;
  if (existsSync(file)) return file;
  const client = await makeEmpty({});
  const dump = Buffer.from(await (await client.dumpDataDir('none')).arrayBuffer());
  await client.close();
  keep(file, (temporary) => writeFileSync(temporary, dump));
  return file;
}

/** A copy of it in memory. */
export async function openDatabaseInMemory(): Promise<Database> {
  const loadDataDir = await openAsBlob(await keepDatabase());
  return connect({ client: await openPglite({ loadDataDir }) });
}

/** The database in `dir`; where there is none it is a copy of the folder, which is made where there is none. */
export async function openLocalDatabase(dir: string): Promise<Database> {
  if (!existsSync(dir)) await makeDatabase(dir);
  return connect({ dir });
}

/** Whole, or not there: who is killed in the middle has lost nothing. */
async function makeDatabase(dir: string): Promise<void> {
  const unfinished = `${dir}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const kept = keptPath();
  if (existsSync(kept)) cpSync(kept, unfinished, { recursive: true });
  else {
    await (await makeEmpty({ dataDir: unfinished })).close();
    try {
      keep(kept, (temporary) => cpSync(unfinished, temporary, { recursive: true }));
    } catch {
      // Whoever may not write there starts all the same.
    }
  }
  renameSync(unfinished, dir);
}

/** Without what PostgreSQL copies whenever somebody makes one more database beside ours, as nobody does: two of every five files, and a third of the bytes. */
async function makeEmpty(options: PGliteOptions): Promise<PGlite> {
  const client = await openPglite(options);
  await connect({ client });
  await client.exec(`update pg_database set datistemplate = false where datistemplate`);
  for (const name of ['template0', 'template1']) await client.exec(`drop database ${name}`);
  return client;
}

function keep(path: string, write: (temporary: string) => void): void {
  mkdirSync(keptFolder, { recursive: true });
  const temporary = join(keptFolder, `pglite-unfinished-${randomUUID()}`);
  write(temporary);
  try {
    renameSync(temporary, path);
  } catch {
    // Somebody else was first with the folder.
    rmSync(temporary, { recursive: true });
  }
  dropOld('pglite-', path);
}

function keptPath(): string {
  const hash = createHash('sha256');
  const sources = join(root, 'webhook/db');
  const database = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(ts|sql|json)$/.test(name),
  );
  hash.update(readFileSync(join(root, 'node_modules/@electric-sql/pglite/package.json')));
  for (const name of database.sort()) hash.update(readFileSync(join(sources, name)));
  hash.update(readFileSync(fileURLToPath(import.meta.url)));
  return join(keptFolder, `pglite-${hash.digest('hex').slice(0, 16)}`);
}
