/** Targets and deployments as they are committed by now, and what the world outside knows of them. */
import type { RolloutState } from '#webhook/deployments/rollout.ts';
import type { DeploymentRow, TargetRow } from './changes.ts';

/** A broken promise. */
export class Violation extends Error {}

export interface Image {
  sha256: string;
  component: string;
  securityVersion: number;
}

/** An image that a device has confirmed, and when. */
export interface Ran {
  sha256: string;
  at: number;
}

/** What no machine is asked for. */
export interface World {
  /** What the device has run for good, one after the other, the last to this moment: an image on trial is none yet. */
  ran(deviceId: string): readonly Ran[];
  reachable(deviceId: string): boolean;
  timeZone(deviceId: string): string;
  image(firmwareId: string): Image;
}

export interface Watched extends DeploymentRow {
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

/** Between a decision and its commit, or a command's last check and its sending. */
export const lagMs = 10_000;

export class Committed {
  readonly world: World;
  /** By deployment and device. */
  readonly targets = new Map<string, TargetRow>();
  readonly deployments = new Map<string, Watched>();
  /** By id: from when until when each held, by its days and by when it was made and deleted. */
  readonly freezes = new Map<string, { from: number; until: number }>();

  constructor(world: World) {
    this.world = world;
  }

  /** A freeze held at all of the moments, and the deployment heeds it. */
  isFrozen({ overridesFreezes }: DeploymentRow, moments: number[]): boolean {
    const held = [...this.freezes.values()];
    return !overridesFreezes && moments.every((at) => held.some((f) => f.from < at && at < f.until));
  }

  imageOf(deploymentId: string): Image {
    return this.world.image(this.deployments.get(deploymentId)!.firmwareId);
  }

  /** That stands: one that was cancelled undoes nothing. */
  undoOf(deploymentId: string): Watched | undefined {
    return [...this.deployments.values()].find((d) => d.undoes === deploymentId && d.state !== 'cancelled');
  }

  /** Those that say something about the firmware. */
  ofWave({ id }: Watched, wave: number): TargetRow[] {
    return [...this.targets.values()].filter(
      (t) => t.deploymentId === id && t.wave === wave && t.state !== 'skipped' && t.state !== 'cancelled',
    );
  }
}
