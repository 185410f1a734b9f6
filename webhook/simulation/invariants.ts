/** What must hold at every commit and at the end, judged without the machines. */
import { mainComponent } from '#emqx/protocol.ts';
import type { Target } from '../deployments/machine.ts';
import { cutWaves, type Gate } from '../deployments/policy.ts';
import type { RolloutState } from '../deployments/rollout.ts';
import { isOpen } from '../deployments/states.ts';
import { isOpen as isWindowOpen } from '../deployments/window.ts';
import type { DeploymentRow, Store, TargetRow } from './store.ts';

export class Violation extends Error {}

export type SeenTarget = TargetRow & { reachable: boolean };
/** Between a decision and its commit, or a command's last check and its sending. */
const lagMs = 10_000;

interface Watch {
  starts: number[];
  /** By wave: when it was first seen open. */
  openedAt: number[];
  /** By wave: since when its successes have been enough, by what is committed. */
  enoughSince: (number | null)[];
  /** By wave: what an operator saw and resumed in spite of. */
  forgiven: { failed: number; silent: number }[];
  state: RolloutState | null;
  /** What it was before it last completed. */
  completedFrom: RolloutState | null;
}

export class Invariants {
  readonly #handled = new Map<string, number>();
  readonly #watched = new Map<string, Watch>();
  /** Since when a device has been chosen, and has had a component. */
  readonly #matched = new Map<string, number>();
  readonly #reported = new Map<string, number>();
  readonly #ran: (deviceId: string) => ReadonlySet<string>;

  constructor(ran: (deviceId: string) => ReadonlySet<string>) {
    this.#ran = ran;
  }

