/**
 * A copy with two workers against one, as processes of `webhook/main.ts`. Sender, database and workers share the machine's cores, so that
 * on two of them the events a second say little of what two free cores would do; the processor time an event says it: two workers can
 * commit as much more as theirs is no dearer.
 */
import type { ChildProcess } from 'node:child_process';
import { spawnCopy } from '#webhook/workers/testing-copy.ts';
import { killGroup } from '../primitives/guard.ts';
import { until } from '../primitives/until.ts';
import { byRound, type Figures, median, processorMs } from './figures.ts';
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
        const before = processorMs([copy.child.pid!]);
        const perSecond = await send(copy.port, count);
        if (round < 0) continue;
        copy.perSecond.push(perSecond);
        copy.us.push(((processorMs([copy.child.pid!]) - before) * 1000) / count);
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
  return {
    'ingest.workers_2': {
      ...byRound(two.perSecond, one.perSecond),
      unit: 'events committed/s by two workers; baseline: by one; sender and database share the cores with them',
      aim: null,
    },
    'ingest.workers_2_processor': {
      value: Math.round(median(two.us)),
      unit: 'µs of processor time an event, of two workers together; baseline: of one',
      baseline: Math.round(median(one.us)),
      ratio: byRound(one.us, two.us).ratio,
      aim,
    },
  };
}

async function startCopy(workers: number, databaseUrl: string, brokerUrl: string): Promise<Copy> {
  const child = spawnCopy({ workers, databaseUrl, brokerUrl, webhookToken });
  const ports: number[] = [];
  const listens = workers === 1 ? '"webhook listens"' : '"worker listens"';
  let rest = '';
  const hear = (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines)
      if (line.includes(listens)) ports.push((JSON.parse(line) as { internalPort: number }).internalPort);
  };
  child.stdout!.on('data', hear);
  child.stderr!.on('data', hear);
  await until('the workers', () => ports.length === workers, startsWithinMs);
  return { child, port: ports[0]!, perSecond: [], us: [] };
}
