import { randomBytes } from 'node:crypto';
import { link, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Writes the whole file or nothing, also across a power cut; replaces what was there. */
export async function replaceFile(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = await writeBeside(path, content, mode);
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** The same, but false (and nothing changed) when the name is taken. */
export async function createFile(path: string, content: string, mode = 0o644): Promise<boolean> {
  const temporary = await writeBeside(path, content, mode);
  try {
    // rename() would replace; link() refuses an existing name.
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
  await syncDirectory(dirname(path));
  return true;
}

export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function writeSynced(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const handle = await open(path, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeBeside(path: string, content: string | Uint8Array, mode: number): Promise<string> {
  const temporary = join(dirname(path), `.${randomBytes(8).toString('hex')}.tmp`);
  try {
    await writeSynced(temporary, content, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // Names of new directories must survive a power cut as well as what they hold: the shard's, and its folder's.
    await syncDirectory(dirname(dirname(path)));
    await syncDirectory(dirname(dirname(dirname(path))));
    await writeSynced(temporary, content, mode);
  }
  return temporary;
}
