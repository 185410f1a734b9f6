import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { ConfigError } from '#webhook/config.ts';

/** Either the old content or the new, whenever the process is killed. Mode 0600: what is kept here is secret. */
export function writeDurably(path: string, content: string): void {
  const temporary = `${path}.${randomUUID()}`;
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    // All of it, where writeSync takes what fits on a full disk.
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

/** What the file says, or what `make` gives, kept from now on. */
export function readOrMake(path: string, make: () => string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const content = make();
  writeDurably(path, content);
  return content;
}

/** What to say, in one line, of a file that was cut off or edited. */
export function damaged(path: string): ConfigError {
  return new ConfigError([`${path} is damaged: bring it back from a backup, or choose another FLOTA_DATA`]);
}
