import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AgentModule } from './agent-module.ts';
import { digestOf, type Inhabitant, inhabit, VirtualClock } from './bench/world.ts';
import { Disk } from './disk.ts';
import { buildImage, type ImageHeader } from './image.ts';
import { Memory } from './memory.ts';
import type { DeviceOptions } from './options.ts';
import type { Broker, BrokerEvents, Medium } from './port.ts';

const kib = 1024;
const deployment = 'b8f4d1f0-0000-4000-8000-000000000001';

let signingKeys: { keys: object[] };
let sign: (payload: object) => Promise<string>;
beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  signingKeys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'key-1' }] };
  sign = (payload) =>
    new CompactSign(Buffer.from(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1' })
      .sign(privateKey);
});

const started: Inhabitant[] = [];
afterEach(async () => {
  const gone = started.splice(0);
  for (const { device } of gone) device.powerCut(1e9);
  for (const { device } of gone) await device.close();
  expect(gone.flatMap(({ broker }) => broker.violations)).toEqual([]);
});

function start(
  clock: VirtualClock,
  options: Partial<DeviceOptions> & { id: string },
  medium?: Medium,
  seed = 1,
): Inhabitant {
  const one = inhabit(clock, seed, { signingKeys, ...options }, medium);
  started.push(one);
  return one;
}

/** An image of its own for each device, and the request to install it. */
async function prepare(
  name: string,
  sizeBytes: number,
  selfTest: ImageHeader['selfTest'] = 'pass',
  crash?: ImageHeader['crash'],
) {
  const seed = [...name].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7) | 0;
  const image = buildImage({ version: `1.0.0-${name}`, sizeBytes, selfTest, seed, ...(crash && { crash }) });
  const sha256 = digestOf(image);
  const manifest = await sign({
    component: 'main',
    hardware: 'esp32s3',
    version: `1.0.0-${name}`,
    securityVersion: 0,
    fileName: 'image.bin',
    size: sizeBytes,
    sha256,
  });
  const url = 'https://files.example/image.bin';
  return {
    image,
    sha256,
    request: { deployment, attempt: 1, manifest, url, urlExpiresAt: '2031-01-01T00:00:00Z' },
  };
}

const result = ({ broker }: Inhabitant) => broker.of('firmware/download/result')[0];

/** Connected, and everything that it had to say has been heard. */
const isIdle = ({ device }: Inhabitant) => device.online && device.snapshot().outboxMessages === 0;

/** Brings one device from power-on to its result. */
function update(clock: VirtualClock, one: Inhabitant, prepared: Awaited<ReturnType<typeof prepare>>): void {
  one.server.image = prepared.image;
  clock.until(() => one.device.online, 'the device to be online');
  one.broker.send('firmware/download/request', prepared.request);
  let told = false;
  one.device.once('result', () => {
    told = true;
  });
  clock.until(() => told && isIdle(one), 'a result');
}

describe('agents of one module', () => {
  test('update side by side, each with an image of its own', async () => {
    const clock = new VirtualClock();
    const count = 60;
    let results = 0;
    const names = Array.from({ length: count }, (_, i) => `dev-${i}`);
    const prepared = await Promise.all(names.map((name) => prepare(name, 40 * kib)));
    const all = names.map((id) => start(clock, { id }));
    all.forEach(({ server, broker }, i) => {
      server.image = prepared[i]!.image;
      broker.send('firmware/download/request', prepared[i]!.request);
    });
    for (const { device } of all) device.on('result', () => void results++);
    clock.until(() => results === count && all.every(isIdle), 'all results', 60_000);
    expect(all.map((one) => (result(one)!.running as { sha256: string }).sha256)).toEqual(
      prepared.map(({ sha256 }) => sha256),
    );
  });

  test('leave their memory to those that come after them', async () => {
    const clock = new VirtualClock();
    const generation = async () => {
      const all = Array.from({ length: 20 }, (_, i) => inhabit(clock, 1, { id: `dev-${i}`, signingKeys }));
      clock.until(() => all.every(({ device }) => device.online), 'all online');
      const closing = all.map(({ device }) => device.close());
      let closed = false;
      void Promise.all(closing).then(() => {
        closed = true;
      });
      clock.until(() => all.every(({ device }) => device.snapshot().state === 'off'), 'all off');
      clock.after(60_000, () => {});
      const end = clock.now() + 60_000;
      clock.until(() => clock.now() >= end, 'the connections to be closed');
      await Promise.all(closing);
      expect(closed).toBe(true);
      return AgentModule.shared().memoryBytes;
    };
    const first = await generation();
    for (let i = 0; i < 5; i++) expect(await generation()).toBe(first);
  });

  test('are not called from within a callback of another', () => {
    const clock = new VirtualClock();
    let events: BrokerEvents | undefined;
    const faults: string[] = [];
    const broker: Broker = {
      connect: (_pair, its) => {
        events = its;
        return { unacked: 0, publish: () => {}, end: (done) => done(), destroy: () => {} };
      },
    };
    start(clock, {
      id: 'one',
      surroundings: { broker },
      log: (_level, _message, fields) => void faults.push(String(fields?.error)),
    });
    clock.until(() => events, 'the connection');
    start(clock, { id: 'other', onDiskWrite: () => events?.connected() });
    clock.until(() => faults.length > 0, 'the fault');
    expect(faults[0]).toContain('from within a callback');
  });
});

