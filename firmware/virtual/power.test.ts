import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { spawnGuarded } from '#deploy/lab/primitives/guard.ts';
import { program } from '#deploy/lab/primitives/programs.js';
import { until } from '#deploy/lab/primitives/until.ts';
import { Bench, kib, quick } from './bench/bench.ts';
import { honest, stallAfter, trickle } from './bench/file-server.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(async () => {
  await bench.close();
  expect(bench.broker.violations).toEqual([]);
});

const factory = '0.0.0';

describe('power', () => {
  test('cut in the middle of a download costs no more than the bytes since the checkpoint', async () => {
    const device = await bench.online({ limits: { checkpointChunks: 1, chunkCeilingBytes: 32 * kib } });
    const manifest = bench.publish(200 * kib);
    bench.files.next.push(honest, honest, stallAfter(5_000));
    await bench.request(manifest);
    await until('the stall', () => device.snapshot().receivedBytes === 64 * kib + 5_000);
    device.powerCut();
    const { stats } = (await bench.result('succeeded')) as { stats: Record<string, number> };
    expect(stats).toMatchObject({
      receivedBytes: 200 * kib + 5_000,
      redownloadedBytes: 5_000,
      resumes: 1,
    });
    expect(stats.downloadMs).toBeGreaterThan(0);
    expect(bench.broker.of('status/health').map((it) => (it.boot as { reason: string }).reason)).toEqual([
      'power_on',
      'power_on',
      'update',
    ]);
  });

  test('cut again and again still gets there', async () => {
    const device = await bench.online({
      limits: { checkpointChunks: 1, chunkStartBytes: 16 * kib, chunkCeilingBytes: 16 * kib },
    });
    const manifest = bench.publish(300 * kib);
    bench.files.always = trickle(8 * kib, 8);
    await bench.request(manifest);
    for (let cuts = 1; cuts <= 4; cuts++) {
      await until('more bytes', () => device.snapshot().receivedBytes > cuts * 40 * kib);
      device.powerCut();
    }
    expect(await bench.result()).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('a new image that is no good', () => {
  test('fails its self-test, is rolled back, and that is reported with the old digest', async () => {
    await bench.online();
    const old = bench.device.snapshot().running;
    await bench.request(bench.publish(20 * kib, '2.0.0', 'fail'));
    expect(await bench.result()).toMatchObject({
      outcome: 'rolled_back',
      error: { code: 'self_test_failed' },
      running: old,
    });
    const healths = bench.broker.of('status/health');
    expect(healths.at(-1)).toMatchObject({ boot: { count: 3, reason: 'rollback' }, running: [old] });
    expect(healths.some((it) => JSON.stringify(it.running).includes('2.0.0'))).toBe(false);
  });

  test('cannot connect, and is rolled back', async () => {
    const device = await bench.online({ timing: { selfTestMs: 150 } });
    const installing = bench.when('installing');
    await bench.request(bench.publish(20 * kib));
    await installing;
    bench.broker.down = true;
    bench.broker.kick();
    await until('the rollback', () => device.snapshot().bootCount === 3);
    bench.broker.down = false;
    expect(await bench.result()).toMatchObject({
      outcome: 'rolled_back',
      error: { code: 'self_test_failed' },
      running: { version: factory },
    });
  });

  test('was damaged in its slot, and is not booted', async () => {
    let renames = 0;
    await bench.online({
      onDiskWrite: (what) => {
        if (what !== 'write boot.json' || bench.device.snapshot().state !== 'installing' || renames++ > 0)
          return;
        const fd = fs.openSync(join(bench.dir, 'slot-b.img'), 'r+');
        fs.writeSync(fd, 'damage', 5_000);
        fs.closeSync(fd);
      },
    });
    await bench.request(bench.publish(20 * kib));
    expect(await bench.result()).toMatchObject({
      outcome: 'rolled_back',
      error: { code: 'boot_failed' },
      running: { version: factory },
    });
    expect(renames).toBe(1);
  });

  test('gets a few boots to prove itself, not more', async () => {
    const device = await bench.online({ limits: { trialBoots: 2 }, timing: { rebootMs: 1 } });
    const installing = bench.when('installing');
    await bench.request(bench.publish(20 * kib));
    await installing;
    bench.broker.down = true;
    bench.broker.kick();
    for (const bootCount of [2, 3]) {
      await until(
        'a trial',
        () => device.snapshot().state === 'testing' && device.snapshot().bootCount === bootCount,
      );
      device.powerCut();
    }
    bench.broker.down = false;
    expect(await bench.result()).toMatchObject({ outcome: 'rolled_back', error: { code: 'boot_failed' } });
  });
});

describe('an undo', () => {
  test('whose power goes in the middle of it boots the previous image, and downloads nothing', async () => {
    const device = await bench.online();
    const older = bench.publish(20 * kib, '1.0.0');
    const updated = randomUUID();
    await bench.request(older);
    await bench.result('succeeded');
    const newest = bench.publish(30 * kib, '2.0.0');
    await bench.request(newest, { deployment: updated });
    await until('the newer image', () => device.snapshot().running?.sha256 === newest.sha256);
    await until('its result', () => bench.broker.of('firmware/download/result').length === 2);
    const requests = bench.files.requests.length;
    const undo = {
      deployment: updated,
      leaves: newest.sha256,
      expiresUnixMs: Date.now() + 3600_000,
    };
    const manifest = await bench.shared.sign({ ...older, undo });
    const deployment = randomUUID();
    const installing = bench.when('installing');
    bench.broker.send('firmware/download/request', { deployment, attempt: 1, manifest });
    await installing;
    device.powerCut();
    const ended = (it: Record<string, unknown>) => it.deployment === deployment;
    expect(await bench.broker.see('firmware/download/result', ended)).toMatchObject({
      outcome: 'succeeded',
      running: { sha256: older.sha256, undo: true },
      stats: { receivedBytes: 0 },
    });
    expect(bench.files.requests.length).toBe(requests);
  });
});

describe('critical messages', () => {
  test('are sent again, byte for byte, until acked, across reboots', async () => {
    const device = await bench.online();
    bench.broker.acking = false;
    const manifest = bench.publish(20 * kib);
    await bench.request(manifest);
    const sent = () => bench.broker.received.filter((it) => it.topic === 'firmware/download/result');
    await until('a second copy', () => sent().length >= 2);
    const boots = device.snapshot().bootCount;
    device.powerCut();
    await until('the reboot', () => device.snapshot().bootCount > boots);
    const before = sent().length;
    await until('a copy after the reboot', () => sent().length > before);
    bench.broker.kick();
    const again = sent().length;
    await until('a copy after the reconnect', () => sent().length > again);
    expect(new Set(sent().map((it) => it.payload)).size).toBe(1);
    bench.broker.acking = true;
    await until('an empty outbox', () => device.snapshot().outboxMessages === 0);
    const seqs = bench.broker.received.flatMap((it) => (it.message.seq ? [`${it.message.seq}`] : []));
    const ids = bench.broker.received.flatMap((it) => (it.message.seq ? [it.message.id] : []));
    expect(new Set(seqs).size).toBe(new Set(ids).size);
  });
});

describe('the program', () => {
  const main = new URL('./main.ts', import.meta.url);
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  function run(args: string[]) {
    const child = spawnGuarded(process.execPath, [...program(main), ...args]);
    children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => {
        output += data;
      });
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    return { child, exited, output: () => output };
  }

  test('killed with -9 in the middle of a download goes on where it was', async () => {
    await bench.enroll();
    fs.writeFileSync(join(bench.dir, 'trust.pem'), bench.shared.pki.trust);
    fs.writeFileSync(join(bench.dir, 'keys.json'), JSON.stringify(bench.shared.signingKeys));
    const args = [
      ...['--id', 'dev-1', '--dir', bench.dir, '--mqtt-url', bench.broker.url],
      ...['--trust', join(bench.dir, 'trust.pem'), '--signing-keys', join(bench.dir, 'keys.json')],
      ...['--timing', JSON.stringify(quick), '--limits', '{"checkpointChunks":1}'],
    ];
    const first = run(args);
    await bench.broker.see('status/health');
    await until('the subscription', () => bench.broker.subscriptions.includes('firmware/download/request'));
    const manifest = bench.publish(1024 * kib);
    bench.files.next.push(honest, honest, honest);
    bench.files.always = stallAfter(1_000);
    await bench.request(manifest);
    await until('half of the download', () => bench.files.requests.length >= 4);
    first.child.kill('SIGKILL');
    await first.exited;
    bench.files.always = honest;
    const before = bench.files.requests.length;
    const second = run(args);
    const result = (await bench.result()) as { stats: Record<string, number> };
    expect(result).toMatchObject({ outcome: 'succeeded', running: { sha256: manifest.sha256 } });
    expect(bench.files.requests[before]?.range).toMatch(/^bytes=[1-9]/);
    expect(result.stats.redownloadedBytes).toBeLessThan(64 * kib);
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
  });

  test('says in one line what is wrong', async () => {
    const pem = join(bench.dir, 'trust.pem');
    fs.writeFileSync(pem, bench.shared.pki.trust);
    fs.writeFileSync(join(bench.dir, 'keys.json'), JSON.stringify(bench.shared.signingKeys));
    const base = ['--id', 'dev-1', '--dir', bench.dir, '--trust', pem];
    const keys = ['--signing-keys', join(bench.dir, 'keys.json'), '--mqtt-url', bench.broker.url];
    const cases: [string[], RegExp][] = [
      [['--id', 'x'], /^missing: --dir, --mqtt-url, --trust, --signing-keys \(see --help\)\n$/],
      [[...base, ...keys], /^no identity in .*: enroll first\n$/],
      [[...base, ...keys, '--enroll-url', 'http://127.0.0.1:1', '--token', 't'], /^cannot enroll at .*\n$/],
    ];
    await Promise.all(
      cases.map(async ([args, message]) => {
        const { exited, output } = run(args);
        expect(await exited).toBe(1);
        expect(output()).toMatch(message);
      }),
    );
  });
});
