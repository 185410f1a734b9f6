/**
 * Whether a client of any release may go on with this one: its OpenAPI document against today's, by oasdiff (a Go program), which knows
 * some four hundred ways to break a client. What was broken on purpose is named in `accepted.txt`, with its line of CHANGELOG.md.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Document } from '#webhook/docs/document.ts';
import { ReleaseError } from './errors.ts';

const run = promisify(execFile);
const oasdiff = 'github.com/oasdiff/oasdiff@v1.38.0';
const documents = new URL('../../webhook/docs/fixtures/', import.meta.url);
const here = fileURLToPath(new URL('.', import.meta.url));

/** The document of every release of this major version, the oldest first: what each has promised holds. */
export async function readContracts(): Promise<{ version: string; document: Document }[]> {
  const versions = (await readdir(documents)).flatMap((name) => /^openapi-(.+)\.json$/.exec(name)?.[1] ?? []);
  versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return Promise.all(
    versions.map(async (version) => {
      const text = await readFile(new URL(`openapi-${version}.json`, documents), 'utf8');
      return { version, document: JSON.parse(text) };
    }),
  );
}

/** One line for each way in which `now` breaks clients of `before`, but for those that are accepted. Builds oasdiff (a minute, the first time). */
export async function findBreaks(before: Document, now: Document): Promise<string[]> {
  const dir = await mkdtemp(join(tmpdir(), 'flota-contract-'));
  try {
    const [from, to] = [join(dir, 'before.json'), join(dir, 'now.json')];
    await writeFile(from, JSON.stringify(before));
    await writeFile(to, JSON.stringify(now));
    const rules = [
      '--severity-levels',
      join(here, 'severities.txt'),
      '--err-ignore',
      join(here, 'accepted.txt'),
    ];
    // Of what is said to be breaking: warnings are doubts about patterns, which widen.
    const args = ['run', oasdiff, 'breaking', ...rules, '--format', 'json', from, to];
    const { stdout } = await run('go', args, { maxBuffer: 64 << 20, cwd: dir });
    const found = JSON.parse(stdout || '[]') as {
      level: number;
      operation: string;
      path: string;
      text: string;
    }[];
    return found.filter(({ level }) => level === 3).map((one) => `${one.operation} ${one.path}: ${one.text}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new ReleaseError(
        'tool_missing',
        'go is not installed: it builds oasdiff, which compares the API with the last release',
      );
    throw error;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
