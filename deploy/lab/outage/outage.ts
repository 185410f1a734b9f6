/** Scenarios in which Flota breaks while devices talk: nothing critical is lost, nothing is done twice, nothing is stuck. */
import { setTimeout as delay } from 'node:timers/promises';
import { findLetters, findStuck } from '../checks.ts';
import type { Fault } from '../faults.ts';
import { until } from '../primitives/until.ts';
import type { Lab, Outcome, Scenario } from '../scenario.ts';
import { type Bench, openBench, type Site } from './bench.ts';
import { countReceived } from './received.ts';
import { long, type Settings } from './settings.ts';

export interface OutageSpec {
  title: string;
  about: string;
  /** Default: gate. */
  site?: Site;
  /** Struck one after the other. None: it cannot be done here. */
  faults(bench: Bench): Fault[];
  /** How many messages must have been held up when the fault ends: of every device (default), one at least, or it is seen in another way. */
  heldUp?: 'all' | 'some' | 'none';
  /** A fault that takes longer to be felt than the settings would have it last. */
  leastMs?(settings: Settings): number;
  /**
   * While the fault lasts; throws when it cannot be seen that it has hurt. Resolves with how many critical messages this made of each device
   * beside the answers: a `report` is answered, an update is accepted, booted and told of. Null: an update may have been tried again.
   */
  during?(bench: Bench): Promise<number | null>;
  /** After everything has been healed and stored. */
  after?(bench: Bench): Promise<void>;
}

export interface OutageScenario extends Scenario {
  spec: OutageSpec;
  site: Site;
}

export function outage(spec: OutageSpec): OutageScenario {
  const { title, about, site = 'gate' } = spec;
  return { kind: 'outage', title, about, spec, site, run: (lab) => run(spec, site, lab) };
}

async function run(spec: OutageSpec, site: Site, { minutes, keep, signal, say }: Lab): Promise<Outcome> {
  const outageMs = minutes === null ? long.outageMs : minutes * 60_000;
  const bench = await openBench(site, { ...long, outageMs, keep });
  const faults: string[] = [];
  try {
    for (const fault of spec.faults(bench)) {
      signal.throwIfAborted();
      say(fault.name);
      faults.push(fault.name);
      await survive(spec, bench, fault);
    }
    if (faults.length === 0) throw new Error('this cannot be struck here');
    const text = `${faults.join(', ')}: ${bench.talk.taken()} critical messages of ${bench.settings.devices} devices, each stored once`;
    return { good: true, text, report: { faults, messages: bench.talk.taken() } };
  } catch (error) {
    signal.throwIfAborted();
    const problem = (error as Error).message;
    return { good: false, text: `PROBLEM ${faults.at(-1) ?? ''}: ${problem}`, report: { faults, problem } };
  } finally {
    await bench.close();
  }
}

/** Critical messages before, during and at the end of a fault that is seen to have hurt; then each of them is in the database, once. */
export async function survive(spec: OutageSpec, bench: Bench, fault: Fault): Promise<void> {
  const { settings, fleet } = bench;
  const { devices, recoveryMs } = settings;
  const outageMs = Math.max(settings.outageMs, spec.leastMs?.(settings) ?? 0);
  const { talk } = bench;
  await until('every device online', () => bench.online() === devices, recoveryMs);
  await settle(bench);
  await talk.prepare(4);
  const [before, takenBefore] = [await countReceived(bench), talk.taken()];
  await talk.ask();
  let others: number | null = 0;
  await fault.strike();
  try {
    await talk.ask();
    await delay(outageMs / 2);
    await talk.ask();
    await delay(outageMs / 2);
    const heldUp = spec.heldUp ?? 'all';
    const enough = { all: devices, some: 1, none: 0 }[heldUp];
    await until(`messages held up: ${fault.name}`, () => bench.waiting() >= enough, recoveryMs);
    // What is still in the broker now may be lost with it, and is not what this is about.
    if (heldUp === 'all') await taken(3);
    if (spec.during) others = await spec.during(bench);
  } finally {
    await fault.heal();
  }
  await until('every device online again', () => bench.online() === fleet.ids.length, recoveryMs);
  // One whose connection broke just now was still online to us; it is asked again.
  for (let asked = 1; ; asked++) {
    await talk.ask();
    if (await taken(4, asked * 5_000).catch(() => null)) break;
    if (asked === 5) throw new Error('not every device takes a command again');
    await talk.prepare(1);
  }
  await settle(bench);
  await spec.after?.(bench);
  // A command that was asked for once more may still be on its way: it is taken and answered after a device has settled.
  await until(
    async () => ({
      stored: (await countReceived(bench)) - before,
      sent: talk.taken() - takenBefore + (others ?? 0) * devices,
    }),
    ({ stored, sent }) => (others === null ? stored >= sent : stored === sent),
    recoveryMs,
  );
  const { db } = bench.database;
  // A request that was sent twice leaves the outbox a little after its update has ended.
  await until(
    async () => [...(await findLetters(db)), ...(await findStuck(db))],
    (problems) => problems.length === 0,
    recoveryMs,
  );

  function taken(rounds: number, limitMs = recoveryMs): Promise<number> {
    const due = takenBefore + rounds * devices;
    return until(
      () => talk.taken(),
      (count) => count >= due,
      limitMs,
    );
  }
}

/** No device holds a message, and every answer is stored. */
async function settle({ settings, waiting, talk }: Bench): Promise<void> {
  await until(waiting, (count) => count === 0, settings.recoveryMs);
  const open = async () => talk.taken() - (await talk.stored());
  await until(open, (count) => count === 0, settings.recoveryMs);
}
