import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { Bench, kib } from './bench/bench.ts';
import { stallAfter, trickle } from './bench/file-server.ts';

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

  test.each([
    ['of an unknown key', (m: object) => bench.shared.signWithStranger(m, 'key-9'), 'signature_invalid'],
    [
      'of a stranger under a known kid',
      (m: object) => bench.shared.signWithStranger(m, 'key-1'),
      'signature_invalid',
    ],
    ['without a kid', (m: object) => bench.shared.sign(m, {}), 'signature_invalid'],
    [
      'that is not signed at all',
      async (m: object) =>
        `${Buffer.from('{"alg":"none","kid":"key-1"}').toString('base64url')}.${Buffer.from(JSON.stringify(m)).toString('base64url')}.`,
      'signature_invalid',
    ],
    ['that is no JWS', async () => 'hello', 'manifest_invalid'],
    [
      'that is signed but lacks its size',
      (m: object) => bench.shared.sign({ ...m, size: undefined }),
      'manifest_invalid',
    ],
    ['for other hardware', (m: object) => bench.shared.sign({ ...m, hardware: 'uno' }), 'hardware_mismatch'],
    [
      'for another component',
      (m: object) => bench.shared.sign({ ...m, component: 'radio' }),
      'component_unknown',
    ],
    [
      'of an image that no slot holds',
      (m: object) => bench.shared.sign({ ...m, size: 1e12 }),
      'size_mismatch',
    ],
  ] as const)('a manifest %s', async (_name, sign, code) => {
    await bench.online();
    const manifest = bench.publish();
    await bench.request(manifest, { manifest: await sign(manifest) });
    expect(await ack()).toMatchObject(refused(code));
    expect(bench.device.snapshot().state).toBe('idle');
  });

  test('a lower security version than the one that runs', async () => {
    await bench.online();
    await bench.request({ ...bench.publish(20 * kib), securityVersion: 3 });
    await bench.result('succeeded');
    const older = { ...bench.publish(21 * kib, '0.9.0'), securityVersion: 2 };
    await bench.request(older, { deployment: randomUUID() });
    await bench.broker.see('firmware/download/request/ack', (it) => it.accepted === false);
    expect(bench.broker.of('firmware/download/request/ack').at(-1)).toMatchObject(
      refused('downgrade_refused'),
    );
  });

  test('an http: URL', async () => {
    await bench.online();
    await bench.request(bench.publish(), { url: 'http://127.0.0.1/image.bin' });
    expect(await ack()).toMatchObject(refused('url_refused'));
  });

  test('a request that names its attempt but is malformed', async () => {
    await bench.online();
    await bench.request(bench.publish(), { manifest: '' });
    expect(await ack()).toMatchObject(refused('bad_request'));
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

describe('requests that come again', () => {
  test('the same attempt is neither answered nor started twice, during and after', async () => {
    await bench.online();
    const manifest = bench.publish();
    bench.files.always = trickle(16 * kib, 5);
    await bench.request(manifest);
    await bench.request(manifest);
    await until('bytes', () => bench.device.snapshot().receivedBytes > 0);
    await bench.request(manifest);
    await bench.result('succeeded');
    await bench.request(manifest);
    bench.broker.send('control/command', { command: 'ping' });
    await bench.broker.see('control/response');
    expect(bench.broker.of('firmware/download/request/ack')).toHaveLength(1);
    expect(bench.broker.of('firmware/download/result')).toHaveLength(1);
  });

  test('another deployment has to wait', async () => {
    await bench.online();
    const manifest = bench.publish();
    bench.files.always = stallAfter(100);
    await bench.request(manifest);
    await bench.broker.see('firmware/download/request/ack', (it) => it.accepted === true);
    const deployment = randomUUID();
    await bench.request(manifest, { deployment });
    const answer = await bench.broker.see(
      'firmware/download/request/ack',
      (it) => it.deployment === deployment,
    );
    expect(answer).toMatchObject(refused('busy'));
    expect(bench.device.snapshot().deployment).toBe(bench.deployment);
  });

  test('a higher attempt replaces the one that runs, an older one is ignored', async () => {
    await bench.online();
    const manifest = bench.publish();
    bench.files.next.push(stallAfter(30_000));
    await bench.request(manifest, { attempt: 2 });
    await until('bytes', () => bench.device.snapshot().receivedBytes >= 30_000);
    await bench.request(manifest, { attempt: 1 });
    await bench.request(manifest, { attempt: 3 });
    expect(await bench.result()).toMatchObject({ outcome: 'succeeded', attempt: 3 });
    expect(bench.broker.of('firmware/download/request/ack').map((it) => it.attempt)).toEqual([2, 3]);
  });

  test('an image that runs already is a success at once', async () => {
    await bench.online();
    const manifest = bench.publish(20 * kib);
    await bench.request(manifest);
    await bench.result('succeeded');
    const deployment = randomUUID();
    const before = bench.files.requests.length;
    await bench.request(manifest, { deployment });
    const result = await bench.broker.see('firmware/download/result', (it) => it.deployment === deployment);
    expect(result).toMatchObject({ outcome: 'succeeded', running: { sha256: manifest.sha256 } });
    expect(bench.files.requests).toHaveLength(before);
    expect(bench.device.snapshot().bootCount).toBe(2);
  });
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
  test('an unknown one is answered as such', async () => {
    await bench.online();
    bench.broker.send('control/command', { id: 'c1', command: 'self-destruct' });
    expect(await bench.broker.see('control/response')).toMatchObject({
      command: 'c1',
      ok: false,
      error: { code: 'unknown_command' },
    });
  });

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
