/**
 * Why an update did not succeed: every reason there is. A device's are named in `emqx/protocol.ts` and in the agent's `ota_failure.h`,
 * our own here; none compiles before it has words in the console's languages.
 */
import { deviceErrorClasses, type ErrorClass } from '#emqx/protocol.ts';

export const failureClasses = {
  ...deviceErrorClasses,

  // What the webhook finds by itself.
  timed_out: 'transient',
  attestation_mismatch: 'permanent',
  url_too_long: 'permanent',
  command_too_large: 'permanent',
  cannot_decrypt: 'permanent',
  sealing_failed: 'transient',
  superseded: 'permanent',
  control_group: 'permanent',
  up_to_date: 'permanent',
  downgrade: 'permanent',
} as const satisfies Record<string, ErrorClass>;

export type FailureReason = keyof typeof failureClasses;
export const failureReasons = Object.keys(failureClasses) as [FailureReason, ...FailureReason[]];