test('the same seed gives the same life, message for message', async () => {
  const prepared = await prepare('x', 100 * kib);
  const live = (seed: number) => {
    const clock = new VirtualClock();
    const one = start(clock, { id: 'dev-1' }, new Memory(), seed);
    update(clock, one, prepared);
    return one.broker.transcript;
  };
  const first = live(7);
  expect(first.length).toBeGreaterThan(5);
  expect(live(7)).toEqual(first);
  expect(live(8)).not.toEqual(first);
});

describe('a crash', () => {
  const elf = 'e'.repeat(64);
  const crashes = ({ broker }: Inhabitant) => broker.of('status/health').filter((it) => it.crash);

  test('is told by the report of the next boot, once, whatever cuts the power meanwhile', () => {
    const clock = new VirtualClock();
    let cut = '';
    const one = start(clock, {
      id: 'dev-1',
      onDiskWrite: (what) => {
        if (what !== cut) return;
        cut = '';
        one.device.powerCut();
      },
    });
    clock.until(() => isIdle(one), 'the first report');
    one.device.crash({
      elf,
      reason: 'LoadProhibited',
      task: 'main',
      pc: 0x4200_83f2,
      backtrace: [0x4200_83f2, 1],
    });
    // The report is stored, and the crash not yet forgotten.
    cut = 'remove crash.json';
    clock.until(() => crashes(one).length > 0 && cut === '' && isIdle(one), 'the crash');
    const told = crashes(one);
    expect(told[0]).toMatchObject({
      boot: { count: 2, reason: 'watchdog' },
      crash: {
        ...{ elf, reason: 'LoadProhibited', task: 'main' },
        ...{ pc: '0x420083f2', backtrace: ['0x420083f2', '0x1'] },
      },
    });
    expect(new Set(told.map(({ crash }) => (crash as { id: string }).id)).size).toBe(1);
    expect(one.medium.read('crash.json')).toBeNull();
  });

  test('of an image on trial is told before it is rolled back, without attesting the image', async () => {
    const clock = new VirtualClock();
    const one = start(clock, { id: 'dev-1' });
    const prepared = await prepare('loop', 40 * kib, 'busy', { afterMs: 2_000, elf });
    update(clock, one, prepared);
    expect(result(one)).toMatchObject({ outcome: 'rolled_back' });
    const [rollback, ...trials] = crashes(one).reverse();
    expect(trials.length).toBeGreaterThan(0);
    for (const trial of trials) {
      expect([trial.seq, trial.boot]).toEqual([undefined, undefined]);
      expect(trial.running).toMatchObject([{ sha256: prepared.sha256 }]);
    }
    expect(rollback).toMatchObject({ boot: { reason: 'rollback' }, running: [{ version: '0.0.0' }] });
    expect(new Set(crashes(one).map(({ crash }) => (crash as { id: string }).id)).size).toBe(3);
  });
});

test.each([
  [true, '65536-', 0],
  [false, '0-', 65536],
])(
  'a download that breaks goes on where it was, with resume: %s',
  async (resume, next, redownloadedBytes) => {
    const clock = new VirtualClock();
    const one = start(clock, { id: 'dev-1', resume, limits: { chunkStartBytes: 200 * kib } });
    const { server } = one;
    const get = server.get.bind(server);
    let broken = false;
    server.get = (url, range, events) => {
      if (broken) return get(url, range, events);
      broken = true;
      let bytes = 0;
      const abort = get(url, range, {
        ...events,
        body: (data) => {
          events.body(data);
          bytes += data.length;
          if (bytes < 64 * kib) return;
          abort();
          clock.after(1, events.failed);
        },
      });
      return abort;
    };
    update(clock, one, await prepare('x', 150 * kib));
    expect(server.ranges[1]?.startsWith(next)).toBe(true);
    expect(result(one)).toMatchObject({ outcome: 'succeeded', stats: { redownloadedBytes } });
  },
);

