/** A target for tests of the machine. */
import { mainComponent } from '#emqx/protocol.ts';
import type { Target } from './machine.ts';
import { defaultPolicy } from './policy.ts';

/** One that nothing has happened to yet, but for what `over` says. */
export function newTarget(over: Partial<Target> = {}): Target {
  return {
    deploymentId: 'd',
    deviceId: 'dev',
    component: mainComponent,
    sha256: 'a'.repeat(64),
    version: '1',
    policy: defaultPolicy,
    totalBytes: 100,
    state: 'pending',
    attempt: 0,
    attemptsForgiven: 0,
    cancelRequested: false,
    receivedBytes: 0,
    bytesPerSecond: null,
    error: null,
    stats: null,
    nextAttemptAt: null,
    deadlineAt: null,
    deferred: null,
    deferralEndsAt: null,
    patchFault: null,
    ...over,
  };
}
