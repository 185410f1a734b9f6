/**
 * The two pure machines against chance: one deployment of a few targets, any event at any time in any order, true or not. No database,
 * no device; a schedule takes microseconds, so a hundred thousand are played. What must hold is `invariants.ts`'s.
 */
import { windowDueAt } from '#webhook/deployments/health/windows.ts';
import { step, type Target, type TargetEvent } from '#webhook/deployments/machine.ts';
import { controlSize, cutWaves } from '#webhook/deployments/policy.ts';
import {
  createRollout,
  type Observed,
  type Rollout,
  type RolloutEvent,
  stepRollout,
  wakesAt,
} from '#webhook/deployments/rollout.ts';
import { toTallies } from '#webhook/deployments/rollouts.ts';
import { isOpen } from '#webhook/deployments/states.ts';
import { Random } from '../primitives/random.ts';
import { image, judgementOf, policyOf, targetOf } from './machine-subjects.ts';
import { type Change, type DeploymentRow, isSilent, type TargetRow } from './promises/changes.ts';
import { Violation } from './promises/committed.ts';
import { Invariants } from './promises/invariants.ts';

export interface Machines {
  step: typeof step;
  stepRollout: typeof stepRollout;
  wakesAt: typeof wakesAt;
}
export const realMachines: Machines = { step, stepRollout, wakesAt };

const startMs = Date.UTC(2026, 0, 1);
const hostileSteps = 120;
const closingSteps = 400;
/** At one moment: waves without devices, each opened by a look, and one more that finds nothing to do. */
const looksAtOnce = 5;

/** Null, or what was broken. */
export function fuzzMachines(seed: number, machines = realMachines): string | null {
  try {
    new Fuzz(new Random(seed), machines).play();
    return null;
  } catch (error) {
    if (error instanceof Violation) return error.message;
    throw error;
  }
}

class Fuzz {
  readonly #random: Random;
  readonly #machines: Machines;
  readonly #invariants: Invariants;
  readonly #runs: Map<string, Set<string>>;
  readonly #awayUntil = new Map<string, number>();
  #targets: Target[] = [];
  #waves: number[] = [];
  #rollout: Rollout;
  #now = startMs;
  #changes: Change[] = [];
  #turn = 0;

