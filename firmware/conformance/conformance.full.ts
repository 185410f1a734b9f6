import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { whyNoBoard } from '../../.ci/board-sources.ts';
import { built, make } from '../make.ts';
import { runSuite } from './suite.ts';

const firmware = fileURLToPath(new URL('..', import.meta.url));

const noBoard = whyNoBoard();
if (noBoard) process.stderr.write(`the emulated board is NOT put to the test: ${noBoard}\n`);

beforeAll(() => make('build/flota-device-checked', 'build/lossy.so', ...(noBoard ? [] : ['board'])), 600_000);

const devices: [name: string, command: string, lossy?: string][] = [
  ['the agent in C', built('flota-device-checked'), built('lossy.so')],
  ['the virtual device', `${process.execPath} --import tsx ${firmware}virtual/main.ts`],
];
if (!noBoard) devices.push(['the emulated board', `${firmware}board/flota-board`]);

it.each(devices)(
  '%s holds the whole conformance suite',
  {
    timeout: 1_800_000,
  },
  async (_name, command, lossy) => {
    const outcomes = await runSuite({ command, lossy });
    expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
    expect(outcomes.length).toBeGreaterThan(50);
  },
);
