/** How long outages last and how patient everybody is: as production has it, or in a hurry. */

import type { BrokerConfig } from '#emqx/rules.ts';
import type { Timing } from '#firmware/virtual/options.ts';
import type { EmqxUnderTest } from '../broker/under-test.ts';

export interface Settings {
  devices: number;
  timing: Partial<Timing>;
  /** How long each fault lasts. */
  outageMs: number;
  /** From its end until every device has its acks. */
  recoveryMs: number;
  tune(config: BrokerConfig): void;
  /** How far away the database is when it is far, each way. */
  farMs: number;
  /** After how long the stand-in sends an unanswered request again; EMQX's 20 s unless somebody is in a hurry. */
  actionHangMs?: number;
  /** Of the action `telemetry`: all workers together. */
  telemetryBufferBytes: number;
  /** By how much a broker may be above it: EMQX counts what it has just put in, before it makes room (7,083 bytes were seen). */
  bufferSlackBytes: number;
  /** A running EMQX in place of the stand-in. */
  emqx: EmqxUnderTest | null;
  keep: boolean;
}

const tuneTelemetry = (config: BrokerConfig, values: object) =>
  Object.assign(config.actions.http.telemetry!.resource_opts as object, values);

/** The rules as they are, with intervals of a second or less, so that an outage of a second is a long one. */
export const short: Settings = {
  devices: 6,
  // More impatient devices than these would be more than two busy cores can answer, and then nothing ever ends.
  timing: { resendMinMs: 2_000, resendMaxMs: 8_000, reconnectMinMs: 50, reconnectMaxMs: 1_000 },
  outageMs: 800,
  recoveryMs: 90_000,
  tune(config) {
    for (const action of Object.values(config.actions.http))
      action.resource_opts = { ...(action.resource_opts as object), resume_interval: '100ms' };
    tuneTelemetry(config, { max_buffer_bytes: '16KB', worker_pool_size: 2 });
  },
  farMs: 200,
  // On a busy machine a commit takes a second: sent again meanwhile, it takes longer, and then no answer is ever in time.
  actionHangMs: 3_000,
  telemetryBufferBytes: 2 * 16 * 1024,
  bufferSlackBytes: 0,
  emqx: null,
  keep: false,
};

/** Every outage lasts a minute, with the rules and the devices' patience as they are in production. */
export const long: Settings = {
  devices: 200,
  timing: { reconnectMaxMs: 5_000 },
  outageMs: 60_000,
  recoveryMs: 300_000,
  tune(config) {
    tuneTelemetry(config, { max_buffer_bytes: '1MB', worker_pool_size: 2 });
  },
  farMs: 2_000,
  telemetryBufferBytes: 2 * 1024 * 1024,
  bufferSlackBytes: 0,
  emqx: null,
  keep: false,
};

/** A real EMQX, which looks after its connectors every second here. */
export const real: Settings = {
  ...long,
  bufferSlackBytes: 32 * 1024,
  timing: { resendMinMs: 2_000, resendMaxMs: 10_000, reconnectMinMs: 200, reconnectMaxMs: 2_000 },
  outageMs: 10_000,
  recoveryMs: 120_000,
  tune(config) {
    for (const action of Object.values(config.actions.http))
      Object.assign(action.resource_opts as object, { health_check_interval: '1s', resume_interval: '1s' });
    long.tune(config);
  },
};
