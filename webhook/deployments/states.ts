/** The life of one update on one device. */
export const targetStates = [
  'pending',
  'sent',
  'accepted',
  'downloading',
  'installing',
  'succeeded',
  'failed',
  'rolled_back',
  'cancelling',
  'cancelled',
  'timed_out',
  'skipped',
] as const;
export type TargetState = (typeof targetStates)[number];

/** The device holds the command (or may): no other update of the component may start. */
export const activeStates = [
  'sent',
  'accepted',
  'downloading',
  'installing',
  'cancelling',
] as const satisfies TargetState[];
export const openStates = ['pending', ...activeStates] as const satisfies TargetState[];

export function isOpen(state: TargetState): boolean {
  return (openStates as readonly TargetState[]).includes(state);
}

export function isActive(state: TargetState): boolean {
  return (activeStates as readonly TargetState[]).includes(state);
}