  /** A critical message was folded in and committed. */
  handled(key: string): void {
    const times = (this.#handled.get(key) ?? 0) + 1;
    this.#handled.set(key, times);
    if (times > 1) throw new Violation(`critical message ${key} handled ${times} times`);
  }

  acked(key: string): void {
    if (this.#handled.get(key) !== 1) throw new Violation(`critical message ${key} acked but not handled`);
  }

  changed(before: Target, after: Target, store: Store): void {
    const name = `${after.deploymentId}/${after.deviceId}`;
    if (before.state === 'pending' && after.state === 'skipped' && !isOvertaken(after, store)) {
      throw new Violation(`${name} was superseded, but nothing newer is for its ${after.component}`);
    }
    if (after.state === 'succeeded' && !this.#ran(after.deviceId).has(after.sha256)) {
      throw new Violation(`${name} succeeded, but its device never ran the image`);
    }
    if (!isOpen(after.state) && after.deadlineAt !== null)
      throw new Violation(`${name} closed with a deadline`);
    if (isOpen(after.state) && after.state !== 'pending' && after.deadlineAt === null) {
      throw new Violation(`${name} ${after.state} without a deadline`);
    }
    if (after.attempt < before.attempt) throw new Violation(`${name}: the attempt went back`);
    if (after.attempt - after.attemptsForgiven > after.policy.maxAttempts) {
      throw new Violation(`${name}: more attempts than allowed`);
    }
  }

  /** A device is one of those that a deployment is for, as committed. */
  matched(deploymentId: string, deviceId: string, at: number): void {
    this.#matched.set(`${deploymentId}/${deviceId}`, at);
  }

  /** A device has reported a component for the first time, as committed. */
  reported(deviceId: string, component: string, at: number): void {
    this.#reported.set(`${deviceId}/${component}`, at);
  }

  /** Targets were started; `seen` are all of the deployment's as the decision saw them, the deployment's row as others see it now. */
  started(
    row: DeploymentRow,
    started: TargetRow[],
    seen: SeenTarget[],
    timeZones: string[],
    decidedAt: number,
  ): void {
    const { state, policy } = row.rollout;
    for (const zone of timeZones) this.#inWindow(row, zone, [decidedAt]);
    if (state !== 'running')
      throw new Violation(`${row.id} is ${state} and ${started[0]!.deviceId} was started`);
    const watch = this.#watch(row);
    // A gate that holds by time alone is first seen by the one who acts on it.
    this.#note(row, seen, decidedAt);
    for (let wave = 0; wave <= Math.max(...started.map((t) => t.wave)); wave++) {
      const gate = row.rollout.gates![wave]!;
      const { failed, silent, all } = this.#judge(row, seen, wave);
      if (failed * 100 > gate.failurePercent * all) {
        throw new Violation(`${row.id}: started although ${failed} of ${all} failed in wave ${wave}`);
      }
      if (silent * 100 > gate.silencePercent * all) {
        throw new Violation(`${row.id}: started although ${silent} of ${all} are silent in wave ${wave}`);
      }
    }
    for (const { wave, deviceId } of started.filter((t) => t.attempt === 1 && t.wave > 0)) {
      if (!this.#hasPassed(row, seen, wave - 1, decidedAt)) {
        throw new Violation(
          `${row.id}: ${deviceId} of wave ${wave} was started before wave ${wave - 1} had passed its gate`,
        );
      }
    }
    watch.starts.push(...started.map(() => decidedAt));
    const inMinute = watch.starts.filter((at) => at > decidedAt - 60_000).length;
    if (policy.ratePerMinute !== null && inMinute > policy.ratePerMinute) {
      throw new Violation(`${row.id}: ${inMinute} starts in a minute, ${policy.ratePerMinute} allowed`);
    }
  }

  /** Notes when gates come to hold. Once is enough: a success that is taken back after the next wave has opened closes nothing. */
  committed(row: DeploymentRow, targets: SeenTarget[], now: number): void {
    this.#note(row, targets, now);
  }

  #note(row: DeploymentRow, targets: SeenTarget[], now: number): void {
    const watch = this.#watch(row);
    if (row.rollout.state === 'completed' && watch.state !== 'completed') watch.completedFrom = watch.state;
    watch.state = row.rollout.state;
    const { gates, policy } = row.rollout;
    gates?.forEach((gate, wave) => {
      const { all, succeeded, unreached } = this.#judge(row, targets, wave);
      const openedAt = watch.openedAt[wave];
      const overdue =
        openedAt !== undefined &&
        policy.gateTimeoutMs !== null &&
        now - openedAt >= policy.gateTimeoutMs - lagMs;
      const suffices = (of: number) => succeeded >= Math.ceil((gate.successPercent * of) / 100);
      if (suffices(all) || (overdue && unreached < all && suffices(all - unreached)))
        watch.enoughSince[wave] ??= now;
      if (wave <= row.rollout.wave) watch.openedAt[wave] ??= now;
    });
  }

  /** What a newer deployment has brought to a device, an older one must not replace. */
  undoes(row: DeploymentRow, started: TargetRow[], { tables }: Store): void {
    for (const { deviceId } of started) {
      for (const other of tables.deployments.values()) {
        const theirs = tables.targets.get(`${other.id}/${deviceId}`);
        const newer = other.order > row.order && other.image.component === row.image.component;
        if (newer && theirs?.state === 'succeeded') {
          throw new Violation(`${row.id}: ${deviceId} was started although ${other.id} has updated it since`);
        }
      }
    }
  }

  /** A request that may start an update leaves. */
  sent(row: DeploymentRow, target: TargetRow, timeZone: string, now: number): void {
    if (target.state === 'sent') this.#inWindow(row, timeZone, [now, now - lagMs]);
  }

  #inWindow({ id, rollout }: DeploymentRow, timeZone: string, moments: number[]): void {
    const { window } = rollout.policy;
    if (!window || moments.some((at) => isWindowOpen(window, timeZone, at))) return;
    throw new Violation(`${id}: dispatched outside of its maintenance window in ${timeZone}`);
  }

  /** As `started`: what the decision saw, and when. */
  joined(row: DeploymentRow, wave: number, seen: SeenTarget[], decidedAt: number): void {
    const { state, policy } = row.rollout;
    if (state !== 'running' || policy.lateJoinersMs === null) {
      throw new Violation(`${row.id} is ${state} and took a late joiner`);
    }
    this.#note(row, seen, decidedAt);
    // What the committed row has opened already, others have judged.
    for (let before = row.rollout.wave; before < wave; before++) {
      if (!this.#hasPassed(row, seen, before, decidedAt))
        throw new Violation(`${row.id}: a late joiner in wave ${wave}, which is not open`);
    }
  }

  #hasPassed(row: DeploymentRow, seen: SeenTarget[], wave: number, now: number): boolean {
    const since = this.#watch(row).enoughSince[wave] ?? null;
    const isEmpty = !seen.some((t) => t.wave === wave && t.state !== 'skipped' && t.state !== 'cancelled');
    return isEmpty || (since !== null && now - since >= row.rollout.gates![wave]!.soakMs);
  }