describe('power', () => {
  const dirs: string[] = [];
  afterEach(() => {
    for (const dir of dirs.splice(0)) fs.rmSync(dir, { recursive: true, force: true });
  });
  const media: [string, () => Medium][] = [
    ['memory', () => new Memory()],
    [
      'a disk',
      () => {
        const dir = fs.mkdtempSync(join(tmpdir(), 'virtual-disk-'));
        dirs.push(dir);
        return new Disk(dir, false);
      },
    ],
  ];
  const images = [
    ['a good image still ends with it', 'pass'],
    ['a bad image still ends with the old one', 'fail'],
  ] as const;
  const cases = media.flatMap(([where, medium]) => images.map((image) => [where, ...image, medium] as const));

  test.each(cases)(
    'in %s, cut at any single write of an update to %s, reported truthfully',
    async (_where, _name, selfTest, newMedium) => {
      const prepared = await prepare('x', 150 * kib, selfTest);
      /** One update, cut at the nth write of a kind; says how many writes of each kind there were. */
      const replay = (kind: string, n: number): Map<string, number> => {
        const clock = new VirtualClock();
        const writes = new Map<string, number>();
        const versions = new Set<string>();
        const onDiskWrite = (what: string) => {
          const count = (writes.get(what) ?? 0) + 1;
          writes.set(what, count);
          if (what === kind && count === n) one.device.powerCut();
        };
        const limits = { checkpointChunks: 1, chunkStartBytes: 16 * kib };
        const one = inhabit(clock, 1, { id: 'dev-1', signingKeys, limits, onDiskWrite }, newMedium());
        one.device.on('change', () => versions.add(one.device.snapshot().running?.version ?? '0.0.0'));
        update(clock, one, prepared);
        const expected =
          selfTest === 'pass'
            ? ['succeeded', { sha256: prepared.sha256 }, undefined]
            : ['rolled_back', { version: '0.0.0' }, { code: 'self_test_failed' }];
        const { outcome, running, error } = result(one)!;
        const where = `${kind}, number ${n}`;
        expect([where, outcome, running, error]).toMatchObject([where, ...expected]);
        expect(one.broker.of('firmware/download/result')).toHaveLength(1);
        expect(one.broker.violations).toEqual([]);
        expect([...versions].filter((version) => version !== '0.0.0' && version !== '1.0.0-x')).toEqual([]);
        one.device.powerCut(1e9);
        return writes;
      };
      const kinds = replay('nothing', 0);
      expect([...kinds.keys()].sort()).toEqual([
        'data slot-a.img',
        'data slot-b.img',
        'data staging.img',
        'remove staging.img',
        'rename boot.json',
        'rename checkpoint.bin',
        'rename journal.bin',
        'rename keep-copy.bin',
        'rename keep.bin',
        'rename url.bin',
        'truncate slot-a.img',
        'truncate slot-b.img',
        'write boot.json',
        'write checkpoint.bin',
        'write journal.bin',
        'write keep-copy.bin',
        'write keep.bin',
        'write url.bin',
      ]);
      for (const [kind, count] of kinds) for (let n = 1; n <= count; n++) replay(kind, n);
    },
  );
});

describe('storage that fails', () => {
  /** Memory that refuses one file. */
  class Failing extends Memory {
    error: Error | null = null;
    file = 'staging.img';

    override writeAt(name: string, offset: number, data: Uint8Array): void {
      if (this.error && name === this.file) throw this.error;
      super.writeAt(name, offset, data);
    }
  }

  test.each([
    ['while the image is staged', 'staging.img'],
    ['while the slot is written', 'slot-b.img'],
  ])('%s, fails the update and not the device', async (_when, file) => {
    const clock = new VirtualClock();
    const medium = new Failing();
    const one = start(clock, { id: 'dev-1' }, medium);
    medium.file = file;
    medium.error = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    update(clock, one, await prepare('x', 40 * kib));
    expect(result(one)).toMatchObject({ outcome: 'failed', error: { code: 'storage_failed' } });
    expect(one.device.snapshot()).toMatchObject({ state: 'idle', bootCount: 1 });
  });

  test('at the boot, is tried again until it works', () => {
    const clock = new VirtualClock();
    const medium = new Failing();
    medium.file = 'slot-a.img';
    medium.error = Object.assign(new Error('no such disk'), { code: 'EIO' });
    const logs: string[] = [];
    const one = start(clock, { id: 'dev-1', log: (_level, message) => void logs.push(message) }, medium);
    clock.until(() => logs.length >= 2, 'two tries');
    expect(new Set(logs)).toEqual(new Set(['cannot boot']));
    medium.error = null;
    clock.until(() => one.device.online, 'online');
  });

  test('in a way that nobody expects, is a watchdog reset', async () => {
    const clock = new VirtualClock();
    const medium = new Failing();
    const one = start(clock, { id: 'dev-1' }, medium);
    const prepared = await prepare('x', 40 * kib);
    one.server.image = prepared.image;
    clock.until(() => one.device.online, 'online');
    medium.error = new TypeError('undefined is not a function');
    one.device.once('offline', () => {});
    one.broker.send('firmware/download/request', prepared.request);
    clock.until(() => one.device.snapshot().state === 'off', 'the reset');
    medium.error = null;
    clock.until(() => result(one), 'a result');
    const boots = one.broker.of('status/health').map((it) => (it.boot as { reason: string }).reason);
    expect(boots).toEqual(['power_on', 'watchdog', 'update']);
    expect(result(one)).toMatchObject({ outcome: 'succeeded' });
  });
});
