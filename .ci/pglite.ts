/**
 * Vitest's global set-up: a migrated PGlite of which every test takes a copy, since making one costs three seconds of a processor.
 * It is kept below node_modules for as long as migrations and PGlite stay the same, and named in FLOTA_TEST_PGLITE.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { PGlite } from '@electric-sql/pglite';
import { connect } from '../webhook/db/connect.ts';

const folder = 'node_modules/.cache/flota';

export default async function keepDatabase(): Promise<void> {
  const file = `${folder}/pglite-${key()}.tar`;
  if (!existsSync(file)) {
    const client = await PGlite.create();
    await connect({ client });
    const made = Buffer.from(await (await client.dumpDataDir('none')).arrayBuffer());
    await client.close();
    // One of other migrations is of no use any more, and has 42 MB.
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${file}.${process.pid}`, made);
    renameSync(`${file}.${process.pid}`, file);
  }
  process.env.FLOTA_TEST_PGLITE = file;
}

function key(): string {
  const hash = createHash('sha256');
  const database = readdirSync('webhook/db', { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(ts|sql|json)$/.test(name),
  );
  hash.update(readFileSync('node_modules/@electric-sql/pglite/package.json'));
  for (const name of database.sort()) hash.update(readFileSync(`webhook/db/${name}`));
  return hash.digest('hex').slice(0, 16);
}
