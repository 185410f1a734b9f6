/** Builds what is written in C; one build at a time, for they share `build/`. */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** Where `make` puts a program. */
export function built(name: string): string {
  return `${folder}build/${name}`;
}

/** Runs `make -C firmware` and answers what it printed. Rejects with the end of that when it fails. */
export function make(...targets: string[]): Promise<string> {
  mkdirSync(`${folder}build`, { recursive: true });
  const args = [`${folder}build/lock`, 'make', '-C', folder, `-j${Math.min(2, cpus().length)}`, ...targets];
  return new Promise((resolve, reject) => {
    execFile('flock', args, { maxBuffer: 64 * 1024 * 1024 }, (error, out, err) => {
      const output = `${out}${err}`;
      if (error)
        reject(new Error(`make ${targets.join(' ')}: ${output.trim().slice(-4_000) || error.message}`));
      else resolve(output);
    });
  });
}
