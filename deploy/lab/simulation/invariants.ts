/**
 * What must hold at every commit and at the end, judged without the machines, from the changes as they were
 * committed, in their order.
 */
import { mainComponent, requestTopic } from '#emqx/protocol.ts';
import type { Gate, RolloutPolicy } from '#webhook/deployments/policy.ts';
import type { RolloutState } from '#webhook/deployments/rollout.ts';
import {
  isActive as isActiveState,
  isOpen,
  type TargetState,
  workingStates,
} from '#webhook/deployments/states.ts';
import { isOpen as isWindowOpen } from '#webhook/deployments/window.ts';

export class Violation extends Error {}

/** One change as it was committed; those of one transaction share `tx`, which is all that its value means. */
export type Change = { tx: string; at: number } & (
  | { kind: 'target'; before: TargetRow | null; after: TargetRow }
  | { kind: 'deployment'; before: DeploymentRow | null; after: DeploymentRow }
  /** A critical message was remembered. */
  | { kind: 'received'; deviceId: string; messageId: string }
  /** A command is done with. */
  | { kind: 'removed'; topic: string; deviceId: string; deploymentId: string | null; attempt: number | null }
);

export interface TargetRow {
  deploymentId: string;
  deviceId: string;
  component: string;
  /** -1: in none. */
  wave: number;
  state: TargetState;
  attempt: number;
  attemptsForgiven: number;
  errorCode: string | null;
  hasDeadline: boolean;
  /** Its application has put it off, and may until then; null: it has not, or was told no end. */
  mayWaitUntil: number | null;
}

export interface DeploymentRow {
  id: string;
  /** Later ones compare greater. */
  order: string;
  firmwareId: string;
  state: RolloutState;
  policy: RolloutPolicy;
  gates: Gate[] | null;
  wave: number;
  resolvedAt: number | null;
}

interface Watched extends DeploymentRow {
  /** When targets were started, all of them. */
  starts: number[];
  openedAt: number[];
  /** By wave: since when its successes have been enough, by what is committed. */
  enoughSince: (number | null)[];
  /** By wave: what an operator saw and resumed in spite of. */
  pardoned: { failed: number; silent: number }[];
  /** What it was before it last completed. */
  completedFrom: RolloutState | null;
}

export interface Image {
  sha256: string;
  component: string;
}

/** What the world outside knows, and no machine is asked for. */
export interface World {
  /** Digests that the device has ever run for good: an image on trial is none yet. */
  ran(deviceId: string): ReadonlySet<string>;
  reachable(deviceId: string): boolean;
  timeZone(deviceId: string): string;
  image(firmwareId: string): Image;
}

