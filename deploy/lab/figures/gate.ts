/**
 * How soon the gate halts an image that restarts three times as often, and how often it halts one that is no worse: whole rollouts by the
 * shipped wave planner and the shipped statistics, over a fleet that is only numbers.
 */

import type { Observation } from '#webhook/deployments/health/comparison.ts';
import { judge } from '#webhook/deployments/health/verdict.ts';
import { watchedAtMost } from '#webhook/deployments/health/watched.ts';
import { windowDueAt } from '#webhook/deployments/health/windows.ts';
import {
  controlSize,
  cutWaves,
  defaultGate,
  defaultRollout,
  type HealthPolicy,
  type RolloutPolicy,
} from '#webhook/deployments/policy.ts';
import {
  createRollout,
  nothing,
  type Observed,
  type Rollout,
  stepRollout,
  type Tally,
} from '#webhook/deployments/rollout.ts';
import type { Figures } from './figures.ts';
import { GateFleet, gateSignals, type ModelledDevice } from './gate-fleet.ts';

const rollouts = 1_000;
const devices = 10_000;
const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 0, 1);
const timesAsOften = 3;

const health: HealthPolicy = {
  control: { percent: 5 },
  ...{ afterwards: 'release', seed: '', minDevices: 30 },
  ...{ minObservedMs: 24 * hourMs, windowMs: hourMs, signals: gateSignals },
};
const policy: RolloutPolicy = {
  ...defaultRollout,
  health,
  waves: [1, 3, 10, 30, 100].map((percent) => ({
    ...{ ...defaultGate(5), soakMs: 24 * hourMs },
    upTo: { percent },
  })),
};

export async function measureGate(): Promise<Figures> {
  let early = 0;
  let falsely = 0;
  for (let seed = 1; seed <= rollouts; seed++) {
    const bad = play(seed, timesAsOften);
    if (bad.halted && bad.share < 0.05) early++;
    if (play(seed, 1).halted) falsely++;
    if (seed % 100 === 0)
      process.stderr.write(`gate: ${seed} rollouts: ${early} halted in time, ${falsely} falsely\n`);
  }
  const percent = (n: number) => Number(((100 * n) / rollouts).toFixed(1));
  return {
    'gate.halted_before_5_percent': {
      value: percent(early),
      unit: `% of ${rollouts} rollouts of an image that restarts ${timesAsOften} times as often`,
      baseline: 99,
      ratio: Number((percent(early) / 99).toFixed(3)),
      aim: 1,
    },
    'gate.false_halts': {
      value: percent(falsely),
      unit: `% of ${rollouts} rollouts of an image that is no worse`,
      baseline: 1,
      // Less is better, and none at all is no division by zero.
      ratio: Number((1 / Math.max(percent(falsely), 0.1)).toFixed(3)),
      aim: 1,
    },
  };
}

/** One rollout, hour by hour, until it halts or is through; `share` of the fleet has the image then. */
export function play(seed: number, restarts: number): { halted: boolean; share: number; hours: number } {
  const fleet = new GateFleet(seed, restarts);
  const control = controlSize(health, devices);
  const cut = cutWaves(policy.waves, devices, control);
  const tallies: Tally[] = cut.map(({ end }, i) => ({ ...nothing, pending: end - (cut[i - 1]?.end ?? 0) }));
  const watch = new Watch(fleet, Math.min(control, watchedAtMost));
  let rollout = createRollout(policy, null);
  const step = (event: Parameters<typeof stepRollout>[2], now: number) => {
    const done = stepRollout(rollout, tallies, event, now);
    rollout = done.rollout;
    return done.actions;
  };
  step({ type: 'tick' }, startMs);
  step({ type: 'resolved', gates: cut.map((c) => c.gate) }, startMs);
  for (let hours = 0; ; hours++) {
    const now = startMs + hours * hourMs + 60_000;
    const due = windowDueAt(rollout);
    const observed = due !== null && due <= now ? watch.window(rollout) : undefined;
    for (const action of step({ type: 'tick', observed }, now)) {
      if (action.type === 'dispatch') update(tallies.slice(0, action.upToWave + 1));
    }
    watch.follow(tallies.slice(0, -1).reduce((sum, t) => sum + t.succeeded, 0));
    const share = tallies.reduce((sum, t) => sum + t.succeeded, 0) / devices;
    if (rollout.state === 'halted') return { halted: true, share, hours };
    if (rollout.gates?.[rollout.wave]?.control) return { halted: false, share, hours };
  }
}

/** All that were started have it within the hour. */
function update(open: Tally[]): void {
  for (const tally of open) {
    tally.succeeded += tally.pending;
    tally.pending = 0;
  }
}

/** The devices that the gate watches, as `health/observe.ts` keeps them in the database. */
class Watch {
  readonly #fleet: GateFleet;
  readonly #watched: { device: ModelledDevice; observations: Observation[] }[] = [];
  #treated = 0;

  constructor(fleet: GateFleet, control: number) {
    this.#fleet = fleet;
    for (let i = 0; i < control; i++) this.#add(false);
  }

  /** As many have the image now; what they do counts from the next window on. */
  follow(updated: number): void {
    while (this.#treated < Math.min(updated, watchedAtMost)) {
      this.#add(true);
      this.#treated++;
    }
  }

  window({ health: memory, policy: { health: terms } }: Rollout): Observed {
    const times = this.#fleet.nextHour();
    for (const { device, observations } of this.#watched) {
      device.hour(times).forEach((value, i) => {
        const weight = device.treated ? 1 : this.#treated;
        observations[i]!.sum += weight * value;
        observations[i]!.weight += weight;
      });
    }
    const judgements = terms!.signals.flatMap((signal, i) => {
      const mine = this.#watched.map(({ observations }) => observations[i]!);
      return judge(signal, terms!, mine, memory!.mixtures[signal.kind] ?? null) ?? [];
    });
    return { until: memory!.until + terms!.windowMs, judgements };
  }

  #add(treated: boolean): void {
    const device = this.#fleet.device(treated);
    const observations = device.before.map((before) => ({ treated, before, sum: 0, weight: 0 }));
    this.#watched.push({ device, observations });
  }
}
