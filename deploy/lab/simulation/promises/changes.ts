/** What a transaction has changed, as the triggers of `database.ts` (or `machines.ts`) tell it: all that promises are judged by. */
import type { Gate, RolloutPolicy } from '#webhook/deployments/policy.ts';
import type { RolloutState } from '#webhook/deployments/rollout.ts';
import { isActive as isActiveState, type TargetState } from '#webhook/deployments/states.ts';

/** One change as it was committed; those of one transaction share `tx`, which is all that its value means. */
export type Change = { tx: string; at: number } & (
  | { kind: 'target'; before: TargetRow | null; after: TargetRow }
  | { kind: 'deployment'; before: DeploymentRow | null; after: DeploymentRow }
  /** One was made, or deleted. */
  | { kind: 'freeze'; id: string; startsAt: number; endsAt: number; gone: boolean }
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
  /** Of an undo: the deployment that it takes back. */
  undoes: string | null;
  state: RolloutState;
  policy: RolloutPolicy;
  gates: Gate[] | null;
  wave: number;
  resolvedAt: number | null;
  overridesFreezes: boolean;
}

export const nameOf = (t: TargetRow) => `${t.deploymentId}/${t.deviceId}`;
export const isActive = (t: TargetRow) => isActiveState(t.state);
export const hasFailed = (t: TargetRow) => t.state === 'failed' || t.state === 'rolled_back';
export const isSilent = (t: TargetRow) =>
  t.state === 'timed_out' ||
  (t.state === 'pending' && t.errorCode === 'timed_out' && t.attempt > t.attemptsForgiven);
export const isEnded = (d: DeploymentRow) => d.state === 'completed' || d.state === 'cancelled';
export const isNewer = (a: DeploymentRow, than: DeploymentRow) => a.order > than.order;
