/** The file: a gzipped tar of the parts and of backup.json, which says what is in it and the SHA-256 of every file. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { partNames } from './config.ts';
import { BackupError, drafts, run } from './tools.ts';

const contentsSchema = z.object({
  format: z.literal(1),
  at: z.string(),
  database: z.enum(['postgresql', 'pglite']).nullable(),
  /** A directory of our own file store has its layout, a bucket's objects are by key. */
  objects: z.enum(['bucket', 'directory']).nullable(),
  parts: z.array(z.enum(partNames)).min(1),
  files: z.record(z.string(), z.string()),
});
export type Contents = z.infer<typeof contentsSchema>;

/** A directory beside the file, for its owner only; gone when `work` has ended, however. */
export async function withDraft<T>(file: string, work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(dirname(file), '.flota-backup-'));
  drafts.add(dir);
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
    drafts.delete(dir);
  }
}

/** The file appears whole, in one rename. */
export async function pack(
  dir: string,
  file: string,
  contents: Omit<Contents, 'format' | 'files'>,
): Promise<void> {
  const files = await digestAll(dir);
  const all: Contents = { format: 1, ...contents, files };
  await writeFile(join(dir, 'backup.json'), JSON.stringify(all, null, 2));
  await withDraft(file, async (draft) => {
    const packed = join(draft, 'backup.tar.gz');
    await run('tar', [
      '--create',
      '--gzip',
      `--file=${packed}`,
      `--directory=${dir}`,
      '--owner=0',
      '--group=0',
      '.',
    ]);
    await chmod(packed, 0o600);
    await rename(packed, file);
  });
}

/** Nothing is used of a file that was cut short or changed. */
export async function unpack(file: string, dir: string): Promise<Contents> {
  await run('tar', ['--extract', '--gzip', `--file=${file}`, `--directory=${dir}`, '--no-same-owner']);
  let contents: Contents;
  try {
    contents = contentsSchema.parse(JSON.parse(await readFile(join(dir, 'backup.json'), 'utf8')));
  } catch (cause) {
    throw new BackupError(`${file} is no backup of Flota, or of a newer one`, { cause });
  }
  await rm(join(dir, 'backup.json'));
  const found = await digestAll(dir);
  const names = new Set([...Object.keys(found), ...Object.keys(contents.files)]);
  for (const name of names)
    if (found[name] !== contents.files[name])
      throw new BackupError(`${file} is damaged: ${name} is not what was saved`);
  return contents;
}

async function digestAll(dir: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    // A link could make a restore write elsewhere.
    if (!entry.isFile() && !entry.isDirectory())
      throw new BackupError(`${entry.name} is neither file nor directory`);
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    digests[relative(dir, path)] = hash.digest('hex');
  }
  return digests;
}
