/** Everything is checked before anything is written; then the database, which is all or nothing, and last what is only renamed into place. */
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { lockDataDirectory } from '../local/data-lock.ts';
import { type Contents, unpack, withDraft } from './archive.ts';
import { localFiles } from './backup.ts';
import { findInBucket, putObjects } from './bucket.ts';
import type { PartName, Places, Task } from './config.ts';
import { findInDatabase, kindOf, loadDatabase } from './database.ts';
import { BackupError } from './tools.ts';

export async function restore({ file, only, places }: Task, say: (line: string) => void): Promise<void> {
  if (!existsSync(file)) throw new BackupError(`there is no ${file}`);
  await mkdir(places.dataDir, { recursive: true, mode: 0o700 });
  const release = await lockDataDirectory(places.dataDir);
  try {
    await withDraft(join(places.dataDir, 'restore'), async (dir) => {
      const contents = await unpack(file, dir);
      const names = only ?? contents.parts;
      const absent = names.filter((name) => !contents.parts.includes(name));
      if (absent.length > 0) throw new BackupError(`${file} has no ${absent.join(' and no ')}`);
      await refuseWhatDoesNotFit(contents, names, places);
      const inOrder = (['database', 'ca', 'objects', 'local'] as const).filter((part) =>
        names.includes(part),
      );
      for (const [i, name] of inOrder.entries()) {
        say(`restoring ${name} …`);
        try {
          await load[name](places, join(dir, name));
        } catch (error) {
          if (i > 0)
            say(
              `restored already: ${inOrder.slice(0, i).join(', ')}. When ${name} is mended and its place empty: npm run restore -- ${file} --only ${inOrder.slice(i).join(',')}`,
            );
          throw error;
        }
      }
      say(`restored ${names.join(', ')} as of ${contents.at}`);
    });
  } finally {
    await release();
  }
}

async function refuseWhatDoesNotFit(contents: Contents, names: PartName[], places: Places): Promise<void> {
  if (names.includes('database') && contents.database !== kindOf(places)) {
    const remedy = contents.database === 'pglite' ? 'unset DATABASE_URL' : 'set DATABASE_URL';
    throw new BackupError(`the backup is of ${contents.database}: ${remedy}`);
  }
  const wanted = places.bucket ? 'bucket' : 'directory';
  if (names.includes('objects') && contents.objects !== wanted)
    throw new BackupError(
      `the backup's objects are of a ${contents.objects}: ${wanted === 'bucket' ? 'unset' : 'set'} S3_BUCKET`,
    );
  const found: (string | null)[] = [];
  if (names.includes('database')) found.push(await findInDatabase(places));
  if (names.includes('ca')) found.push(await findIn(places.caDir));
  if (names.includes('objects'))
    found.push(
      places.bucket ? await findInBucket(places.bucket) : await findIn(join(places.dataDir, 'store')),
    );
  if (names.includes('local'))
    found.push(
      ...localFiles.map((name) => join(places.dataDir, name)).map((path) => (existsSync(path) ? path : null)),
    );
  const there = found.filter((one) => one !== null);
  if (there.length > 0) throw new BackupError(`a restore needs an empty place: ${there.join('; ')} is there`);
}

async function findIn(dir: string): Promise<string | null> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.length > 0 ? join(dir, names[0]!) : null;
}

const load: Record<PartName, (places: Places, dir: string) => Promise<void>> = {
  database: (places, dir) => loadDatabase(places, join(dir, 'dump')),
  ca: ({ caDir }, dir) => place(dir, caDir),
  objects: ({ bucket, dataDir }, dir) =>
    bucket ? putObjects(bucket, dir) : place(dir, join(dataDir, 'store')),
  local: async ({ dataDir }, dir) => {
    for (const name of await readdir(dir)) await rename(join(dir, name), join(dataDir, name));
  },
};

/** Copied beside its place first, which may be on another disk than the draft. */
async function place(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  const draft = `${to}.restoring`;
  await rm(draft, { recursive: true, force: true });
  await cp(from, draft, { recursive: true, preserveTimestamps: true });
  // An empty directory may be there, a mount for example; a rename replaces it where that is allowed.
  await rename(draft, to).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EBUSY' && error.code !== 'EXDEV') throw error;
    await cp(draft, to, { recursive: true, preserveTimestamps: true });
    await rm(draft, { recursive: true });
  });
}
