/**
 * Why an update did not succeed: every reason there is. A new one of a device is named in `emqx/protocol.ts` and in the agent's
 * `ota_failure.c`, a new one of ours here; it does not compile before it has a class here and words in both of the console's languages.
 */
import { type DeviceError, deviceErrorCodes } from '#emqx/protocol.ts';

/** What the webhook finds by itself. */
const ownReasons = [
  'timed_out',
  'attestation_mismatch',
  'url_too_long',
  'command_too_large',
  'superseded',
  'up_to_date',
  'downgrade',
] as const;

export type FailureReason = DeviceError['code'] | (typeof ownReasons)[number];
export const failureReasons = [...deviceErrorCodes, ...ownReasons] as const;

/** `transient`: another attempt may succeed. `permanent`: it would only fail again. */
export const failureClasses: Record<FailureReason, 'transient' | 'permanent'> = {
  busy: 'transient',
  bad_request: 'permanent',
  url_refused: 'permanent',
  manifest_invalid: 'permanent',
  signature_invalid: 'permanent',
  hardware_mismatch: 'permanent',
  component_unknown: 'permanent',
  downgrade_refused: 'permanent',
  size_mismatch: 'transient',
  digest_mismatch: 'transient',
  download_failed: 'transient',
  storage_failed: 'transient',
  install_failed: 'transient',
  boot_failed: 'permanent',
  self_test_failed: 'permanent',
  too_late: 'permanent',
  unknown_deployment: 'permanent',
  unknown_command: 'permanent',
  command_failed: 'permanent',

  timed_out: 'transient',
  attestation_mismatch: 'permanent',
  url_too_long: 'permanent',
  command_too_large: 'permanent',
  superseded: 'permanent',
  up_to_date: 'permanent',
  downgrade: 'permanent',
};
