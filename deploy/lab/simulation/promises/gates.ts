/** Waves open one after the other, each by the successes of the one before, and nothing is started past its limits. */
import { type DeploymentRow, hasFailed, isSilent } from './changes.ts';
import { type Committed, lagMs, Violation, type Watched } from './committed.ts';

export class Gates {
  readonly #committed: Committed;

  constructor(committed: Committed) {
    this.#committed = committed;
  }

  /** An operator resumes what was halted: that pardons what they saw. */
  pardon(deployment: Watched): void {
    deployment.pardoned = (deployment.gates ?? []).map((_, wave) => {
      const mine = this.#committed.ofWave(deployment, wave);
      return { failed: mine.filter(hasFailed).length, silent: mine.filter(isSilent).length };
    });
  }

  opened(deployment: Watched, { gates, wave: open }: DeploymentRow, at: number): void {
    for (let wave = 0; gates && wave <= open; wave++) deployment.openedAt[wave] ??= at;
  }

  /** Notes when gates come to hold. Once is enough: a success that is taken back after the next wave has opened closes nothing. */
  note(deployment: Watched, now: number): void {
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

  hasPassed(deployment: Watched, wave: number, now: number): boolean {
    const since = deployment.enoughSince[wave] ?? null;
    const isEmpty = this.#committed.ofWave(deployment, wave).length === 0;
    const { soakMs } = deployment.gates![wave]!;
    const standMs = Math.max(soakMs, deployment.policy.health?.minObservedMs ?? 0);
    return isEmpty || (since !== null && now - since >= standMs);
  }

  /** Of waves up to this one: neither failures nor silence have been more than their gates allow. */
  holdUpTo(last: number, deployment: Watched): void {
    for (let wave = 0; wave <= last; wave++) {
      const gate = deployment.gates![wave]!;
      const { failed, silent, all } = this.#judge(deployment, wave);
      if (failed * 100 > gate.failurePercent * all)
        throw new Violation(`${deployment.id}: started although ${failed} of ${all} failed in wave ${wave}`);
      if (silent * 100 > gate.silencePercent * all)
        throw new Violation(
          `${deployment.id}: started although ${silent} of ${all} are silent in wave ${wave}`,
        );
    }
  }

  #judge(deployment: Watched, wave: number) {
    const mine = this.#committed.ofWave(deployment, wave);
    const past = deployment.pardoned[wave] ?? { failed: 0, silent: 0 };
    const [failed, silent] = [mine.filter(hasFailed).length, mine.filter(isSilent).length];
    const pardoned = { failed: Math.min(past.failed, failed), silent: Math.min(past.silent, silent) };
    return {
      failed: failed - pardoned.failed,
      silent: silent - pardoned.silent,
      all: mine.length - pardoned.failed - pardoned.silent,
      succeeded: mine.filter((t) => t.state === 'succeeded').length,
      unreached: mine.filter(
        (t) => t.state === 'pending' && t.attempt === 0 && !this.#committed.world.reachable(t.deviceId),
      ).length,
    };
  }
}
