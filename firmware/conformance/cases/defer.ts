/** The application on the device has a say: the case plays it, by files that say no while they are there. */
import { strict as assert } from 'node:assert';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Deferred, deadlineActions, Manifest } from '#emqx/protocol.ts';
import type { Case } from '../case.ts';
import type { Rig } from '../rig.ts';

const reason = 'the servo moves';
const stages = { install: 'verifying', reboot: 'installing' } as const;
type Step = keyof typeof stages;

async function start(rig: Rig): Promise<void> {
  await rig.start(rig.holdOptions);
  await rig.broker.see('status/health');
}

/** An update that has come as far as the application lets it. */
async function putOff(rig: Rig, step: Step): Promise<Manifest> {
  rig.hold(step, reason);
  await start(rig);
  const manifest = rig.publish();
  await rig.request(manifest);
  await waits(rig, step);
  return manifest;
}

/** Whether the device gets so far before the deadline or after it: what it does then is the same. */
async function putOffUntilDeadline(
  rig: Rig,
  step: Step,
  atDeadline: (typeof deadlineActions)[number],
): Promise<{ manifest: Manifest; deadlineUnixMs: number }> {
  rig.hold(step, reason);
  await start(rig);
  const manifest = rig.publish();
  const deadlineUnixMs = Date.now() + 1_500;
  await rig.request(manifest, { deadlineUnixMs, atDeadline });
  return { manifest, deadlineUnixMs };
}

const toldBy = (rig: Rig) => rig.broker.of('firmware/download/progress').filter((it) => it.deferred);

/** Says so once more than `before`. */
async function waits(rig: Rig, step: Step, before = 0): Promise<void> {
  await until('a progress that says it is put off', () => toldBy(rig).length > before);
  const { stage, deferred } = toldBy(rig).at(-1)!;
  assert.deepEqual(deferred, { until: null, reason } satisfies Deferred);
  assert.equal(stage, stages[step]);
  const { sha256 } = rig.running;
  await rig.settle();
  assert.equal(rig.broker.of('firmware/download/result').length, 0, 'it does not wait');
  assert.equal(rig.running.sha256, sha256, 'it does not wait');
}

const each = (of: (step: Step) => Case): Case[] => (Object.keys(stages) as Step[]).map(of);

export const deferCases: Case[] = [
  ...each((step) => ({
    name: `an application that puts off the ${step} is waited for, and the server told why`,
    needsHold: true as const,
    ...(step === 'install' && { short: true as const }),
    async run(rig) {
      const manifest = await putOff(rig, step);
      rig.release(step);
      await rig.succeeds(manifest);
    },
  })),
  ...each((step) => ({
    name: `a power cut while the ${step} is put off changes nothing`,
    needsHold: true as const,
    async run(rig) {
      const manifest = await putOff(rig, step);
      const requests = rig.files.requests.length;
      await rig.device.powerOff();
      const before = toldBy(rig).length;
      await start(rig);
      await waits(rig, step, before);
      assert.equal(rig.files.requests.length, requests, 'it downloads again');
      rig.release(step);
      await rig.succeeds(manifest);
    },
  })),
  ...each((step) => ({
    name: `a cancel while the ${step} is put off stops the update`,
    needsHold: true as const,
    async run(rig) {
      await putOff(rig, step);
      const { sha256 } = rig.running;
      rig.cancel();
      const ack = await rig.broker.see('firmware/download/cancel/ack');
      assert.equal(ack.cancelled, true, JSON.stringify(ack));
      rig.release(step);
      await rig.settle();
      assert.equal(rig.running.sha256, sha256, 'it goes on after the cancel');
    },
  })),
  ...each((step) => ({
    name: `after the deadline for the ${step} the device goes ahead when it is told to`,
    needsHold: true as const,
    async run(rig) {
      const { manifest, deadlineUnixMs } = await putOffUntilDeadline(rig, step, 'proceed');
      await rig.succeeds(manifest);
      assert.ok(Date.now() >= deadlineUnixMs, 'it did not wait for the deadline');
    },
  })),
  ...each((step) => ({
    name: `after the deadline for the ${step} the device gives up when it is told to`,
    needsHold: true as const,
    async run(rig) {
      const { deadlineUnixMs } = await putOffUntilDeadline(rig, step, 'give_up');
      const result = await rig.result();
      assert.equal(result.outcome, 'failed');
      assert.deepEqual(result.error, { code: 'deferred_too_long', message: reason });
      assert.ok(Date.now() >= deadlineUnixMs, 'it did not wait for the deadline');
    },
  })),
  {
    name: 'an application that says until when is believed',
    needsHold: true,
    async run(rig) {
      rig.hold('install', `86400000 ${reason}`);
      await start(rig);
      await rig.request(rig.publish());
      await until('a progress that says it is put off', () => toldBy(rig).length > 0);
      const { until: time } = toldBy(rig)[0]!.deferred as Deferred;
      const ms = Date.parse(time ?? '') - Date.now();
      assert.ok(ms > 86_300_000 && ms <= 86_400_000, `until ${time}`);
      rig.release('install');
      await rig.settle();
      assert.equal(rig.broker.of('firmware/download/result').length, 0, 'it is asked before its time');
    },
  },
];
