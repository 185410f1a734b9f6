import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench, kib } from './bench/bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(async () => {
  await bench.close();
  expect(bench.broker.violations).toEqual([]);
});

describe('an update', () => {
  test('goes from the request to a boot-attested success', async () => {
    await bench.online();
    const manifest = bench.publish(300 * kib);
    await bench.request(manifest);
    const result = await bench.result();
    expect(result).toMatchObject({
      outcome: 'succeeded',
      deployment: bench.deployment,
      attempt: 1,
      running: { component: 'main', version: '1.0.0', sha256: manifest.sha256 },
      stats: { receivedBytes: 300 * kib, redownloadedBytes: 0, resumes: 0 },
    });
    expect(bench.broker.of('firmware/download/request/ack')).toMatchObject([{ accepted: true }]);
    const stages = new Set(bench.broker.of('firmware/download/progress').map((it) => it.stage));
    expect([...stages]).toEqual(['downloading', 'verifying', 'installing']);
    expect(bench.broker.of('status/health').map((it) => it.boot)).toEqual([
      { count: 1, reason: 'power_on' },
      { count: 2, reason: 'update' },
    ]);
    expect(bench.files.connections).toBe(1);
    expect(bench.device.snapshot()).toMatchObject({ state: 'idle', bootCount: 2, deployment: null });
  });
});
