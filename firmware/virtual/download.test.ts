import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { Bench, kib } from './bench/bench.ts';
import {
  type Answer,
  cutAfter,
  honest,
  overlong,
  shortRange,
  stallAfter,
  status,
  trickle,
  wholeInstead,
  wrongRange,
} from './bench/file-server.ts';
import { type Network, plainNetwork } from './network.ts';
import type { Timing } from './options.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(async () => {
  await bench.close();
  expect(bench.broker.violations).toEqual([]);
});

/** Downloads over a server that misbehaves as told, and expects the right image to run in the end. */
async function update(...faults: Answer[]) {
  return updateWith({}, ...faults);
}

async function updateWith(timing: Partial<Timing>, ...faults: Answer[]) {
  await bench.online({ timing });
  const manifest = bench.publish(200 * kib);
  bench.files.next.push(...faults);
  await bench.request(manifest);
  const result = await bench.result();
  expect(result).toMatchObject({ outcome: 'succeeded', running: { sha256: manifest.sha256 } });
  return result.stats as {
    downloadMs: number;
    resumes: number;
    receivedBytes: number;
    redownloadedBytes: number;
  };
}

describe('the right image arrives in spite of', () => {
  test('a server that answers 200 to a range at the start', async () => {
    expect(await update(wholeInstead)).toMatchObject({ redownloadedBytes: 0 });
    expect(bench.files.requests).toHaveLength(1);
  });

  test('a server that answers 200 to a range in the middle', async () => {
    const stats = await update(honest, wholeInstead);
    expect(stats.redownloadedBytes).toBe(32 * kib);
    expect(bench.files.requests).toHaveLength(2);
  });

  test('a whole body that breaks off before the part that was wanted', async () => {
    const cutWhole: Answer = ({ res, image }) => {
      res.writeHead(200, { 'content-length': image.length });
      res.write(image.subarray(0, 10 * kib), () => res.socket?.destroy());
    };
    await update(honest, cutWhole, cutWhole, honest);
  });

  test('416 to ranges, by asking for the whole', async () => {
    await update(honest, status(416));
    expect(bench.files.requests.at(-1)?.range).toBeUndefined();
  });

  test('404, 500, 502, 503 and 429 for a while', async () => {
    await update(
      status(404),
      status(500),
      status(502),
      status(503, { 'retry-after': '1' }),
      honest,
      status(429),
    );
  });

  test('a broken connection, keeping every byte that came', async () => {
    const stats = await update(honest, cutAfter(10_000), cutAfter(1), honest);
    expect(stats).toMatchObject({ receivedBytes: 200 * kib, redownloadedBytes: 0 });
    expect(stats.resumes).toBeGreaterThanOrEqual(1);
  });

  test('a stalled body and one that never starts', async () => {
    const stats = await updateWith({ stallMs: 150 }, honest, stallAfter(5_000), () => {}, honest);
    expect(stats).toMatchObject({ receivedBytes: 200 * kib, redownloadedBytes: 0 });
  });

  test('ranges that are shorter than asked for', async () => {
    expect(await update(shortRange(1), shortRange(7), shortRange(20_000))).toMatchObject({ resumes: 0 });
  });

  test('bodies that are longer than their label', async () => {
    expect(await update(overlong, honest, overlong)).toMatchObject({ resumes: 0 });
  });

  test('ranges from elsewhere, and 206 without a label', async () => {
    const unlabelled: Answer = ({ res, image }) => res.writeHead(206).end(image.subarray(0, 100));
    await update(wrongRange, honest, unlabelled);
  });

  test('a page of somebody else with status 200, compressed or of another length', async () => {
    const portal: Answer = ({ res }) =>
      res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Please log in</h1>');
    const zipped: Answer = ({ res, image }) =>
      res.writeHead(200, { 'content-encoding': 'gzip', 'content-length': image.length }).end(image);
    const redirect = status(302, { location: bench.files.url('/elsewhere') });
    await update(portal, honest, zipped, redirect);
  });

  test('the broker being away for the whole download', async () => {
    const device = await bench.online();
    const manifest = bench.publish(200 * kib);
    bench.files.always = trickle(16 * kib, 10);
    await bench.request(manifest);
    await until('the first bytes', () => device.snapshot().receivedBytes > 0);
    bench.broker.down = true;
    bench.broker.kick();
    await until('the device to be offline', () => !device.snapshot().online);
    await until('the new image to boot', () => device.snapshot().state === 'testing');
    bench.broker.down = false;
    expect(await bench.result()).toMatchObject({ outcome: 'succeeded', stats: { resumes: 0 } });
  });

  test('the network being cut in the middle', async () => {
    const device = await bench.online();
    const manifest = bench.publish(200 * kib);
    bench.files.always = trickle(8 * kib, 10);
    await bench.request(manifest);
    await until('some bytes', () => device.snapshot().receivedBytes > 40 * kib);
    device.cutNetwork(100);
    const { stats } = (await bench.result('succeeded')) as { stats: { redownloadedBytes: number } };
    expect(stats.redownloadedBytes).toBe(0);
  });
});

