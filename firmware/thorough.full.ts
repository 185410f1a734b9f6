import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { built, make } from './make.ts';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('.', import.meta.url));
/** What a part with a Makefile of its own says to that. */
const makeIn = async (part: string, ...args: string[]) =>
  (await run('make', ['-s', '-C', `${folder}${part}`, ...args])).stdout;
const nodes = 'NODES=225000';

// As far as clang's analyzer goes by itself; `npm test` goes less far along the paths of a function.
it('clang-tidy finds nothing in what is written in C, however long it looks', {
  timeout: 3_600_000,
}, async () => {
  await make('tidy', nodes);
  for (const part of ['arduino', 'esp-idf'])
    expect(await makeIn(part, 'test-tidy', nodes), part).toMatch(/ok - clang-tidy finds nothing/);
});

it('the power may go at any write, and again soon after; thousands of seeds hold', {
  timeout: 3_600_000,
}, async () => {
  await make('build/power_test', 'build/seeds_test');
  const twice = { env: { ...process.env, POWER_TWICE_EVERY: '1' } };
  expect((await run(built('power_test'), [], twice)).stdout).toMatch(/ 12 tests hold/);
  expect((await run(built('seeds_test'), ['5000', '1'])).stdout).toMatch(/^5000 seeds hold/m);
});

it('a minute of any bytes breaks no parser', { timeout: 3_600_000 }, async () => {
  await make('fuzz', 'FUZZ_SECONDS=60');
  const uno = await makeIn('arduino', 'test-fuzz', 'FUZZ_SECONDS=60');
  for (const parser of ['stk500', 'line']) expect(uno).toContain(`ok - fuzzing ${parser} found nothing`);
});
