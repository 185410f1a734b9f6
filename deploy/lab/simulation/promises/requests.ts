/** Requests for an update are sent while their target wants them, and are not forgotten before. */
import type { RolloutPolicy } from '#webhook/deployments/policy.ts';
import { type TargetState, workingStates } from '#webhook/deployments/states.ts';
import { isOpen as isWindowOpen } from '#webhook/deployments/window.ts';
import { isActive, nameOf, type TargetRow } from './changes.ts';
import { type Committed, lagMs, Violation } from './committed.ts';

export class Requests {
  readonly #committed: Committed;
  /** Since when a target has been waiting or over: no request is due. */
  readonly #closedAt = new Map<string, number>();
  /** Since when a target has been at this attempt. */
  readonly #attemptSince = new Map<string, number>();
  /** Those that the broker was asked to deliver, by target and attempt. */
  readonly #offered = new Set<string>();

  constructor(committed: Committed) {
    this.#committed = committed;
  }

  /** The broker is asked to deliver one; there may be nobody who takes it. */
  offered(deploymentId: string, deviceId: string, attempt: number): void {
    this.#offered.add(`${deploymentId}/${deviceId}/${attempt}`);
  }

  /** One that may start an update was taken by the broker. */
  sent(deploymentId: string, deviceId: string, attempt: number, now: number): void {
    const name = `${deploymentId}/${deviceId}`;
    const target = this.#committed.targets.get(name);
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
    if (target.state !== 'sent') return;
    const deployment = this.#committed.deployments.get(deploymentId)!;
    this.inWindow(deploymentId, deployment.policy, deviceId, [now, now - lagMs]);
    if (this.#committed.isFrozen(deployment, [now, now - lagMs]))
      throw new Violation(`${name}: attempt ${attempt} was sent within a freeze`);
  }

  /** The maintenance window was open at one of the moments. */
  inWindow(id: string, { window }: RolloutPolicy, deviceId: string, moments: number[]): void {
    const zone = this.#committed.world.timeZone(deviceId);
    if (!window || moments.some((at) => isWindowOpen(window, zone, at))) return;
    throw new Violation(`${id}: dispatched outside of its maintenance window in ${zone}`);
  }

  /** The target has become this; before it is kept as committed. */
  changed(after: TargetRow, at: number): void {
    const name = nameOf(after);
    if (this.#committed.targets.get(name)?.attempt !== after.attempt) this.#attemptSince.set(name, at);
    if (isActive(after)) this.#closedAt.delete(name);
    else if (!this.#closedAt.has(name)) this.#closedAt.set(name, at);
  }

  /** One is done with when the broker was asked, or when it must not be sent any more. */
  removed(name: string, attempt: number, at: number): void {
    const { targets, deployments, world } = this.#committed;
    const target = targets.get(name)!;
    const deployment = deployments.get(target.deploymentId)!;
    const { policy } = deployment;
    if (this.#offered.has(`${name}/${attempt}`) || target.attempt !== attempt || !isWorking(target)) return;
    if (policy.window && !isWindowOpen(policy.window, world.timeZone(target.deviceId), at)) return;
    // One that was deleted meanwhile held when the request was looked at.
    if ([at, at - lagMs].some((moment) => this.#committed.isFrozen(deployment, [moment]))) return;
    throw new Violation(`${name}: the request of attempt ${attempt} was forgotten unsent`);
  }
}

const isWorking = (t: TargetRow) => (workingStates as TargetState[]).includes(t.state);
