import { strict as assert } from 'node:assert';
import type { Manifest } from '#emqx/protocol.ts';
import type { Case } from '../case.ts';
import { kib, type Rig } from '../rig.ts';

async function isRolledBack(rig: Rig, factory: string, code: string): Promise<void> {
  const result = await rig.result();
  assert.equal(result.outcome, 'rolled_back', JSON.stringify(result));
  assert.equal((result.running as Manifest).sha256, factory, 'it does not run the old image');
  assert.equal((result.error as { code: string }).code, code);
  const boot = rig.broker
    .of('status/health')
    .filter((it) => it.boot)
    .at(-1)!;
  assert.equal((boot.boot as { reason: string }).reason, 'rollback');
}

export const bootCases: Case[] = [
  {
    name: 'an image that fails its self-test is rolled back',
    short: true,
    async run(rig) {
      await rig.start();
      await rig.broker.see('status/health');
      const factory = rig.running.sha256;
      await rig.request(rig.publish(64 * kib, { selfTest: 'fail' }));
      await isRolledBack(rig, factory, 'self_test_failed');
    },
  },
  {
    name: 'an image that cannot reach the broker in time is rolled back, and reports nothing before',
    async run(rig) {
      await rig.start();
      await rig.broker.see('status/health');
      const factory = rig.running.sha256;
      const manifest = rig.publish(64 * kib);
      const { serials } = rig.broker;
      // The next connection is the new image's.
      await rig.request(manifest);
      await rig.broker.see('firmware/download/progress', (it) => it.stage === 'installing');
      rig.broker.refused.add(serials.at(-1)!);
      await new Promise((resolve) => setTimeout(resolve, 4_500));
      rig.broker.refused.clear();
      await isRolledBack(rig, factory, 'self_test_failed');
    },
  },
];
