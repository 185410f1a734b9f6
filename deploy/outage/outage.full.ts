import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openAuthority } from '#ca/authority.ts';
import { standin } from './broker.ts';
import { defineOutages } from './suite.ts';

const dir = mkdtempSync(join(tmpdir(), 'flota-outage-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

// Every outage lasts a minute, with the rules and the devices' patience as they are in production.
defineOutages({
  devices: 200,
  authority: () => openAuthority({ dir }),
  openBroker: standin(),
  timing: { reconnectMaxMs: 5_000 },
  outageMs: 60_000,
  recoveryMs: 300_000,
  flood: { messages: 16, bytes: 4_000 },
  telemetryBufferBytes: 2 * 4 * 1024 * 1024,
  canRestart: true,
});
