/** On a storage that forgets what was not synced, or returns what was not written. */
import { strict as assert } from 'node:assert';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Case } from '../case.ts';
import { kib, limits, type Rig } from '../rig.ts';
import { cutAtEveryWrite, refreshUrls } from './power.ts';

/** Where flota-device keeps what it downloads and puts its first update, and what says which slot runs. */
const staging = 'staging.img';
const secondSlot = 'slot-b.img';
const bootRecord = 'boot.bin.tmp';

async function startAgain(rig: Rig, more: string[] = []): Promise<void> {
  const boots = rig.broker.of('status/health').length;
  rig.device.powerOn(more);
  await until('the report of its boot', () => rig.broker.of('status/health').length > boots, 15_000);
}

export const storageCases: Case[] = [
  {
    name: 'a power cut that takes what was not synced, at any storage write, loses nothing that was said',
    needsLossyStorage: true,
    async run(rig) {
      await cutAtEveryWrite(rig, (one, write) =>
        one.loseUnsynced({ LOSSY_KEEPS: write % 2 ? 'nothing' : 'names' }),
      );
    },
  },
  {
    name: 'an accepted request survives a power cut that takes what was not synced',
    needsLossyStorage: true,
    async run(rig) {
      rig.loseUnsynced({ LOSSY_KEEPS: 'nothing' });
      await rig.start();
      const manifest = rig.publish(64 * kib);
      await rig.request(manifest);
      await rig.ack((it) => it.accepted === true);
      await rig.device.powerOff();
      const stop = refreshUrls(rig, manifest);
      try {
        rig.device.powerOn();
        await rig.succeeds(manifest);
      } finally {
        stop();
      }
    },
  },
  {
    name: 'a checkpoint claims no more than is synced',
    needsLossyStorage: true,
    async run(rig) {
      rig.loseUnsynced({ LOSSY_KEEPS: 'names', LOSSY_SLOW: staging });
      await rig.start();
      const manifest = rig.publish(400 * kib);
      await rig.request(manifest);
      await rig.broker.see('firmware/download/progress', (it) => (it.receivedBytes as number) > 100 * kib);
      // Now it syncs, for a second.
      await new Promise((resolve) => setTimeout(resolve, 500));
      await rig.device.powerOff();
      rig.loseUnsynced({ LOSSY_KEEPS: 'names' });
      rig.device.powerOn();
      await rig.succeeds(manifest);
    },
  },
  {
    name: 'a slot that reads back differently fails the update',
    needsLossyStorage: true,
    async run(rig) {
      rig.loseUnsynced({ LOSSY_MISREAD: secondSlot });
      await rig.start();
      await rig.request(rig.publish(64 * kib));
      await rig.fails('install_failed');
    },
  },
  {
    name: 'a slot that read back differently is not run later',
    needsLossyStorage: true,
    async run(rig) {
      rig.loseUnsynced({ LOSSY_MISREAD: secondSlot });
      await rig.start();
      await rig.broker.see('status/health');
      const factory = rig.running.sha256;
      await rig.request(rig.publish(64 * kib));
      assert.notEqual((await rig.result()).outcome, 'succeeded');
      await rig.device.powerOff();
      rig.loseUnsynced();
      await startAgain(rig);
      assert.equal(rig.running.sha256, factory, 'it runs an image that it has refused');
    },
  },
  {
    name: 'a success is confirmed before it is reported',
    needsLossyStorage: true,
    async run(rig) {
      const once = ['--limits', JSON.stringify({ ...limits, trialBoots: 1 })];
      rig.loseUnsynced({ LOSSY_SLOW: bootRecord });
      await rig.start(once);
      const manifest = rig.publish(64 * kib);
      await rig.request(manifest);
      await rig.succeeds(manifest);
      await rig.device.powerOff();
      rig.loseUnsynced();
      await startAgain(rig, once);
      assert.equal(rig.running.sha256, manifest.sha256, 'it does not run what it said that it runs');
    },
  },
];
