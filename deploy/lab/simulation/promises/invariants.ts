/**
 * What must hold at every commit and at the end, judged without the machines, from the changes as they were
 * committed, in their order.
 */
import { mainComponent, requestTopic } from '#emqx/protocol.ts';
import { isOpen } from '#webhook/deployments/states.ts';
import {
  type Change,
  type DeploymentRow,
  isActive,
  isEnded,
  isSilent,
  nameOf,
  type TargetRow,
} from './changes.ts';
import { Committed, Violation, type Watched, type World } from './committed.ts';
import { Gates } from './gates.ts';
import { Messages } from './messages.ts';
import { Requests } from './requests.ts';
import { Starts } from './starts.ts';
import { Undos } from './undos.ts';

export class Invariants {
  readonly messages = new Messages();
  readonly requests: Requests;
  readonly undos: Undos;
  readonly #committed: Committed;
  readonly #gates: Gates;
  readonly #starts: Starts;
  /** Since when a device has been chosen by a deployment. */
  readonly #matched = new Map<string, number>();

  constructor(world: World) {
    this.#committed = new Committed(world);
    this.#gates = new Gates(this.#committed);
    this.requests = new Requests(this.#committed);
    this.undos = new Undos(this.#committed);
    this.#starts = new Starts(this.#committed, this.#gates, this.requests);
  }

  get deployments(): ReadonlyMap<string, DeploymentRow> {
    return this.#committed.deployments;
  }
  get targets(): Iterable<TargetRow> {
    return this.#committed.targets.values();
  }

  /** The device comes to be one of those that the deployment is for. */
  matched(deploymentId: string, deviceId: string, at: number): void {
    const key = `${deploymentId}/${deviceId}`;
    if (!this.#matched.has(key)) this.#matched.set(key, at);
  }

  /** All that one transaction has committed, in order. */
  committed(changes: Change[]): void {
    const { at } = changes[0]!;
    const targets = changes.filter((c) => c.kind === 'target');
    const deployments = changes.filter((c) => c.kind === 'deployment');
    for (const c of changes) if (c.kind === 'received') this.messages.received(c.deviceId, c.messageId);
    for (const c of changes) if (c.kind === 'freeze') this.#froze(c);
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
      this.#starts.started(this.#deployment(id), mine, at);
      for (const target of mine) this.undos.started(target, at);
    }
    for (const { before, after } of targets) {
      if (!before && after.wave >= 0 && !resolved.has(after.deploymentId))
        this.#starts.joined(this.#deployment(after.deploymentId), after.wave, at);
    }
    for (const { after } of targets) {
      this.requests.changed(after, at);
      this.#committed.targets.set(nameOf(after), after);
    }
    for (const c of changes)
      if (c.kind === 'removed' && c.topic === requestTopic)
        this.requests.removed(`${c.deploymentId}/${c.deviceId}`, c.attempt!, at);
    const retried = targets.some((c) => c.before && c.after.attemptsForgiven > c.before.attemptsForgiven);
    for (const { before, after } of deployments) if (before) this.#keep(before, after, at, retried);
    for (const deployment of this.#committed.deployments.values()) this.#gates.note(deployment, at);
  }

  /** Nothing is open any more. */
  isOver(): boolean {
    return [...this.deployments.values()].every(isEnded) && [...this.targets].every((t) => !isOpen(t.state));
  }

  ended(deviceIds: Iterable<string>): void {
    for (const t of this.targets) {
      if (isOpen(t.state)) throw new Violation(`${nameOf(t)} is stuck in ${t.state}`);
    }
    for (const d of this.#committed.deployments.values()) {
      if (!isEnded(d)) throw new Violation(`${d.id} is stuck in ${d.state}`);
      this.#missed(d, deviceIds);
    }
    this.undos.ended(deviceIds);
    this.messages.ended();
  }

  #deployment(id: string): Watched {
    return this.#committed.deployments.get(id)!;
  }

  #froze({ id, startsAt, endsAt, gone, at }: Change & { kind: 'freeze' }): void {
    const known = this.#committed.freezes.get(id);
    if (gone && known) known.until = Math.min(known.until, at);
    else this.#committed.freezes.set(id, { from: Math.max(startsAt, at), until: endsAt });
  }

  #changed(before: TargetRow, after: TargetRow, made: TargetRow[], at: number): void {
    const name = nameOf(after);
    const { policy } = this.#deployment(after.deploymentId);
    if (before.state !== 'skipped' && after.state === 'skipped') this.#starts.leftOut(after, made);
    const { sha256 } = this.#committed.imageOf(after.deploymentId);
    if (after.state === 'succeeded' && !this.undos.hasRun(after, sha256))
      throw new Violation(`${name} succeeded, but its device never ran the image`);
    if (!isOpen(after.state) && after.hasDeadline) throw new Violation(`${name} closed with a deadline`);
    if (isOpen(after.state) && after.state !== 'pending' && !after.hasDeadline)
      throw new Violation(`${name} ${after.state} without a deadline`);
    if (isSilent(after) && !isSilent(before) && before.mayWaitUntil !== null && at < before.mayWaitUntil)
      throw new Violation(`${name} was taken for silent while its application had it wait`);
    if (after.attempt < before.attempt) throw new Violation(`${name}: the attempt went back`);
    if (after.attempt - after.attemptsForgiven > policy.maxAttempts)
      throw new Violation(`${name}: more attempts than allowed`);
    if (!isActive(before) && isActive(after)) this.#starts.alone(after);
  }

  #keep(before: DeploymentRow | null, after: DeploymentRow, at: number, retried = false): void {
    const nothing = { starts: [], openedAt: [], enoughSince: [], pardoned: [], completedFrom: null };
    const watched: Watched = Object.assign(this.#committed.deployments.get(after.id) ?? nothing, after);
    this.#committed.deployments.set(after.id, watched);
    if (before?.state !== 'completed' && after.state === 'completed')
      watched.completedFrom = before?.state ?? null;
    // New attempts pardon nothing.
    if (before?.state === 'halted' && after.state === 'running' && !retried) this.#gates.pardon(watched);
    this.#gates.opened(watched, after, at);
  }

  /**
   * Whoever is chosen when the deployment resolves is in it, and, where it takes late joiners, whoever comes to be so within their
   * time; unless an operator has ended it, or somebody had to decide (paused, halted) until nothing was left.
   */
  #missed(deployment: Watched, deviceIds: Iterable<string>): void {
    const { id, resolvedAt, policy, state, completedFrom } = deployment;
    if (resolvedAt === null || this.#committed.imageOf(id).component !== mainComponent) return;
    const heeds = state === 'completed' && completedFrom === 'running';
    const until = resolvedAt + (heeds ? (policy.lateJoinersMs ?? 0) : 0);
    for (const deviceId of deviceIds) {
      const at = this.#matched.get(`${id}/${deviceId}`);
      if (at !== undefined && at <= until && !this.#committed.targets.has(`${id}/${deviceId}`))
        throw new Violation(`${id}: ${deviceId} was missed`);
    }
  }
}
