/**
 * Database first, then the CA, then the objects: whatever the database knows of is then in what was copied after it. The CA's records
 * are appended to and objects never change, so both may be in use.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pack, withDraft } from './archive.ts';
import { fetchObjects } from './bucket.ts';
import type { PartName, Places, Task } from './config.ts';
import { databaseIsThere, dumpDatabase, kindOf } from './database.ts';
import { BackupError } from './tools.ts';

export const localFiles = ['secrets.json', 'firmware-signing-key.pem'];

interface Part {
  isThere(places: Places): boolean;
  save(places: Places, dir: string, say: (line: string) => void): Promise<void>;
}

const parts: Record<PartName, Part> = {
  database: {
    isThere: databaseIsThere,
    save: async (places, dir) => {
      await mkdir(dir);
      await dumpDatabase(places, join(dir, 'dump'));
    },
  },
  ca: {
    isThere: ({ caDir }) => existsSync(join(caDir, 'hierarchy')) || existsSync(join(caDir, 'requested')),
    // Drafts and locks of processes that are at work are no state.
    save: ({ caDir }, dir) =>
      cp(caDir, dir, {
        recursive: true,
        preserveTimestamps: true,
        filter: (path) => !/\.(new|tmp)$|^lock(\.|$)/.test(basename(path)),
      }),
  },
  objects: {
    isThere: ({ bucket, dataDir }) => bucket !== null || existsSync(join(dataDir, 'store')),
    save: async ({ bucket, dataDir }, dir, say) => {
      await mkdir(dir);
      if (bucket) await fetchObjects(bucket, dir, (key) => say(`left out: ${key} was deleted meanwhile`));
      else await cp(join(dataDir, 'store'), dir, { recursive: true, preserveTimestamps: true });
    },
  },
  local: {
    isThere: ({ dataDir }) => existsSync(join(dataDir, 'secrets.json')),
    save: async ({ dataDir }, dir) => {
      const names = (await readdir(dataDir)).filter((name) => localFiles.includes(name));
      for (const name of names) await cp(join(dataDir, name), join(dir, name), { recursive: true });
    },
  },
};

export async function backUp({ file, only, places }: Task, say: (line: string) => void): Promise<void> {
  const names = (Object.keys(parts) as PartName[]).filter((name) =>
    only ? only.includes(name) : parts[name].isThere(places),
  );
  const missing = names.filter((name) => !parts[name].isThere(places));
  if (missing.length > 0) throw new BackupError(`there is no ${missing.join(' and no ')} here`);
  if (names.length === 0)
    throw new BackupError(`there is nothing to back up: no database, CA or file store here`);
  await withDraft(file, async (dir) => {
    for (const name of names) {
      say(`saving ${name} …`);
      await parts[name].save(places, join(dir, name), say);
    }
    say('packing …');
    await pack(dir, file, {
      at: new Date().toISOString(),
      database: names.includes('database') ? kindOf(places) : null,
      objects: names.includes('objects') ? (places.bucket ? 'bucket' : 'directory') : null,
      parts: names,
    });
  });
  say(`${file}: ${names.join(', ')}. It holds secrets: keep it encrypted, and apart from this machine.`);
}
