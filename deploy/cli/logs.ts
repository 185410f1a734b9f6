/** `flota logs`: what a device logged, the oldest first; with -f as it comes. */
import { parseDuration, parseWhole } from '#deploy/lab/fleet/units.ts';
import { type Flota, insist } from './client.ts';
import type { Command } from './command.ts';
import { exits } from './errors.ts';
import { openHints } from './live.ts';
import { type Output, printable } from './output.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const;
type Level = (typeof levels)[number];
type Line = { at: string; level: string; message: string };
const restMs = 5_000;
/** The most that the API returns at once; of a flood between two looks, the rest is not shown. */
const maxLines = 1000;

export const logs: Command = {
  name: 'logs',
  operands: ['DEVICE'],
  summary: 'what a device logged',
  options: {
    follow: { short: 'f', help: 'stay, and show what comes, until Ctrl-C' },
    level: { hint: 'LEVEL', values: levels, help: 'and what is graver: debug, info, warn, error' },
    lines: { hint: 'N', help: 'the last N (default: 50)' },
    since: { hint: 'TIME', help: 'of the last 10min, at most 24h' },
  },
  examples: ['device-001 -f', 'device-001 --level warn --since 2h --lines 1000 --json'],
  async run(input) {
    const id = input.operands[0]!;
    const sinceMs = input.parsed('since', parseDuration);
    const limit = input.parsed('lines', parseWhole(1, maxLines)) ?? 50;
    const level = input.text('level') as Level | undefined;
    const flota = input.flota();
    const from = sinceMs === undefined ? undefined : new Date(Date.now() - sinceMs).toISOString();
    const lines = await read(flota, id, { level, from, limit });
    for (const line of lines) print(input.out, line);
    return input.has('follow') ? follow(flota, id, level, lines, input.out) : exits.succeeded;
  },
};

async function read(
  flota: Flota,
  id: string,
  query: { level?: Level; from?: string; limit: number },
): Promise<Line[]> {
  const { items } = await insist(flota.GET('/api/devices/{id}/logs', { params: { path: { id }, query } }));
  return items.reverse();
}

async function follow(flota: Flota, id: string, level: Level | undefined, shown: Line[], out: Output) {
  const hints = openHints(flota, { kind: 'log', id });
  let isInterrupted = false;
  process.once('SIGINT', () => {
    isInterrupted = true;
    hints.close();
  });
  const startedAt = new Date().toISOString();
  let last = shown;
  while (!isInterrupted) {
    await hints.next(restMs);
    const at = last.at(-1)?.at;
    const found = await read(flota, id, { level, from: at ?? startedAt, limit: maxLines });
    // Those of the same moment come once more.
    const known = last.filter((line) => line.at === at).length;
    const isSame = (line: Line, n: number) => n < known && line.at === at;
    const fresh = found.filter((line, n) => !isSame(line, n));
    for (const line of fresh) print(out, line);
    if (fresh.length > 0) last = found;
  }
  return exits.succeeded;
}

function print(out: Output, line: Line): void {
  out.show(line, `${line.at}  ${line.level.padEnd(5)}  ${printable(line.message)}`);
}
