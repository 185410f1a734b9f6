/** Everything at once, with faults; then rest, and the checks. */
import { setTimeout as delay } from 'node:timers/promises';
import { judge, type Verdict } from './checks.ts';
import { createRandom, type SoakOptions } from './config.ts';
import { deployNext, watchDeployment } from './deployments.ts';
import { type FaultLog, listFaults, sparesSecondCopy, strikeAtRandom } from './faults.ts';
import { startFleet } from './fleet.ts';
import { createMemoryWatch, type Growth } from './memory.ts';
import { startSystem } from './system.ts';

export interface Report extends Verdict {
  faults: Map<string, number>;
  growth: Growth[];
}

export interface Progress {
  elapsedMs: number;
  online: number;
  deployments: number;
  sent: number;
  waiting: number;
  fault: string | null;
}

const settleLimitMs = 240_000;

export async function soak(
  options: Omit<SoakOptions, 'keep'>,
  dir: string,
  signal: AbortSignal,
  say: (line: string) => void,
  show: (progress: Progress) => void,
): Promise<Report> {
  const random = createRandom(options.seed);
  const system = await startSystem(dir);
  const closers: (() => unknown)[] = [() => system.close()];
  try {
    const fleet = await startFleet(system, dir, options);
    closers.push(() => fleet.close());
    const start = Date.now();
    const until = start + options.minutes * 60_000;
    const spareFrom = start + (options.minutes * 60_000) / 3;
    const log: FaultLog = { counts: new Map(), now: null };
    let deployments = 0;
    const progress = () =>
      show({
        elapsedMs: Date.now() - start,
        online: fleet.on().filter((device) => device.snapshot().online).length,
        deployments,
        sent: fleet.talkers.reduce((sum, talker) => sum + talker.reports.length, 0),
        waiting: fleet.talkers.reduce((sum, talker) => sum + talker.waiting(), 0),
        fault: log.now,
      });
    const shown = setInterval(progress, 1_000);
    closers.push(() => clearInterval(shown));
    const memory = createMemoryWatch([
      ...system.copies,
      system.broker,
      system.store,
      system.ca,
      system.proxy,
    ]);
    closers.push(() => void memory.stop());
    // Whatever fails ends the others.
    const failed = new AbortController();
    const over = () => Date.now() >= until || signal.aborted || failed.signal.aborted;
    const every = async (ms: () => number, act: () => unknown) => {
      for (; !over(); await delay(ms(), undefined, { signal }).catch(() => {})) await act();
    };
    const work = [
      strikeAtRandom({
        faults: listFaults(system),
        random,
        until,
        signal: AbortSignal.any([signal, failed.signal]),
        log,
        allow: (fault) => Date.now() < spareFrom || sparesSecondCopy(fault),
        say,
      }),
      every(
        () => 1_000,
        () => fleet.talkers.map((talker) => talker.report()),
      ),
      every(
        () => 1_000 + Math.random() * 4_000,
        () => fleet.disturb(Math.random),
      ),
      (async () => {
        while (!over()) {
          const id = await deployNext(system, deployments + 1, fleet.ids);
          deployments += 1;
          await watchDeployment(system, id, over);
        }
      })(),
    ];
    for (const one of work) one.catch(() => failed.abort());
    const ended = await Promise.allSettled(work);
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
    signal.throwIfAborted();
    say('everything is healed; waiting until all is quiet');
    fleet.allOn();
    const growth = memory.stop();
    for (const deadline = Date.now() + settleLimitMs; ; await delay(1_000, undefined, { signal })) {
      const busy = fleet.on().some((device) => {
        const { online, outboxMessages, state } = device.snapshot();
        return !online || outboxMessages > 0 || state !== 'idle';
      });
      const waiting = fleet.talkers.some((talker) => talker.waiting() > 0);
      const verdict = busy || waiting ? null : await judge(system, fleet);
      if (verdict && (verdict.problems.length === 0 || Date.now() > deadline))
        return {
          ...verdict,
          faults: log.counts,
          growth,
          problems: [...verdict.problems, ...memoryProblems(growth)],
        };
      if (Date.now() > deadline) {
        const last = await judge(system, fleet);
        return {
          ...last,
          faults: log.counts,
          growth,
          problems: ['it did not become quiet', ...last.problems],
        };
      }
    }
  } finally {
    for (const end of closers.reverse()) await end();
  }
}

function memoryProblems(growth: Growth[]): string[] {
  const mb = (bytes: number) => Math.round(bytes / 1024 / 1024);
  return growth
    .filter((one) => !one.flat)
    .map(
      (one) =>
        `${one.name} grew from ${mb(one.middleBytes)} to ${mb(one.endBytes)} MiB within ${one.lifeSeconds} s`,
    );
}
