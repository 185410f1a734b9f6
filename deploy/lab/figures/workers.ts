/**
 * A copy with two workers against one, as processes of `webhook/main.ts`. Sender, database and workers share the machine's cores, so that
 * on two of them the events a second say little of what two free cores would do; the processor time an event says it: two workers can
 * commit as much more as theirs is no dearer.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { spawnCopy } from '#webhook/workers/testing-copy.ts';
import { killGroup } from '../primitives/guard.ts';
import { until } from '../primitives/until.ts';
import { type Figures, median } from './figures.ts';
import { tell, webhookToken } from './webhook-copy.ts';

const rounds = 5;
const events = 10_000;
const warmUp = 4_000;
const startsWithinMs = 120_000;
/** Of two free cores, 1.8 times the events of one. */
const aim = 0.9;

interface Copy {
  child: ChildProcess;
  port: number;
  pids: number[];
  perSecond: number[];
  us: number[];
}

/** `send`: that many events to a port; returns how many were committed a second. */
export async function compareWorkers(
  databaseUrl: string,
  brokerUrl: string,
  send: (port: number, events: number) => Promise<number>,
): Promise<Figures> {
  const copies: Copy[] = [];
  try {
    for (const workers of [1, 2]) copies.push(await startCopy(workers, databaseUrl, brokerUrl));
    for (let round = -1; round < rounds; round++) {
      for (const copy of copies) {
        const count = round < 0 ? warmUp : events;
        const before = processorMs(copy.pids);
        const perSecond = await send(copy.port, count);
        if (round < 0) continue;
        copy.perSecond.push(perSecond);
        copy.us.push(((processorMs(copy.pids) - before) * 1000) / count);
      }
      const last = copies.map(
        ({ perSecond, us }) => `${Math.round(perSecond.at(-1) ?? 0)}/s at ${Math.round(us.at(-1) ?? 0)} µs`,
      );
      if (round >= 0) tell(`one worker and two, round ${round + 1} of ${rounds}: ${last.join(', ')}`);
    }
  } finally {
    for (const { child } of copies) killGroup(child, 'SIGTERM');
  }
  const [one, two] = copies as [Copy, Copy];
  const ratio = (of: (i: number) => number) => Number(median(one.us.map((_, i) => of(i))).toFixed(3));
  return {
    'ingest.workers_2': {
      value: Math.round(median(two.perSecond)),
      unit: 'events committed/s by two workers; baseline: by one; sender and database share the cores with them',
      baseline: Math.round(median(one.perSecond)),
      ratio: ratio((i) => two.perSecond[i]! / one.perSecond[i]!),
      aim: null,
    },
    'ingest.workers_2_processor': {
      value: Math.round(median(two.us)),
      unit: 'µs of processor time an event, of two workers together; baseline: of one',
      baseline: Math.round(median(one.us)),
      ratio: ratio((i) => one.us[i]! / two.us[i]!),
      aim,
    },
  };
}

async function startCopy(workers: number, databaseUrl: string, brokerUrl: string): Promise<Copy> {
  const child = spawnCopy({ workers, databaseUrl, brokerUrl, webhookToken });
  const found: { internalPort: number; pid: number }[] = [];
  let rest = '';
  const hear = (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line.includes('"webhook listens"') && workers === 1)
        found.push({ ...(JSON.parse(line) as { internalPort: number }), pid: child.pid! });
      if (!line.includes('"worker listens"')) continue;
      const { internalPort, worker } = JSON.parse(line) as { internalPort: number; worker: number };
      found.push({ internalPort, pid: worker });
    }
  };
  child.stdout!.on('data', hear);
  child.stderr!.on('data', hear);
  await until('the workers', () => found.length === workers, startsWithinMs);
  const pids = [...new Set([child.pid!, ...found.map(({ pid }) => pid)])];
  return { child, port: found[0]!.internalPort, pids, perSecond: [], us: [] };
}

/** Since they began, as Linux counts it: in hundredths of a second. */
function processorMs(pids: number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * 10;
  }, 0);
}
