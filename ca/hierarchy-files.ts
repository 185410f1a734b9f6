import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CaError } from './client.ts';
import { syncDirectory, writeSynced } from './durable-files.ts';

const staleMs = 3_600_000;

/**
 * Makes the directory with these files, or nothing, whatever kills the process: they are written into a draft beside it, which then
 * gets its name in one rename. False when the name is taken. Files that end in .key are for their owner only.
 */
export async function placeDirectory(path: string, files: Record<string, string>): Promise<boolean> {
  const parent = dirname(path);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await removeStale(parent, basename(path));
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`;
  await mkdir(draft, { mode: 0o700 });
  for (const [file, content] of Object.entries(files)) {
    await writeSynced(join(draft, file), content, file.endsWith('.key') ? 0o600 : 0o644);
  }
  await syncDirectory(draft);
  try {
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { recursive: true });
    if (['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
  await syncDirectory(parent);
  return true;
}

/** @throws CaError hierarchy_damaged when it cannot be read */
export async function readText(path: string): Promise<string> {
  const text = await readIfThere(path);
  if (text === undefined)
    throw new CaError('hierarchy_damaged', `${basename(path)} is missing in ${dirname(path)}`);
  return text;
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CaError('hierarchy_damaged', `${path} cannot be read`, { cause });
  }
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Half-written drafts of processes that were killed; younger ones may belong to somebody who is still at it. */
async function removeStale(parent: string, name: string): Promise<void> {
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(`${name}.`) || !/\.[0-9a-f]{12}\.new$/.test(entry)) continue;
    const { mtimeMs } = await stat(join(parent, entry));
    if (Date.now() - mtimeMs > staleMs) await rm(join(parent, entry), { recursive: true, force: true });
  }
}
