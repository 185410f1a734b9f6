/** An undo takes devices back to what they ran before, and nothing else does: no device leaves an image without being asked. */
import { isNewer, nameOf, type TargetRow } from './changes.ts';
import { type Committed, type Ran, Violation, type Watched } from './committed.ts';

export class Undos {
  readonly #committed: Committed;
  /** By device: the images that it was asked to run, and when. */
  readonly #asked = new Map<string, Ran[]>();
  /** When the first attempt of a target was started. */
  readonly #startedAt = new Map<string, number>();

  constructor(committed: Committed) {
    this.#committed = committed;
  }

  started(target: TargetRow, at: number): void {
    const { sha256 } = this.#committed.imageOf(target.deploymentId);
    const asked = this.#asked.get(target.deviceId) ?? [];
    this.#asked.set(target.deviceId, [...asked, { sha256, at }]);
    const name = nameOf(target);
    if (!this.#startedAt.has(name)) this.#startedAt.set(name, at);
  }

  /** Each time that it comes to an image, it was asked to since it had that one the last time; the first was there from the beginning. */
  confirmed(deviceId: string): void {
    const ran = this.#committed.world.ran(deviceId);
    const { sha256 } = ran.at(-1)!;
    if (ran.length === 1) return;
    const before = ran.slice(0, -1).findLast((it) => it.sha256 === sha256)?.at ?? 0;
    const isAsked = this.#asked.get(deviceId)?.some((it) => it.sha256 === sha256 && it.at >= before);
    if (!isAsked) throw new Violation(`${deviceId} has come to run ${sha256.slice(0, 8)}, unasked`);
  }

  /** A command of it goes out. */
  sent(deploymentId: string, hasUrl: boolean): void {
    if (this.#isUndo(deploymentId) && hasUrl)
      throw new Violation(`${deploymentId} is an undo, and was sent with the URL of an image`);
  }

  /** A device asks the store for something while it is at that. */
  downloads(deviceId: string, deploymentId: string | null): void {
    if (deploymentId && this.#isUndo(deploymentId))
      throw new Violation(`${deviceId} downloads an image for the undo ${deploymentId}`);
  }

  /** It ran the image when the target was started, or has since. */
  hasRun(target: TargetRow, sha256: string): boolean {
    const since = this.#startedAt.get(nameOf(target)) ?? 0;
    const ran = this.#committed.world.ran(target.deviceId);
    return ran.some((it, i) => it.sha256 === sha256 && (ran[i + 1]?.at ?? Number.POSITIVE_INFINITY) >= since);
  }

  /** Nobody is left on what was undone without a word. */
  ended(deviceIds: Iterable<string>): void {
    const ids = [...deviceIds];
    for (const undo of this.#committed.deployments.values()) {
      const undone = undo.undoes === null ? undefined : this.#committed.deployments.get(undo.undoes);
      if (undone && undo.state === 'completed') for (const id of ids) this.#isTold(undo, undone, id);
    }
  }

  #isTold(undo: Watched, undone: Watched, deviceId: string): void {
    const { targets, world } = this.#committed;
    const bad = this.#committed.imageOf(undone.id);
    const ran = world.ran(deviceId);
    if (ran.at(-1)?.sha256 !== bad.sha256 || !targets.get(`${undone.id}/${deviceId}`)?.attempt) return;
    const mine = [...targets.values()].filter((t) => t.deviceId === deviceId && t.attempt > 0);
    const later = (than: Watched) =>
      mine
        .map((t) => this.#committed.deployments.get(t.deploymentId)!)
        .filter((d) => d.undoes === null && isNewer(d, than));
    // It has got the same image again.
    if (later(undo).some((d) => this.#committed.imageOf(d.id).sha256 === bad.sha256)) return;
    const target = targets.get(`${undo.id}/${deviceId}`);
    if (target && (target.errorCode !== null || target.state === 'cancelled')) return;
    const previous = this.#committed.imageOf(undo.id);
    const cannot =
      ran.at(-2)?.sha256 !== previous.sha256 ||
      bad.securityVersion > previous.securityVersion ||
      later(undone).length > 0;
    if (target || !cannot)
      throw new Violation(
        `${undo.id}: ${deviceId} was left on what it undoes, ${target ? `and counts as ${target.state}` : 'and nobody was told'}`,
      );
  }

  #isUndo(deploymentId: string): boolean {
    return (this.#committed.deployments.get(deploymentId)?.undoes ?? null) !== null;
  }
}