export class Invariants {
  readonly #world: World;
  readonly #targets = new Map<string, TargetRow>();
  readonly #deployments = new Map<string, Watched>();
  /** Since when a target has been waiting or over: no request is due. */
  readonly #closedAt = new Map<string, number>();
  /** Since when a target has been at this attempt. */
  readonly #attemptSince = new Map<string, number>();
  /** Requests that the broker was asked to deliver, by target and attempt. */
  readonly #offered = new Set<string>();
  readonly #received = new Set<string>();
  /** Critical messages that devices have sent. */
  readonly #said = new Set<string>();
  /** Since when a device has been chosen by a deployment. */
  readonly #matched = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  get deployments(): Iterable<Watched> {
    return this.#deployments.values();
  }
  get targets(): Iterable<TargetRow> {
    return this.#targets.values();
  }

  /** The device comes to be one of those that the deployment is for. */
  matched(deploymentId: string, deviceId: string, at: number): void {
    const key = `${deploymentId}/${deviceId}`;
    if (!this.#matched.has(key)) this.#matched.set(key, at);
  }

  /** A device sends a critical message, perhaps again. */
  said(deviceId: string, messageId: string): void {
    this.#said.add(`${deviceId}/${messageId}`);
  }

  /** The broker is asked to deliver a request; there may be nobody who takes it. */
  offered(deploymentId: string, deviceId: string, attempt: number): void {
    this.#offered.add(`${deploymentId}/${deviceId}/${attempt}`);
  }

  /** A device was told that its message is kept. */
  acked(deviceId: string, messageId: string): void {
    if (!this.#received.has(`${deviceId}/${messageId}`))
      throw new Violation(`${deviceId}: message ${messageId} acked but not committed`);
  }

  /** A request that may start an update was taken by the broker. */
  sent(deploymentId: string, deviceId: string, attempt: number, now: number): void {
    const target = this.#targets.get(`${deploymentId}/${deviceId}`);
    const name = `${deploymentId}/${deviceId}`;
    if (!target) throw new Violation(`${name}: a request for nobody's target`);
    if (attempt > target.attempt)
      throw new Violation(`${name}: attempt ${attempt} was sent before it was committed`);
    if (attempt < target.attempt && now - this.#attemptSince.get(name)! > lagMs)
      throw new Violation(`${name}: attempt ${attempt} was sent long after ${target.attempt} had begun`);
    const closedAt = this.#closedAt.get(name) ?? Number.POSITIVE_INFINITY;
    if (now - closedAt > lagMs)
      throw new Violation(
        `${name}: attempt ${attempt} was sent although it has been ${target.state} for long`,
      );
    const { policy } = this.#deployments.get(deploymentId)!;
    if (target.state === 'sent' && policy.window)
      this.#inWindow(deploymentId, policy, deviceId, [now, now - lagMs]);
  }

  /** All that one transaction has committed, in order. */
  committed(changes: Change[]): void {
    const { at } = changes[0]!;
    const targets = changes.filter((c) => c.kind === 'target');
    const deployments = changes.filter((c) => c.kind === 'deployment');
    for (const c of changes) if (c.kind === 'received') this.#receive(c.deviceId, c.messageId);
    for (const c of deployments.filter((d) => d.before === null)) this.#keep(c.before, c.after, at);
    const resolved = new Set(
      deployments.filter((c) => c.after.resolvedAt !== null && !c.before?.resolvedAt).map((c) => c.after.id),
    );
    // A decision is judged by what it saw: what was committed before it.
    const made = targets.filter((c) => c.before === null).map((c) => c.after);
    for (const { before, after } of targets) if (before) this.#changed(before, after, made, at);
    const started = targets.filter((c) => c.before?.state === 'pending' && c.after.state === 'sent');
    for (const id of new Set(started.map((c) => c.after.deploymentId))) {
      const mine = started.filter((c) => c.after.deploymentId === id).map((c) => c.after);
      this.#started(this.#deployments.get(id)!, mine, at);
    }
    for (const { before, after } of targets) {
      if (!before && after.wave >= 0 && !resolved.has(after.deploymentId))
        this.#joined(this.#deployments.get(after.deploymentId)!, after.wave, at);
    }
    for (const { after } of targets) {
      const name = `${after.deploymentId}/${after.deviceId}`;
      if (this.#targets.get(name)?.attempt !== after.attempt) this.#attemptSince.set(name, at);
      this.#targets.set(name, after);
      if (isActive(after)) this.#closedAt.delete(name);
      else if (!this.#closedAt.has(name)) this.#closedAt.set(name, at);
    }
    for (const c of changes)
      if (c.kind === 'removed' && c.topic === requestTopic)
        this.#removed(`${c.deploymentId}/${c.deviceId}`, c.attempt!, at);
    const retried = targets.some((c) => c.before && c.after.attemptsForgiven > c.before.attemptsForgiven);
    for (const { before, after } of deployments) if (before) this.#keep(before, after, at, retried);
    for (const deployment of this.#deployments.values()) this.#note(deployment, at);
  }

  /** Nothing is open any more. */
  isOver(): boolean {
    return (
      [...this.#deployments.values()].every((d) => isEnded(d.state)) &&
      [...this.#targets.values()].every((t) => !isOpen(t.state))
    );
  }

  ended(deviceIds: Iterable<string>): void {
    for (const t of this.#targets.values()) {
      if (isOpen(t.state)) throw new Violation(`${t.deploymentId}/${t.deviceId} is stuck in ${t.state}`);
    }
    for (const d of this.#deployments.values()) {
      if (!isEnded(d.state)) throw new Violation(`${d.id} is stuck in ${d.state}`);
      this.#missed(d, deviceIds);
    }
    for (const message of this.#said)
      if (!this.#received.has(message)) throw new Violation(`critical message ${message} was lost`);
  }

  #receive(deviceId: string, messageId: string): void {
    const key = `${deviceId}/${messageId}`;
    if (this.#received.has(key)) throw new Violation(`critical message ${key} handled twice`);
    this.#received.add(key);
  }

  /** A request is done with when the broker was asked, or when it must not be sent any more. */
  #removed(name: string, attempt: number, at: number): void {
    const target = this.#targets.get(name)!;
    const { policy } = this.#deployments.get(target.deploymentId)!;
    if (this.#offered.has(`${name}/${attempt}`) || target.attempt !== attempt || !isWorking(target)) return;
    if (policy.window && !isWindowOpen(policy.window, this.#world.timeZone(target.deviceId), at)) return;
    throw new Violation(`${name}: the request of attempt ${attempt} was forgotten unsent`);
  }

  #changed(before: TargetRow, after: TargetRow, made: TargetRow[], at: number): void {
    const name = `${after.deploymentId}/${after.deviceId}`;
    const { sha256, component } = this.#imageOf(after.deploymentId);
    const { policy } = this.#deployments.get(after.deploymentId)!;
    if (before.state !== 'skipped' && after.state === 'skipped' && !this.#isOvertaken(after, made))
      throw new Violation(`${name} was superseded, but nothing newer is for its ${component}`);
    if (after.state === 'succeeded' && !this.#world.ran(after.deviceId).has(sha256))
      throw new Violation(`${name} succeeded, but its device never ran the image`);
    if (!isOpen(after.state) && after.hasDeadline) throw new Violation(`${name} closed with a deadline`);
    if (isOpen(after.state) && after.state !== 'pending' && !after.hasDeadline)
      throw new Violation(`${name} ${after.state} without a deadline`);
    if (isSilent(after) && !isSilent(before) && before.mayWaitUntil !== null && at < before.mayWaitUntil)
      throw new Violation(`${name} was taken for silent while its application had it wait`);
    if (after.attempt < before.attempt) throw new Violation(`${name}: the attempt went back`);
    if (after.attempt - after.attemptsForgiven > policy.maxAttempts)
      throw new Violation(`${name}: more attempts than allowed`);
    if (!isActive(before) && isActive(after)) {
      const other = [...this.#targets.values()].find(
        (t) => t.deviceId === after.deviceId && t.deploymentId !== after.deploymentId && isActive(t),
      );
      if (other) throw new Violation(`${name} was started while ${other.deploymentId} is at work on it`);
    }
  }

  #started(deployment: Watched, started: TargetRow[], at: number): void {
    const { id, state, policy } = deployment;
    const first = started[0]!.deviceId;
    if (state !== 'running') throw new Violation(`${id} is ${state} and ${first} was started`);
    if (policy.window) for (const t of started) this.#inWindow(id, policy, t.deviceId, [at]);
    this.#note(deployment, at);
    for (let wave = 0; wave <= Math.max(...started.map((t) => t.wave)); wave++) {
      const gate = deployment.gates![wave]!;
      const { failed, silent, all } = this.#judge(deployment, wave);
      if (failed * 100 > gate.failurePercent * all)
        throw new Violation(`${id}: started although ${failed} of ${all} failed in wave ${wave}`);
      if (silent * 100 > gate.silencePercent * all)
        throw new Violation(`${id}: started although ${silent} of ${all} are silent in wave ${wave}`);
    }
    for (const { wave, deviceId } of started.filter((t) => t.attempt === 1 && t.wave > 0)) {
      if (!this.#hasPassed(deployment, wave - 1, at))
        throw new Violation(
          `${id}: ${deviceId} of wave ${wave} was started before wave ${wave - 1} had passed its gate`,
        );
    }
    deployment.starts.push(...started.map(() => at));
    const inMinute = deployment.starts.filter((s) => s > at - 60_000).length;
    if (policy.ratePerMinute !== null && inMinute > policy.ratePerMinute)
      throw new Violation(`${id}: ${inMinute} starts in a minute, ${policy.ratePerMinute} allowed`);
    for (const { deviceId, component } of started) {
      for (const newer of this.#deployments.values()) {
        const theirs = this.#targets.get(`${newer.id}/${deviceId}`);
        if (isNewer(newer, deployment) && theirs?.component === component && theirs.state === 'succeeded')
          throw new Violation(`${id}: ${deviceId} was started although ${newer.id} has updated it since`);
      }
    }
  }

  #joined(deployment: Watched, wave: number, at: number): void {
    const { id, state, policy } = deployment;
    if (state !== 'running' || policy.lateJoinersMs === null)
      throw new Violation(`${id} is ${state} and took a late joiner`);
    this.#note(deployment, at);
    for (let before = deployment.wave; before < wave; before++) {
      if (!this.#hasPassed(deployment, before, at))
        throw new Violation(`${id}: a late joiner in wave ${wave}, which is not open`);
    }
  }

  #keep(before: DeploymentRow | null, after: DeploymentRow, at: number, retried = false): void {
    const nothing = { starts: [], openedAt: [], enoughSince: [], pardoned: [], completedFrom: null };
    const watched: Watched = Object.assign(this.#deployments.get(after.id) ?? nothing, after);
    this.#deployments.set(after.id, watched);
    if (before?.state !== 'completed' && after.state === 'completed')
      watched.completedFrom = before?.state ?? null;
    // A resume pardons what its operator saw; new attempts pardon nothing.
    if (before?.state === 'halted' && after.state === 'running' && !retried) {
      watched.pardoned = (after.gates ?? []).map((_, wave) => {
        const mine = this.#ofWave(watched, wave);
        return { failed: mine.filter(hasFailed).length, silent: mine.filter(isSilent).length };
      });
    }
    for (let wave = 0; after.gates && wave <= after.wave; wave++) watched.openedAt[wave] ??= at;
  }

  /** Notes when gates come to hold. Once is enough: a success that is taken back after the next wave has opened closes nothing. */
  #note(deployment: Watched, now: number): void {
    const { policy, gates } = deployment;
    gates?.forEach((gate, wave) => {
      const { all, succeeded, unreached } = this.#judge(deployment, wave);
      const openedAt = deployment.openedAt[wave];
      const overdue =
        openedAt !== undefined &&
        policy.gateTimeoutMs !== null &&
        now - openedAt >= policy.gateTimeoutMs - lagMs;
      const suffices = (of: number) => succeeded >= Math.ceil((gate.successPercent * of) / 100);
      if (suffices(all) || (overdue && unreached < all && suffices(all - unreached)))
        deployment.enoughSince[wave] ??= now;
    });
  }

  #hasPassed(deployment: Watched, wave: number, now: number): boolean {
    const since = deployment.enoughSince[wave] ?? null;
    const isEmpty = this.#ofWave(deployment, wave).length === 0;
    return isEmpty || (since !== null && now - since >= deployment.gates![wave]!.soakMs);
  }

  #judge(deployment: Watched, wave: number) {
    const mine = this.#ofWave(deployment, wave);
    const past = deployment.pardoned[wave] ?? { failed: 0, silent: 0 };
    const [failed, silent] = [mine.filter(hasFailed).length, mine.filter(isSilent).length];
    const pardoned = { failed: Math.min(past.failed, failed), silent: Math.min(past.silent, silent) };
    return {
      failed: failed - pardoned.failed,
      silent: silent - pardoned.silent,
      all: mine.length - pardoned.failed - pardoned.silent,
      succeeded: mine.filter((t) => t.state === 'succeeded').length,
      unreached: mine.filter(
        (t) => t.state === 'pending' && t.attempt === 0 && !this.#world.reachable(t.deviceId),
      ).length,
    };
  }

  /** Those that say something about the firmware. */
  #ofWave({ id }: Watched, wave: number): TargetRow[] {
    return [...this.#targets.values()].filter(
      (t) => t.deploymentId === id && t.wave === wave && t.state !== 'skipped' && t.state !== 'cancelled',
    );
  }

  #inWindow(id: string, { window }: RolloutPolicy, deviceId: string, moments: number[]): void {
    const zone = this.#world.timeZone(deviceId);
    if (!window || moments.some((at) => isWindowOpen(window, zone, at))) return;
    throw new Violation(`${id}: dispatched outside of its maintenance window in ${zone}`);
  }

  /**
   * Whoever is chosen when the deployment resolves is in it, and, where it takes late joiners, whoever comes to be so within their
   * time; unless an operator has ended it, or somebody had to decide (paused, halted) until nothing was left.
   */
  #missed(deployment: Watched, deviceIds: Iterable<string>): void {
    const { id, resolvedAt, policy, state, completedFrom } = deployment;
    if (resolvedAt === null || this.#imageOf(id).component !== mainComponent) return;
    const heeds = state === 'completed' && completedFrom === 'running';
    const until = resolvedAt + (heeds ? (policy.lateJoinersMs ?? 0) : 0);
    for (const deviceId of deviceIds) {
      const at = this.#matched.get(`${id}/${deviceId}`);
      if (at !== undefined && at <= until && !this.#targets.has(`${id}/${deviceId}`))
        throw new Violation(`${id}: ${deviceId} was missed`);
    }
  }

  /** `made`: targets of the same transaction. */
  #isOvertaken({ deviceId, deploymentId, component }: TargetRow, made: TargetRow[]): boolean {
    const mine = this.#deployments.get(deploymentId)!;
    return [...this.#targets.values(), ...made].some(
      (other) =>
        other.deviceId === deviceId &&
        other.component === component &&
        isNewer(this.#deployments.get(other.deploymentId)!, mine),
    );
  }

  #imageOf(deploymentId: string): Image {
    return this.#world.image(this.#deployments.get(deploymentId)!.firmwareId);
  }
}

/** Between a decision and its commit, or a command's last check and its sending. */
const lagMs = 10_000;

const isEnded = (state: RolloutState) => state === 'completed' || state === 'cancelled';
const isActive = (t: TargetRow) => isActiveState(t.state);
const isWorking = (t: TargetRow) => (workingStates as TargetState[]).includes(t.state);
const isNewer = (a: DeploymentRow, than: DeploymentRow) => a.order > than.order;
const hasFailed = (t: TargetRow) => t.state === 'failed' || t.state === 'rolled_back';
export const isSilent = (t: TargetRow) =>
  t.state === 'timed_out' ||
  (t.state === 'pending' && t.errorCode === 'timed_out' && t.attempt > t.attemptsForgiven);
