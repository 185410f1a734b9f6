/** Everything at once, with faults; then rest, and the checks. */
import { setTimeout as delay } from 'node:timers/promises';
import { judge, judgeSoFar, type Verdict } from './checks.ts';
import { createRandom, type SoakOptions } from './config.ts';
import { deployNext, watchDeployment } from './deployments.ts';
import { type FaultLog, listFaults, sparesSecondCopy, strikeAtRandom } from './faults.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { createMemoryWatch, type Growth } from './memory.ts';
import { type System, startSystem } from './system.ts';

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

/** @throws what `signal` was aborted with, when that was before it had begun; later it answers what it has found so far. */
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
    signal.throwIfAborted();
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
    // By now everything is healed. What was stopped tells what it has found so far, unless that cannot be asked either.
    if (!signal.aborted) for (const one of ended) if (one.status === 'rejected') throw one.reason;
    const growth = memory.stop();
    const report = (verdict: Verdict, ...others: string[]): Report => ({
      ...verdict,
      faults: log.counts,
      growth,
      problems: [...others, ...verdict.problems, ...memoryProblems(growth)],
    });
    if (!signal.aborted) {
      say('everything is healed; waiting until all is quiet');
      fleet.allOn();
      const verdict = await settle(system, fleet, signal);
      if (verdict) return report(verdict.last, ...(verdict.quiet ? [] : ['it did not become quiet']));
    }
    say('stopped; looking at what there is');
    return report(await judgeSoFar(system, fleet));
  } finally {
    for (const end of closers.reverse()) await end();
  }
}

/** Null when it was stopped. */
async function settle(
  system: System,
  fleet: Fleet,
  signal: AbortSignal,
): Promise<{ last: Verdict; quiet: boolean } | null> {
  const isBusy = () =>
    fleet.talkers.some((talker) => talker.waiting() > 0) ||
    fleet.on().some((device) => {
      const { online, outboxMessages, state } = device.snapshot();
      return !online || outboxMessages > 0 || state !== 'idle';
    });
  for (const deadline = Date.now() + settleLimitMs; !signal.aborted; ) {
    const isLate = Date.now() > deadline;
    const quiet = !isBusy();
    const last = quiet || isLate ? await judge(system, fleet) : null;
    if (last && (isLate || last.problems.length === 0)) return { last, quiet };
    await delay(1_000, undefined, { signal }).catch(() => {});
  }
  return null;
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