  constructor(random: Random, machines: Machines) {
    this.#random = random;
    this.#machines = machines;
    const ids = Array.from({ length: random.int(1, 8) }, (_, i) => `dev${i}`);
    this.#runs = new Map(ids.map((id) => [id, new Set(['old'])]));
    for (const id of ids) if (random.chance(0.1)) this.#awayUntil.set(id, startMs + random.int(0, 600_000));
    this.#rollout = createRollout(policyOf(random), random.chance(0.2) ? startMs + 30_000 : null);
    this.#invariants = new Invariants({
      ran: (id) => [...this.#runs.get(id)!].map((sha256) => ({ sha256, at: startMs })),
      reachable: (id) => this.#isReachable(id),
      timeZone: () => 'UTC',
      image: () => image,
    });
    this.#note(null, this.#rollout);
    for (const id of ids) this.#invariants.matched('d', id, startMs);
    this.#commit();
  }

  play(): void {
    for (let i = 0; i < hostileSteps; i++) {
      this.#now += this.#random.pick([0, 10, 1_000, 5_000, 20_000]);
      this.#anything();
      this.#commit();
    }
    // Nobody speaks any more: time and operators alone must end it.
    for (let i = 0; i < closingSteps && !this.#invariants.isOver(); i++) {
      this.#now += 10_000;
      this.#tickTargets();
      if (this.#rollout.state === 'halted' || this.#rollout.state === 'paused')
        this.#look({ type: 'resume' });
      if (i > closingSteps / 2 && this.#rollout.finishedAt === null) this.#look({ type: 'cancel' });
      this.#lookWhileDue();
    }
    this.#invariants.ended(this.#runs.keys());
  }

  #anything(): void {
    const r = this.#random;
    const what = r.int(0, 9);
    if (what <= 1) this.#tickTargets();
    else if (what <= 3) this.#lookWhileDue();
    else if (what === 4 && r.chance(0.3))
      this.#look({ type: r.pick(['pause', 'resume', 'resume', 'retry_failed', 'cancel'] as const) });
    else if (this.#targets.length) this.#apply(r.int(0, this.#targets.length - 1), this.#said());
  }

  /** What a device may say, or seem to say: of any attempt, late, twice, and of a success also when it is none. */
  #said(): (target: Target) => TargetEvent {
    const r = this.#random;
    return ({ deviceId, attempt: present }) => {
      const attempt = r.chance(0.8) ? Math.max(1, present) : r.int(1, 4);
      const error = {
        code: r.pick(['busy', 'download_failed', 'signature_invalid', 'unknown_deployment'] as const),
      };
      const running = () => r.pick([...this.#runs.get(deviceId)!]);
      switch (r.int(0, 7)) {
        case 0:
          return { type: 'subscribed' };
        case 1:
          return { type: 'ack', attempt, accepted: r.chance(0.8), error };
        case 2:
        case 3: {
          const stage = r.pick(['downloading', 'verifying', 'installing'] as const);
          return {
            type: 'progress',
            attempt,
            stage,
            receivedBytes: r.int(0, 200),
            urlExpired: r.chance(0.2),
            ...(r.chance(0.3) && { deferred: { until: null, reason: 'busy' } }),
          };
        }
        case 4:
          return { type: 'cancel_ack', attempt, cancelled: r.chance(0.7), error };
        case 5:
          return { type: 'booted', runningSha256: running() };
        case 6:
          if (present > 0) this.#runs.get(deviceId)!.add(image.sha256);
          return { type: 'result', attempt, outcome: 'succeeded', runningSha256: running() };
        default:
          return {
            type: 'result',
            attempt,
            outcome: r.pick(['failed', 'rolled_back', 'succeeded'] as const),
            runningSha256: running(),
            error,
          };
      }
    };
  }

  #tickTargets(): void {
    this.#targets.forEach((_, i) => void this.#apply(i, () => ({ type: 'tick' })));
    this.#commit();
  }

  #apply(i: number, event: (target: Target) => TargetEvent): void {
    const before = this.#targets[i]!;
    const { target } = this.#machines.step(before, event(before), this.#now);
    if (target === before) return;
    this.#targets[i] = target;
    this.#changes.push(this.#change(i, before, target));
  }

  /** A rollout that asks for a look at once each time would keep the database busy for nothing. */
  #lookWhileDue(): void {
    for (let looks = 0; looks < looksAtOnce; ) {
      const observed = this.#observe();
      this.#look({ type: 'tick', observed });
      // Windows that went by meanwhile are caught up with, one a look.
      if (!observed) looks++;
      const wakesAt = this.#machines.wakesAt(this.#rollout, this.#tally(), this.#now);
      if (wakesAt === null || wakesAt > this.#now || this.#rollout.finishedAt !== null) return;
    }
    throw new Violation(`the rollout, which is ${this.#rollout.state}, does not rest between two looks`);
  }

  /** The window that is due, with whatever it may show. */
  #observe(): Observed | undefined {
    const { health, policy } = this.#rollout;
    const dueAt = windowDueAt(this.#rollout);
    if (dueAt === null || dueAt > this.#now) return undefined;
    return { until: health!.until + policy.health!.windowMs, judgements: [judgementOf(this.#random)] };
  }

  /** As `rollouts.ts` does it. */
  #look(asked: RolloutEvent): void {
    const before = this.#rollout;
    const tallies = this.#tally();
    const { rollout, actions } = this.#machines.stepRollout(before, tallies, asked, this.#now);
    this.#rollout = rollout;
    for (const action of actions) {
      if (action.type === 'resolve') this.#resolve();
      else if (action.type === 'dispatch') this.#dispatch(action.upToWave, action.limit, tallies);
      else if (action.type === 'hold_back')
        this.#targets.forEach((t, i) => {
          if (this.#waves[i] === action.wave && t.state === 'pending')
            this.#apply(i, () => ({ type: 'hold_back' }));
        });
      else if (action.type !== 'join') {
        const type = action.type === 'cancel_targets' ? 'cancel' : 'retry';
        this.#targets.forEach((t, i) => {
          if (type === 'retry' || isOpen(t.state)) this.#apply(i, () => ({ type }));
        });
      }
    }
    if (this.#rollout !== before) this.#note(before, this.#rollout);
    this.#commit();
  }

  #resolve(): void {
    const ids = [...this.#runs.keys()];
    const { waves, health } = this.#rollout.policy;
    const cut = cutWaves(waves, ids.length, controlSize(health, ids.length));
    this.#waves = ids.map((_, i) => cut.findIndex(({ end }) => i < end));
    this.#targets = ids.map((deviceId) => targetOf(deviceId, this.#rollout.policy));
    this.#targets.forEach((t, i) => void this.#changes.push(this.#change(i, null, t)));
    const gates = cut.map((c) => c.gate);
    this.#rollout = this.#machines.stepRollout(
      this.#rollout,
      [],
      { type: 'resolved', gates },
      this.#now,
    ).rollout;
  }

  #dispatch(upToWave: number, limit: number, tallies: ReturnType<typeof toTallies>): void {
    const due = this.#targets
      .map((t, i) => ({ t, i }))
      .filter(
        ({ t, i }) => t.state === 'pending' && this.#waves[i]! <= upToWave && this.#isReachable(t.deviceId),
      )
      .filter(({ t }) => (t.nextAttemptAt ?? 0) <= this.#now)
      .slice(0, limit);
    for (const { i } of due) this.#apply(i, () => ({ type: 'dispatch' }));
    const event = { type: 'dispatched', count: due.length } as const;
    this.#rollout = this.#machines.stepRollout(this.#rollout, tallies, event, this.#now).rollout;
  }

  #tally() {
    const tallies = toTallies(
      this.#targets.map((t, i) => ({
        id: 'd',
        wave: this.#waves[i]!,
        state: t.state,
        n: 1,
        silent: isSilent(this.#row(t, i)) ? 1 : 0,
        timed: 0,
        downloadMs: 0,
        resumed: 0,
      })),
    );
    this.#targets.forEach((t, i) => {
      if (t.state === 'pending' && !this.#isReachable(t.deviceId))
        tallies[this.#waves[i]!]![t.attempt === 0 ? 'unreached' : 'lost']++;
    });
    return tallies;
  }

  #isReachable(deviceId: string): boolean {
    return (this.#awayUntil.get(deviceId) ?? 0) <= this.#now;
  }

  #commit(): void {
    if (this.#changes.length) this.#invariants.committed(this.#changes);
    this.#changes = [];
    this.#turn++;
  }

  #note(before: Rollout | null, after: Rollout): void {
    const toRow = ({ state, policy, gates, wave, resolvedAt }: Rollout): DeploymentRow => {
      const overridesFreezes = false;
      return {
        id: 'd',
        order: 'd',
        firmwareId: 'f',
        undoes: null,
        state,
        policy,
        gates,
        wave,
        resolvedAt,
        overridesFreezes,
      };
    };
    const change = { kind: 'deployment' as const, before: before && toRow(before), after: toRow(after) };
    this.#changes.push({ ...change, tx: String(this.#turn), at: this.#now });
  }

  #change(i: number, before: Target | null, after: Target): Change {
    const rows = { before: before && this.#row(before, i), after: this.#row(after, i) };
    return { kind: 'target', ...rows, tx: String(this.#turn), at: this.#now };
  }

  #row(t: Target, i: number): TargetRow {
    return {
      deploymentId: 'd',
      deviceId: t.deviceId,
      component: t.component,
      wave: this.#waves[i]!,
      state: t.state,
      attempt: t.attempt,
      attemptsForgiven: t.attemptsForgiven,
      errorCode: t.error?.code ?? null,
      hasDeadline: t.deadlineAt !== null,
      mayWaitUntil: t.deferred && t.deferralEndsAt,
    };
  }
}
