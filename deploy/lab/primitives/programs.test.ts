import { statSync, utimesSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { keepPrograms, program } from './programs.js';

it('a program that was made of other sources is not run', () => {
  const main = fileURLToPath(new URL('../../../firmware/signing/cli.ts', import.meta.url));
  const source = ['--import', import.meta.resolve('tsx'), main];
  keepPrograms();
  expect(program(main)).toEqual([expect.stringMatching(/firmware\/signing\/cli\.mjs$/)]);
  // One that it imports.
  const part = fileURLToPath(new URL('../../../firmware/signing/key.ts', import.meta.url));
  const { atime, mtime } = statSync(part);
  utimesSync(part, atime, new Date(mtime.getTime() + 1000));
  try {
    expect(program(main)).toEqual(source);
  } finally {
    utimesSync(part, atime, mtime);
  }
  expect(program(main)).not.toEqual(source);
});
