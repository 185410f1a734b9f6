import { openAuthority } from '#ca/authority.ts';
import { emqx } from './broker.ts';
import { readEmqxUnderTest } from './config.ts';
import { defineOutages } from './suite.ts';

const { ca, host, ...broker } = readEmqxUnderTest();

defineOutages({
  devices: 200,
  host,
  authority: () => openAuthority(ca),
  openBroker: emqx(broker),
  tune(config) {
    for (const action of Object.values(config.actions.http)) {
      Object.assign(action.resource_opts as object, { health_check_interval: '1s', resume_interval: '1s' });
    }
    Object.assign(config.actions.http.telemetry!.resource_opts as object, {
      max_buffer_bytes: '1MB',
      worker_pool_size: 2,
    });
  },
  timing: { resendMinMs: 2_000, resendMaxMs: 10_000, reconnectMinMs: 200, reconnectMaxMs: 2_000 },
  outageMs: 10_000,
  recoveryMs: 120_000,
  flood: { messages: 16, bytes: 4_000 },
  telemetryBufferBytes: 2 * 1024 * 1024,
  canRestart: broker.restartCommand !== null,
});
