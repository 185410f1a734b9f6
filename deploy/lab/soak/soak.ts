/** Everything at once, each part a process of its own, with faults at random; then rest, and the checks. */
import { setTimeout as delay } from 'node:timers/promises';
import { findDrift, findLetters, findRepeated, findStuck } from '../checks.ts';
import {
  connectionsCut,
  databaseStopped,
  type Fault,
  type FaultLog,
  kill,
  stop,
  strikeAtRandom,
} from '../faults.ts';
import { type Bench, openBench } from '../outage/bench.ts';
import { type Settings, short } from '../outage/settings.ts';
import { randomOf } from '../primitives/random.ts';
import { until } from '../primitives/until.ts';
import { insist, readDeployment } from '../rest.ts';
import type { Lab, Outcome, Scenario } from '../scenario.ts';
import { createMemoryWatch, memoryProblems } from './memory.ts';
import { describeSoak, type SoakReport, showProgress } from './report.ts';
import { deployNext } from './update.ts';

export interface SoakSpec {
  title: string;
  about: string;
  minutes: number;
  /** Devices that are updated, and come and go. */
  devices: number;
  /** Devices that only talk. */
  talkers: number;
}

const settleLimitMs = 240_000;
const settings: Settings = {
  ...short,
  timing: {
    ...short.timing,
    connectMs: 8_000,
    retryMaxMs: 3_000,
    urlRefreshMinMs: 1_000,
    urlRefreshMaxMs: 5_000,
    stallMs: 5_000,
  },
  recoveryMs: settleLimitMs,
};

export function soak(spec: SoakSpec): Scenario {
  return { kind: 'soak', title: spec.title, about: spec.about, run: (lab) => run(spec, lab) };
}

async function run(spec: SoakSpec, lab: Lab): Promise<Outcome> {
  const { signal, say, keep } = lab;
  const seed = lab.seed ?? Math.floor(Math.random() * 2 ** 31);
  const minutes = lab.minutes ?? spec.minutes;
  say(`${minutes} minutes, ${spec.devices} devices, ${spec.talkers} that only talk, seed ${seed}`);
  const bench = await openBench('processes', { ...settings, devices: spec.devices + spec.talkers, keep });
  try {
    const updated = bench.fleet.ids.slice(0, spec.devices);
    const report = await endure(bench, updated, { seed, endsAt: Date.now() + minutes * 60_000 }, lab);
    const stopped = signal.aborted;
    if (stopped) say('stopped; looking at what there is');
    else {
      say('everything is healed; waiting until all is quiet');
      for (const id of updated) switchOn(bench, id);
      if (!(await becomesQuiet(bench, signal))) report.problems.push('it did not become quiet');
    }
    report.problems.push(...(await judge(bench, signal.aborted)), ...memoryProblems(report.growth));
    return { good: report.problems.length === 0, text: describeSoak(report, signal.aborted), report };
  } finally {
    await bench.close();
  }
}

