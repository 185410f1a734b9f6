import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { Bench, kib } from './bench/bench.ts';
import { stallAfter } from './bench/file-server.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(async () => {
  await bench.close();
  expect(bench.broker.violations).toEqual([]);
});

const ack = () => bench.broker.see('firmware/download/request/ack');
const refused = (code: string) => ({ accepted: false, error: { code } });

describe('a device refuses', () => {
  test('a manifest whose payload was changed', async () => {
    await bench.online();
    const manifest = bench.publish();
    const [head, , signature] = (await bench.shared.sign(manifest)).split('.');
    const other = Buffer.from(JSON.stringify({ ...manifest, version: '9.9.9' })).toString('base64url');
    await bench.request(manifest, { manifest: `${head}.${other}.${signature}` });
    expect(await ack()).toMatchObject(refused('signature_invalid'));
    expect(bench.files.requests).toHaveLength(0);
    expect(bench.broker.of('firmware/download/result')).toHaveLength(0);
  });

  test('a manifest of a stranger under a known kid', async () => {
    await bench.online();
    const manifest = bench.publish();
    await bench.request(manifest, { manifest: await bench.shared.signWithStranger(manifest, 'key-1') });
    expect(await ack()).toMatchObject(refused('signature_invalid'));
    expect(bench.device.snapshot().state).toBe('idle');
  });

  test('an http: URL', async () => {
    await bench.online();
    await bench.request(bench.publish(), { url: 'http://127.0.0.1/image.bin' });
    expect(await ack()).toMatchObject(refused('url_refused'));
  });

  test('an image that is not the one of the manifest, and takes the right one afterwards', async () => {
    await bench.online();
    const manifest = bench.publish();
    bench.files.image[100_000]! ^= 1;
    await bench.request(manifest);
    expect(await bench.result()).toMatchObject({
      outcome: 'failed',
      error: { code: 'digest_mismatch' },
      running: { version: '0.0.0' },
    });
    bench.files.image[100_000]! ^= 1;
    await bench.request(manifest, { attempt: 2 });
    expect(await bench.result('succeeded')).toMatchObject({
      attempt: 2,
      stats: { receivedBytes: 200 * kib },
    });
  });
});

test('messages that make no sense are ignored, and the device goes on', async () => {
  await bench.online();
  bench.broker.sendRaw('firmware/download/request', '{');
  bench.broker.sendRaw('firmware/download/request', 'null');
  bench.broker.sendRaw('firmware/download/request', JSON.stringify({ deployment: 'x'.repeat(5000) }));
  bench.broker.sendRaw('firmware/download/cancel', '[]');
  bench.broker.sendRaw('control/command', '\xff\xfe');
  bench.broker.sendRaw('cert/renew/response', '{"id":1}');
  bench.broker.sendRaw('ack', '{"ids":[]}');
  bench.broker.send('control/command', { command: 'ping' });
  expect(await bench.broker.see('control/response')).toMatchObject({ ok: true });
  expect(bench.logs.filter((line) => line.includes('ignored a message'))).toHaveLength(5);
});

describe('cancel', () => {
  const cancel = () =>
    bench.broker.send('firmware/download/cancel', { deployment: bench.deployment, attempt: 1 });

  test('stops a download at once and frees its storage', async () => {
    await bench.online();
    bench.files.always = stallAfter(30_000);
    await bench.request(bench.publish());
    await until('bytes', () => bench.device.snapshot().receivedBytes >= 30_000);
    cancel();
    expect(await bench.broker.see('firmware/download/cancel/ack')).toMatchObject({
      cancelled: true,
      attempt: 1,
    });
    expect(bench.device.snapshot()).toMatchObject({ state: 'idle', deployment: null, receivedBytes: 0 });
    expect(fs.existsSync(join(bench.dir, 'staging.img'))).toBe(false);
    await until('the connection to be closed', () => bench.files.openConnections === 0);
  });

  test.each(['accepted', 'verifying', 'installing', 'rebooting', 'off'] as const)(
    'that comes when the device is %s is answered as it turns out',
    async (state) => {
      const device = await bench.online();
      const manifest = bench.publish();
      const reached = bench.when(state);
      await bench.request(manifest);
      await reached;
      cancel();
      const { cancelled, error } = await bench.broker.see('firmware/download/cancel/ack');
      await until('the end', () => device.snapshot().state === 'idle' && device.snapshot().online);
      const { sha256 } = device.snapshot().running!;
      expect(cancelled).toBe(sha256 !== manifest.sha256);
      if (cancelled) expect(bench.broker.of('firmware/download/result')).toEqual([]);
      else expect(error).toMatchObject({ code: 'too_late' });
    },
  );
});

describe('commands', () => {
  test('reboot is answered and done once, however often it comes', async () => {
    const device = await bench.online();
    bench.broker.send('control/command', { id: 'c1', command: 'reboot' });
    await until('the reboot', () => device.snapshot().bootCount === 2 && device.snapshot().online);
    bench.broker.send('control/command', { id: 'c1', command: 'reboot' });
    bench.broker.send('control/command', { id: 'c2', command: 'report' });
    await bench.broker.see('status/system');
    await bench.broker.see('status/network');
    await bench.broker.see('data/sensors');
    expect(device.snapshot().bootCount).toBe(2);
    const boots = bench.broker.of('status/health').filter((it) => it.boot);
    expect(boots.at(-1)).toMatchObject({ boot: { count: 2, reason: 'command' } });
  });
});
