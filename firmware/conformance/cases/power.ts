import { strict as assert } from 'node:assert';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Manifest } from '#emqx/protocol.ts';
import { trickle } from '../../virtual/bench/file-server.ts';
import type { Case } from '../case.ts';
import { kib, Rig } from '../rig.ts';

const imageBytes = 96 * kib;

/** The webhook asks again for what was not answered: a command may have been lost with the power. */
async function askUntilAnswered(rig: Rig, manifest: Manifest): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await rig.request(manifest);
    try {
      await rig.broker.see('firmware/download/request/ack', () => true, 500);
      return;
    } catch {
      // Not yet.
    }
  }
  assert.fail('the request is never answered');
}

/** A device that has lost its URL with the power asks for another, and gets one. */
export function refreshUrls(rig: Rig, manifest: Manifest): () => void {
  let answered = 0;
  const timer = setInterval(() => {
    const asked = rig.broker.of('firmware/download/progress').filter((it) => it.urlExpired).length;
    if (asked > answered) void rig.request(manifest);
    answered = asked;
  }, 50);
  return () => clearInterval(timer);
}

/** In the end: the new image, confirmed, reported once and for ever. */
async function endsWell(rig: Rig, manifest: Manifest): Promise<void> {
  await rig.succeeds(manifest);
  await rig.settle();
  const results = rig.broker.of('firmware/download/result');
  assert.equal(results.length, 1, `${results.length} results`);
  await rig.device.powerOff();
  const boots = rig.broker.of('status/health').length;
  rig.device.powerOn();
  await until('the report of the last boot', () => rig.broker.of('status/health').length > boots, 15_000);
  assert.equal(rig.running.sha256, manifest.sha256, 'after another power cut it runs something else');
}

/** False when the update was over before that write. */
async function cutAtWrite(rig: Rig, write: number): Promise<boolean> {
  const manifest = rig.publish(imageBytes);
  rig.device.powerOn(['--kill-at-write', String(write)]);
  await askUntilAnswered(rig, manifest);
  const stop = refreshUrls(rig, manifest);
  try {
    await rig.succeeds(manifest);
  } finally {
    stop();
  }
  const { deaths } = rig.device;
  assert.ok(deaths <= 1, `it died ${deaths} times`);
  await endsWell(rig, manifest);
  return deaths === 1;
}

/** `prepare`: what is wrong with the storage of the device that is cut at that write. */
export async function cutAtEveryWrite(rig: Rig, prepare: (one: Rig, write: number) => void = () => {}) {
  let write = 1;
  for (let goes = true; goes; write++) {
    assert.ok(write < 1_000, 'there is no end of writes');
    const one = write === 1 ? rig : await Rig.open(rig.lab);
    try {
      prepare(one, write);
      goes = await cutAtWrite(one, write);
      assert.deepEqual(one.broker.violations, []);
    } catch (error) {
      throw new Error(`write ${write}: ${(error as Error).message}\n${one.device.output.slice(-1_500)}`);
    } finally {
      if (one !== rig) await one.close();
    }
  }
  assert.ok(write > 10, 'it hardly writes at all');
}

async function cutRandomly(rig: Rig): Promise<void> {
  const manifest = rig.publish(imageBytes * 4);
  rig.files.always = trickle(16 * kib, 5);
  rig.device.powerOn();
  const asked = askUntilAnswered(rig, manifest);
  const stop = refreshUrls(rig, manifest);
  for (let i = 0; i < 8; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 900));
    await rig.device.powerOff();
    rig.device.powerOn();
  }
  try {
    await asked;
    await endsWell(rig, manifest);
  } finally {
    stop();
  }
}

export const powerCases: Case[] = [
  {
    name: 'a kill -9 in the middle of a download resumes it',
    short: true,
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(400 * kib);
      rig.files.always = trickle(16 * kib, 5);
      await rig.request(manifest);
      await rig.broker.see('firmware/download/progress', (it) => (it.receivedBytes as number) > 150 * kib);
      await rig.device.powerOff();
      const requests = rig.files.requests.length;
      rig.device.powerOn();
      const result = await rig.succeeds(manifest);
      const resumed = /bytes=(\d+)-/.exec(rig.files.requests[requests]!.range!)!;
      assert.ok(Number(resumed[1]) > 0, 'it began again at the first byte');
      assert.equal((result.stats as { resumes: number }).resumes, 1);
      assert.equal(rig.broker.of('firmware/download/request/ack').length, 1);
    },
  },
  { name: 'a kill -9 at any moment ends on the new image, reported once', run: cutRandomly },
  {
    name: 'a kill -9 at every storage write ends on the new image, reported once',
    async run(rig) {
      // A device that cannot kill itself has had its random kills above; here it gets more of them.
      if (!rig.lab.killsItself) return cutRandomly(rig);
      await cutAtEveryWrite(rig);
    },
  },
];