/** Resolves when the time is up or somebody stopped it; by then everything is healed. */
async function endure(
  bench: Bench,
  updated: string[],
  { seed, endsAt }: { seed: number; endsAt: number },
  { signal, say }: Lab,
): Promise<SoakReport> {
  const { system, talk } = bench;
  const [began, random] = [Date.now(), randomOf(seed, 'soak')];
  const spareFrom = began + (endsAt - began) / 3;
  const log: FaultLog = { counts: new Map(), now: null };
  const watched = [...system.copies, system.broker!, system.store!, system.ca!, system.proxy!];
  const memory = createMemoryWatch(watched);
  let deployments = 0;
  const hide = showProgress(() => ({
    elapsedMs: Date.now() - began,
    online: bench.online(),
    deployments,
    sent: talk.taken(),
    waiting: bench.waiting(),
    fault: log.now,
  }));
  // Whatever fails ends the others.
  const failed = new AbortController();
  const stopping = AbortSignal.any([signal, failed.signal]);
  const over = () => Date.now() >= endsAt || stopping.aborted;
  const pause = (ms: number) => delay(ms, undefined, { signal: stopping }).catch(() => {});
  const work = [
    strikeAtRandom({
      faults: listFaults(bench),
      random,
      until: endsAt,
      signal: stopping,
      log,
      // So that the memory of one copy can be watched over a long life, the second is left alone after a while.
      allow: (fault) => Date.now() < spareFrom || !fault.name.includes('webhook 2'),
      say,
    }),
    (async () => {
      for (; !over(); await pause(1_000)) {
        const isPrepared = await talk.prepare(1).then(
          () => true,
          () => false,
        );
        if (isPrepared) await talk.ask('identify', whoCanAnswer(bench));
      }
    })(),
    (async () => {
      for (; !over(); await pause(1_000 + random() * 4_000)) await disturb(bench, updated, random);
    })(),
    (async () => {
      while (!over()) {
        const id = await deployNext(system, deployments + 1, updated);
        deployments += 1;
        for (; !over(); await pause(500))
          if ((await insist(() => readDeployment(system.rest, id))).state !== 'running') break;
      }
    })(),
  ];
  for (const one of work) one.catch(() => failed.abort());
  try {
    const ended = await Promise.allSettled(work);
    // What was stopped tells what it has found so far, unless that cannot be asked either.
    if (!signal.aborted) for (const one of ended) if (one.status === 'rejected') throw one.reason;
  } finally {
    hide();
  }
  const messages = talk.taken();
  return {
    seed,
    faults: Object.fromEntries(log.counts),
    deployments,
    messages,
    growth: memory.stop(),
    problems: [],
  };
}

function listFaults({ system, cluster }: Bench): Fault[] {
  const [first, second] = system.copies as [(typeof system.copies)[0], (typeof system.copies)[0]];
  return [
    kill(first),
    kill(second),
    kill(first, second),
    kill(system.broker!),
    kill(system.store!),
    kill(system.ca!),
    kill(system.proxy!),
    databaseStopped(cluster),
    connectionsCut(cluster),
    stop(first),
  ];
}

/** A full outbox lets go of the oldest answers, by design: who holds many, or would find many when it comes back, is not asked more. */
const heldAtMost = 12;
function whoCanAnswer({ fleet }: Bench): string[] {
  return fleet.devices
    .filter((device) => device.online && device.snapshot().outboxMessages < heldAtMost)
    .map(({ id }) => id);
}

/** Something happens to one of them: off for a while, a power cut, a broken network. */
async function disturb(bench: Bench, ids: string[], random: () => number): Promise<void> {
  const id = ids[Math.floor(random() * ids.length)]!;
  const device = bench.fleet.devices.find((one) => one.id === id);
  if (!device) return switchOn(bench, id);
  const kind = random();
  if (kind < 0.4) device.powerCut(500 + random() * 5_000);
  else if (kind < 0.7) device.cutNetwork(500 + random() * 5_000);
  else await bench.fleet.switchOff(id);
}

function switchOn({ fleet, talk }: Bench, id: string): void {
  if (fleet.devices.some((device) => device.id === id)) return;
  fleet.switchOn(id);
  talk.watch(fleet.devices.at(-1)!);
}

async function becomesQuiet(bench: Bench, signal: AbortSignal): Promise<boolean> {
  const isQuiet = () =>
    bench.fleet.devices.every((device) => {
      const { online, outboxMessages, state } = device.snapshot();
      return online && outboxMessages === 0 && state === 'idle';
    });
  const problems = async () => isQuiet() && (await judge(bench, false)).length === 0;
  const quiet = () => signal.aborted || problems();
  return until('quiet', quiet, settleLimitMs).then(
    () => true,
    () => false,
  );
}

/** Of what was stopped: what must hold at any moment. */
async function judge(bench: Bench, stopped: boolean): Promise<string[]> {
  const { database, fleet, talk } = bench;
  const [taken, stored] = [talk.taken(), await talk.stored()];
  // One whose power went between its outbox and our ear is stored and was not counted.
  const lost = taken - bench.waiting() - stored;
  const problems = lost > 0 ? [`${lost} of ${taken} messages are lost`] : [];
  if (stopped) return problems;
  const { db } = database;
  const found = await Promise.all([findLetters(db), findStuck(db), findRepeated(db), findDrift(db, fleet)]);
  return [...problems, ...found.flat()];
}
