/** The life of one update on one device: the only list of its states, for the webhook, its SQL (`sqlList`) and the console. Imports nothing. */

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

/** What the application on a device may put off, while its target is `installing`. */
export const deferrableSteps = ['install', 'reboot'] as const;

/** The device holds the command (or may): no other update of the component may start. */
export const activeStates = [
  'sent',
  'accepted',
  'downloading',
  'installing',
  'cancelling',
] as const satisfies TargetState[];
export const openStates = ['pending', ...activeStates] as const satisfies TargetState[];

/** Active, and not on its way out. */
export const workingStates = activeStates.filter((state) => state !== 'cancelling');
/** Ended without success: an operator may have it tried again, and the device's own later word corrects it. */
export const failedStates = ['failed', 'rolled_back', 'timed_out'] as const satisfies TargetState[];

/** Those that need attention first: failures, then what is under way (the furthest first), then what waits, then what is done. */
export const byAttention: readonly TargetState[] = [
  ...failedStates,
  ...[...openStates].reverse(),
  'cancelled',
  'skipped',
  'succeeded',
];

/** Nothing more is done for these. */
export const closedStates = targetStates.filter((state) => !isOpen(state));

export function isOpen(state: TargetState): boolean {
  return (openStates as readonly TargetState[]).includes(state);
}

export function isActive(state: TargetState): boolean {
  return (activeStates as readonly TargetState[]).includes(state);
}
