import { strict as assert } from 'node:assert';
import type { Manifest } from '#emqx/protocol.ts';
import {
  type Answer,
  cutAfter,
  overlong,
  shortRange,
  stallAfter,
  status,
  wholeInstead,
  wrongRange,
} from '../../virtual/bench/file-server.ts';
import type { Case } from '../case.ts';
import { kib, type Rig, timing } from '../rig.ts';

const corrupted: Answer = ({ res, image, from, to }) => {
  const wrong = Buffer.from(image.subarray(from, to));
  wrong[wrong.length >> 1]! ^= 1;
  res
    .writeHead(206, {
      'content-length': to - from,
      'content-range': `bytes ${from}-${to - 1}/${image.length}`,
    })
    .end(wrong);
};

const otherSize: Answer = ({ res, image, from, to }) => {
  res
    .writeHead(206, {
      'content-length': to - from,
      'content-range': `bytes ${from}-${to - 1}/${image.length + 1}`,
    })
    .end(image.subarray(from, to));
};

const compressed: Answer = ({ res, image, from, to }) => {
  res
    .writeHead(206, {
      'content-encoding': 'gzip',
      'content-length': to - from,
      'content-range': `bytes ${from}-${to - 1}/${image.length}`,
    })
    .end(image.subarray(from, to));
};

const silent: Answer = () => {};
const hangUp: Answer = ({ res }) => void res.socket?.destroy();

/** The answer comes in the middle of a download, once; the device must still end on the new image. */
function endures(name: string, answer: Answer, short?: true): Case {
  return {
    name: `${name}, once: the update succeeds all the same`,
    ...(short && { short }),
    async run(rig) {
      await rig.start();
      const manifest = rig.publish();
      rig.files.next.push((exchange) => rig.files.always(exchange), answer);
      await rig.request(manifest);
      await rig.succeeds(manifest);
      assert.equal(rig.files.next.length, 0, 'it never asked for a second part');
    },
  };
}

function givesUp(name: string, answer: Answer, code: string): Case {
  return {
    name: `${name}, always: failed with ${code}, and the next attempt is another chance`,
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(64 * kib);
      const honest = rig.files.always;
      rig.files.always = answer;
      await rig.request(manifest);
      await rig.fails(code);
      assert.notEqual(((await rig.result()).running as Manifest).sha256, manifest.sha256);
      rig.files.always = honest;
      await rig.request(manifest, { attempt: 2 });
      await rig.succeeds(manifest, 2);
    },
  };
}

async function updateOnce(rig: Rig): Promise<void> {
  await rig.start();
  const manifest = rig.publish(600 * kib);
  await rig.request(manifest);
  const result = await rig.succeeds(manifest);
  const ack = await rig.ack();
  assert.equal(ack.accepted, true);
  assert.equal(rig.broker.of('firmware/download/result').length, 1);
  assert.ok(rig.broker.of('firmware/download/progress').length > 0, 'no progress was reported');
  assert.equal(rig.files.connections, 1, 'more than one connection for one download');
  const stats = result.stats as { receivedBytes: number; redownloadedBytes: number };
  assert.equal(stats.receivedBytes, manifest.size);
  assert.equal(stats.redownloadedBytes, 0);
  assert.equal(rig.running.sha256, manifest.sha256);
}

export const downloadCases: Case[] = [
  { name: 'an update over one kept-alive connection, reported after the boot', short: true, run: updateOnce },
  {
    name: 'chunks grow while the network is fast',
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(600 * kib);
      await rig.request(manifest);
      await rig.succeeds(manifest);
      const sizes = rig.files.requests.map(({ range }) => {
        const [from, to] = /(\d+)-(\d+)/
          .exec(range ?? '')!
          .slice(1)
          .map(Number) as [number, number];
        return to - from + 1;
      });
      assert.ok(sizes[0]! < Math.max(...sizes) && Math.max(...sizes) <= 64 * kib, sizes.join(' '));
    },
  },
  endures('200 and everything instead of 206', wholeInstead, true),
  endures('404', status(404)),
  endures('416', status(416)),
  endures('500', status(500)),
  endures('503', status(503)),
  {
    name: 'Retry-After is waited for',
    async run(rig) {
      // Patient enough for it: else it is cut to the longest pause.
      await rig.start(['--timing', JSON.stringify({ ...timing, retryMaxMs: 5_000 })]);
      const manifest = rig.publish();
      let refusedAt = 0;
      let askedAgainAt = 0;
      rig.files.next.push(
        (exchange) => {
          refusedAt = Date.now();
          status(503, { 'retry-after': '1' })(exchange);
        },
        (exchange) => {
          askedAgainAt = Date.now();
          rig.files.always(exchange);
        },
      );
      await rig.request(manifest);
      await rig.succeeds(manifest);
      assert.ok(askedAgainAt - refusedAt >= 900, `it asked again after ${askedAgainAt - refusedAt} ms`);
    },
  },
  {
    name: 'a redirect is not followed, even to where the image is',
    async run(rig) {
      await rig.start();
      const manifest = rig.publish();
      rig.files.next.push(status(302, { location: rig.files.url('/elsewhere.bin') }));
      await rig.request(manifest);
      await rig.succeeds(manifest);
      assert.deepEqual(
        rig.files.requests.filter(({ path }) => path === '/elsewhere.bin'),
        [],
      );
    },
  },
  endures('a shorter range than asked for', shortRange(1000)),
  endures('a body cut off', cutAfter(5000), true),
  endures('a body that stalls', stallAfter(5000)),
  endures('no answer at all', silent),
  endures('a connection that is closed instead of an answer', hangUp),
  endures('more bytes than the label says', overlong),
  endures('another range than asked for', wrongRange),
  endures('another size of the whole', otherSize),
  endures('a compressed body', compressed),
  givesUp('404', status(404), 'download_failed'),
  givesUp('500', status(500), 'download_failed'),
  givesUp('another size', otherSize, 'size_mismatch'),
  givesUp('corrupted bytes', corrupted, 'digest_mismatch'),
  {
    name: 'an expired URL (403) is replaced by a fresh one, asked for until it comes',
    short: true,
    async run(rig) {
      await rig.start();
      const manifest = rig.publish();
      const honest = rig.files.always;
      rig.files.always = (exchange) =>
        exchange.req.url?.includes('fresh') ? honest(exchange) : status(403)(exchange);
      await rig.request(manifest);
      const asks = () => rig.broker.of('firmware/download/progress').filter((it) => it.urlExpired);
      await rig.broker.see(
        'firmware/download/progress',
        (it) => it.urlExpired === true && asks().length >= 3,
      );
      await rig.request(manifest, { url: rig.files.url('/image.bin?fresh=1') });
      await rig.succeeds(manifest);
      assert.equal(rig.broker.of('firmware/download/request/ack').length, 1);
    },
  },
];
