/** Every step from one state of a deployment to another, as data; `rollout-transitions.test.ts` holds machine and diagram to it. */
import type { RolloutState } from './rollout.ts';
import { draw } from './transitions.ts';

/** `start`, `halt` and `complete` are what a look finds. */
export type RolloutCause =
  | 'approve'
  | 'refuse'
  | 'start'
  | 'pause'
  | 'resume'
  | 'halt'
  | 'complete'
  | 'cancel'
  | 'retry_failed';

export const rolloutTransitions: readonly {
  on: RolloutCause;
  from: readonly RolloutState[];
  to: readonly RolloutState[];
}[] = [
  { on: 'approve', from: ['waiting_for_approval'], to: ['scheduled'] },
  { on: 'refuse', from: ['waiting_for_approval'], to: ['cancelled'] },
  { on: 'start', from: ['scheduled'], to: ['running'] },
  { on: 'pause', from: ['scheduled', 'running'], to: ['paused'] },
  // One that was paused before its time goes back to waiting for it.
  { on: 'resume', from: ['paused'], to: ['scheduled', 'running'] },
  { on: 'resume', from: ['halted'], to: ['running'] },
  { on: 'halt', from: ['running'], to: ['halted'] },
  { on: 'complete', from: ['running', 'paused', 'halted'], to: ['completed'] },
  {
    on: 'cancel',
    from: ['waiting_for_approval', 'scheduled', 'running', 'paused', 'halted'],
    to: ['cancelled'],
  },
  { on: 'retry_failed', from: ['halted', 'completed'], to: ['running'] },
];

export function drawRollouts(): string {
  return draw(rolloutTransitions, ['waiting_for_approval', 'scheduled'], ['completed', 'cancelled']);
}
