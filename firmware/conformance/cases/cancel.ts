import { strict as assert } from 'node:assert';
import { type Answer, stallAfter } from '../../virtual/bench/file-server.ts';
import type { Case } from '../case.ts';
import { kib, type Rig } from '../rig.ts';

const cancelAck = 'firmware/download/cancel/ack';

async function staysCancelled(rig: Rig): Promise<void> {
  const ack = await rig.broker.see(cancelAck);
  assert.equal(ack.cancelled, true, JSON.stringify(ack));
  const requests = rig.files.requests.length;
  const { sha256 } = rig.running;
  const manifest = rig.publish();
  await rig.request(manifest);
  await rig.settle();
  assert.equal(rig.files.requests.length, requests, 'it goes on after the cancel');
  assert.equal(rig.broker.of('firmware/download/result').length, 0, 'a cancelled attempt has no result');
  await rig.device.powerOff();
  await rig.start();
  await rig.settle();
  assert.equal(rig.running.sha256, sha256, 'it runs another image');
  assert.equal(rig.files.requests.length, requests, 'it goes on after a restart');
}

function whileServed(name: string, answer: Answer, short?: true): Case {
  return {
    name: `a cancel while ${name} stops the update for good`,
    ...(short && { short }),
    async run(rig) {
      await rig.start();
      await rig.broker.see('status/health');
      rig.files.always = answer;
      await rig.request(rig.publish());
      await rig.broker.see('firmware/download/progress');
      await rig.settle();
      rig.cancel();
      await staysCancelled(rig);
    },
  };
}

/** Too fast to be hit for sure: either answer is right, if it is the truth. */
function inStage(stage: string): Case {
  return {
    name: `a cancel while ${stage} is answered truthfully`,
    async run(rig) {
      await rig.start();
      await rig.broker.see('status/health');
      const manifest = rig.publish(3 * 1024 * kib);
      await rig.request(manifest);
      await rig.broker.see('firmware/download/progress', (it) => it.stage === stage);
      rig.cancel();
      const ack = await rig.broker.see(cancelAck, () => true, 20_000);
      if (ack.cancelled) return staysCancelled(rig);
      assert.equal((ack.error as { code: string }).code, 'too_late');
      await rig.succeeds(manifest);
    },
  };
}

export const cancelCases: Case[] = [
  whileServed('accepted', () => {}),
  whileServed('downloading', stallAfter(10 * kib), true),
  inStage('verifying'),
  inStage('installing'),
  {
    name: 'a cancel that overtook its request is remembered',
    async run(rig) {
      await rig.start();
      rig.cancel();
      const ack = await rig.broker.see(cancelAck);
      assert.equal(ack.cancelled, true);
      await rig.request(rig.publish());
      await rig.settle();
      assert.equal(rig.files.requests.length, 0);
      assert.equal(rig.broker.of('firmware/download/request/ack').length, 0);
    },
  },
  {
    name: 'a cancel after the boot is too late',
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(64 * kib);
      await rig.request(manifest);
      await rig.succeeds(manifest);
      rig.cancel();
      const ack = await rig.broker.see(cancelAck);
      assert.equal(ack.cancelled, false);
      assert.equal((ack.error as { code: string }).code, 'too_late');
    },
  },
];
