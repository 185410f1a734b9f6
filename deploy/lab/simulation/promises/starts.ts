/** What may be started, what may join, and what may be superseded. */
import { isActive, isNewer, nameOf, type TargetRow } from './changes.ts';
import { type Committed, Violation, type Watched } from './committed.ts';
import type { Gates } from './gates.ts';
import type { Requests } from './requests.ts';

export class Starts {
  readonly #committed: Committed;
  readonly #gates: Gates;
  readonly #requests: Requests;

  constructor(committed: Committed, gates: Gates, requests: Requests) {
    this.#committed = committed;
    this.#gates = gates;
    this.#requests = requests;
  }

  /** Some of one deployment, in one transaction. */
  started(deployment: Watched, started: TargetRow[], at: number): void {
    const { id, state, policy } = deployment;
    const first = started[0]!.deviceId;
    const undo = this.#committed.undoOf(id);
    if (undo) throw new Violation(`${id}: ${first} was started although ${undo.id} undoes it`);
    if (state !== 'running') throw new Violation(`${id} is ${state} and ${first} was started`);
    if (this.#committed.isFrozen(deployment, [at]))
      throw new Violation(`${id}: ${first} was started within a freeze`);
    for (const t of started) this.#requests.inWindow(id, policy, t.deviceId, [at]);
    this.#gates.note(deployment, at);
    this.#gates.holdUpTo(Math.max(...started.map((t) => t.wave)), deployment);
    for (const { wave, deviceId } of started.filter((t) => t.attempt === 1 && t.wave > 0)) {
      if (!this.#gates.hasPassed(deployment, wave - 1, at))
        throw new Violation(
          `${id}: ${deviceId} of wave ${wave} was started before wave ${wave - 1} had passed its gate`,
        );
    }
    if (policy.health && !this.#hasControl(deployment)) throw new Violation(`${id} has no control group`);
    const held = started.find((t) => deployment.gates![t.wave]!.control);
    if (held && policy.health?.afterwards === 'keep')
      throw new Violation(`${id}: ${held.deviceId} is of the control group, which was to be kept without it`);
    deployment.starts.push(...started.map(() => at));
    const inMinute = deployment.starts.filter((s) => s > at - 60_000).length;
    if (policy.ratePerMinute !== null && inMinute > policy.ratePerMinute)
      throw new Violation(`${id}: ${inMinute} starts in a minute, ${policy.ratePerMinute} allowed`);
    for (const { deviceId, component } of started) {
      for (const newer of this.#committed.deployments.values()) {
        const theirs = this.#committed.targets.get(`${newer.id}/${deviceId}`);
        if (isNewer(newer, deployment) && theirs?.component === component && theirs.state === 'succeeded')
          throw new Violation(`${id}: ${deviceId} was started although ${newer.id} has updated it since`);
      }
    }
  }

  /** One device alone has nobody to be compared with. */
  #hasControl({ id, gates }: Watched): boolean {
    const mine = [...this.#committed.targets.values()].filter((t) => t.deploymentId === id && t.wave >= 0);
    return mine.length === 1 || mine.some((t) => gates![t.wave]!.control);
  }

  /** A device does one thing at a time. */
  alone(after: TargetRow): void {
    const other = [...this.#committed.targets.values()].find(
      (t) => t.deviceId === after.deviceId && t.deploymentId !== after.deploymentId && isActive(t),
    );
    if (other)
      throw new Violation(`${nameOf(after)} was started while ${other.deploymentId} is at work on it`);
  }

  joined(deployment: Watched, wave: number, at: number): void {
    const { id, state, policy } = deployment;
    if (state !== 'running' || policy.lateJoinersMs === null)
      throw new Violation(`${id} is ${state} and took a late joiner`);
    this.#gates.note(deployment, at);
    for (let before = deployment.wave; before < wave; before++) {
      if (!this.#gates.hasPassed(deployment, before, at))
        throw new Violation(`${id}: a late joiner in wave ${wave}, which is not open`);
    }
  }

  /** Superseded, or of a control group that is kept. `made`: targets of the same transaction. */
  leftOut({ deviceId, deploymentId, component, wave, errorCode }: TargetRow, made: TargetRow[]): void {
    const { targets, deployments } = this.#committed;
    const mine = deployments.get(deploymentId)!;
    if (errorCode === 'control_group') {
      if (!mine.gates![wave]!.control || mine.policy.health?.afterwards !== 'keep')
        throw new Violation(
          `${deploymentId}/${deviceId} was left out, and is of no control group that is kept`,
        );
      return;
    }
    const isOvertaken = [...targets.values(), ...made].some(
      (other) =>
        other.deviceId === deviceId &&
        other.component === component &&
        isNewer(deployments.get(other.deploymentId)!, mine),
    );
    if (!isOvertaken)
      throw new Violation(
        `${deploymentId}/${deviceId} was superseded, but nothing newer is for its ${component}`,
      );
  }
}
