import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openAuthority } from '#ca/authority.ts';
import { standin } from './broker.ts';
import { defineOutages } from './suite.ts';

const dir = mkdtempSync(join(tmpdir(), 'flota-outage-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

// The rules as they are, with intervals of a second or less, so that an outage of a second is a long one.
defineOutages({
  devices: 200,
  authority: () => openAuthority({ dir }),
  openBroker: standin({ actionHangMs: 300 }),
  tune(config) {
    for (const action of Object.values(config.actions.http)) {
      action.resource_opts = { ...(action.resource_opts as object), resume_interval: '100ms' };
    }
    Object.assign(config.actions.http.telemetry!.resource_opts as object, {
      max_buffer_bytes: '128KB',
      worker_pool_size: 2,
    });
  },
  // More impatient devices than these would be more than two busy cores can answer, and then nothing ever ends.
  timing: { resendMinMs: 2_000, resendMaxMs: 8_000, reconnectMinMs: 50, reconnectMaxMs: 1_000 },
  outageMs: 800,
  recoveryMs: 90_000,
  flood: { messages: 8, bytes: 1_024 },
  telemetryBufferBytes: 2 * 128 * 1024,
  canRestart: true,
});