  resumed(row: DeploymentRow, targets: TargetRow[]): void {
    const watch = this.#watch(row);
    watch.forgiven = (row.rollout.gates ?? []).map((_, wave) => {
      const mine = targets.filter((t) => t.wave === wave);
      return { failed: mine.filter(hasFailed).length, silent: mine.filter(isSilent).length };
    });
  }

  ended(store: Store): void {
    for (const target of store.tables.targets.values()) {
      if (isOpen(target.state)) {
        throw new Violation(`${target.deploymentId}/${target.deviceId} is stuck in ${target.state}`);
      }
    }
    for (const { id, rollout } of store.tables.deployments.values()) {
      if (rollout.state !== 'completed' && rollout.state !== 'cancelled') {
        throw new Violation(`${id} is stuck in ${rollout.state}`);
      }
    }
    for (const row of store.tables.deployments.values()) this.#missed(row, store);
  }

  /**
   * Whoever is fit when the deployment resolves is in it, and, where it takes late joiners, whoever becomes so within their time; unless
   * an operator has ended it, or somebody had to decide (paused, halted) until nothing was left.
   */
  #missed(row: DeploymentRow, store: Store): void {
    const { resolvedAt, policy, state } = row.rollout;
    if (resolvedAt === null) return;
    const heeds = state === 'completed' && this.#watch(row).completedFrom === 'running';
    const until = resolvedAt + (heeds ? (policy.lateJoinersMs ?? 0) : 0);
    for (const deviceId of store.tables.devices.keys()) {
      const matchedAt = this.#matched.get(`${row.id}/${deviceId}`);
      const { component } = row.image;
      const hasSince = component === mainComponent ? 0 : this.#reported.get(`${deviceId}/${component}`);
      if (matchedAt === undefined || hasSince === undefined) continue;
      if (Math.max(matchedAt, hasSince) <= until && !store.tables.targets.has(`${row.id}/${deviceId}`))
        throw new Violation(`${row.id}: ${deviceId} was missed`);
    }
  }

  #judge(row: DeploymentRow, targets: SeenTarget[], wave: number) {
    const mine = targets.filter((t) => t.wave === wave && t.state !== 'skipped' && t.state !== 'cancelled');
    const past = this.#watch(row).forgiven[wave] ?? { failed: 0, silent: 0 };
    const [failed, silent] = [mine.filter(hasFailed).length, mine.filter(isSilent).length];
    const forgiven = { failed: Math.min(past.failed, failed), silent: Math.min(past.silent, silent) };
    return {
      failed: failed - forgiven.failed,
      silent: silent - forgiven.silent,
      all: mine.length - forgiven.failed - forgiven.silent,
      succeeded: mine.filter((t) => t.state === 'succeeded').length,
      unreached: mine.filter(isUnreached).length,
    };
  }

  #watch(row: DeploymentRow): Watch {
    let watch = this.#watched.get(row.id);
    if (!watch) {
      watch = { starts: [], openedAt: [], enoughSince: [], forgiven: [], state: null, completedFrom: null };
      this.#watched.set(row.id, watch);
    }
    return watch;
  }
}

function isOvertaken({ deviceId, deploymentId, component }: Target, { tables }: Store): boolean {
  const { order } = tables.deployments.get(deploymentId)!;
  return [...tables.deployments.values()].some(
    (other) =>
      other.order > order &&
      other.image.component === component &&
      tables.targets.has(`${other.id}/${deviceId}`),
  );
}

function hasFailed(t: Target): boolean {
  return t.state === 'failed' || t.state === 'rolled_back';
}

export function isUnreached(t: SeenTarget): boolean {
  return t.state === 'pending' && t.attempt === 0 && !t.reachable;
}

export function isSilent(t: Target): boolean {
  const waits = t.state === 'pending' && t.error?.code === 'timed_out' && t.attempt > t.attemptsForgiven;
  return t.state === 'timed_out' || waits;
}

/** Waves as the selection's resolution deals them, positionally. */
export function dealWaves(row: DeploymentRow, count: number): { gates: Gate[]; waves: number[] } {
  const cut = cutWaves(row.rollout.policy.waves, count);
  const waves = Array.from({ length: count }, (_, i) => cut.findIndex(({ end }) => i < end));
  return { gates: cut.map((c) => c.gate), waves };
}