describe('an expired URL', () => {
  test('makes the device ask until it gets a fresh one, and then go on where it was', async () => {
    await bench.online();
    const manifest = bench.publish(200 * kib);
    bench.files.next.push(honest);
    bench.files.always = (exchange) =>
      exchange.req.url?.includes('fresh') ? honest(exchange) : status(403)(exchange);
    await bench.request(manifest);
    const asked = () => bench.broker.of('firmware/download/progress').filter((it) => it.urlExpired);
    await until('two requests for a fresh URL', () => asked().length >= 2);
    expect(asked()[0]).toMatchObject({ receivedBytes: 32 * kib, stage: 'downloading' });
    await bench.request(manifest, { url: bench.files.url('/fresh') });
    expect(await bench.result()).toMatchObject({
      outcome: 'succeeded',
      stats: { receivedBytes: 200 * kib, redownloadedBytes: 0 },
    });
    expect(bench.broker.of('firmware/download/request/ack')).toHaveLength(1);
  });
});

describe('a download is given up when', () => {
  const cases: [string, Answer, string][] = [
    ['the range is beyond the end', status(416, { 'content-range': 'bytes */5' }), 'size_mismatch'],
    ['every connection breaks at once', ({ res }) => res.socket?.destroy(), 'download_failed'],
  ];
  test.each(cases)('%s', async (_name, answer, code) => {
    await bench.online({ limits: { responseFailures: 4, networkFailures: 6 } });
    const manifest = bench.publish();
    bench.files.always = answer;
    await bench.request(manifest);
    const result = await bench.result();
    expect(result).toMatchObject({ outcome: 'failed', error: { code }, running: { version: '0.0.0' } });
    expect(bench.device.snapshot().state).toBe('idle');
  });

  test('the server has a certificate of somebody else', async () => {
    const { createPki } = await import('./bench/pki.ts');
    const { FileServer } = await import('./bench/file-server.ts');
    const stranger = await FileServer.start(await (await createPki()).server());
    try {
      await bench.online({ limits: { networkFailures: 3 } });
      const manifest = bench.publish();
      stranger.image = bench.files.image;
      await bench.request(manifest, { url: stranger.url() });
      expect(await bench.result()).toMatchObject({ outcome: 'failed', error: { code: 'download_failed' } });
      expect(stranger.requests).toHaveLength(0);
    } finally {
      await stranger.close();
    }
  });
});

test('chunks grow over a fast connection, on one connection', async () => {
  const limits = { chunkStartBytes: 16 * kib, chunkCeilingBytes: 128 * kib };
  // A slow machine is no slow connection.
  await bench.online({ limits, timing: { fastChunkMs: 60_000 } });
  const manifest = bench.publish(1024 * kib);
  await bench.request(manifest);
  await bench.result('succeeded');
  const sizes = bench.files.requests.map(({ range }) => {
    const [from, last] = range!.slice('bytes='.length).split('-').map(Number);
    return (last! + 1 - from!) / kib;
  });
  expect(sizes.slice(0, 5)).toEqual([16, 32, 64, 128, 128]);
  expect(bench.files.connections).toBe(1);
});

test('all ranges come over one connection, also where an answer is there before it is known that its request was sent', async () => {
  await bench.online({ network: tardy, limits: { chunkStartBytes: 32 * kib, chunkCeilingBytes: 32 * kib } });
  await bench.request(bench.publish(128 * kib));
  await bench.result('succeeded');
  expect(bench.files.requests).toHaveLength(4);
  expect(bench.files.connections).toBe(1);
});

/** As on a machine that does too much at once. */
const tardy: Network = {
  dial(target) {
    const inner = plainNetwork.dial(target);
    const outer: Duplex = new Duplex({
      allowHalfOpen: false,
      read: () => void inner.resume(),
      write: (data, _encoding, done) => void inner.write(data, () => setTimeout(done, 100)),
      final: (done) => void inner.end(done),
      destroy: (error, done) => {
        inner.destroy();
        done(error);
      },
    });
    inner.on('data', (data) => outer.push(data));
    inner.on('close', () => outer.destroy());
    return outer;
  },
};
