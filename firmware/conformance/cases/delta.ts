import { strict as assert } from 'node:assert';
import { createHash, randomUUID } from 'node:crypto';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Manifest, PatchFault } from '#emqx/protocol.ts';
import { cutAfter } from '../../virtual/bench/file-server.ts';
import type { Case } from '../case.ts';
import { kib, type Rig } from '../rig.ts';

const sizeBytes = 96 * kib;

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** As the format writes numbers: sign and 6 bits, then 7 bits each (`firmware/DELTA.md`). */
function number(value: number): number[] {
  const bytes = [value & 0x3f];
  for (let rest = value >> 6; rest > 0; rest >>= 7) {
    bytes[bytes.length - 1]! |= 0x80;
    bytes.push(rest & 0x7f);
  }
  return bytes;
}

const runLength = (value: number): number[] =>
  value < 128 ? [value] : [(value & 0x7f) | 0x80, ...runLength(value >> 7)];

/** From one image to another of the same size that differs in its first bytes only, compressed by crle. */
function toPatch(from: Buffer, to: Buffer): Buffer {
  const changed = 256;
  assert.ok(from.subarray(changed).equals(to.subarray(changed)), 'they differ further on');
  const head = to.subarray(0, changed).map((byte, i) => byte - from[i]!);
  const first = Buffer.from([...number(0), ...number(to.length), ...head]);
  return Buffer.from([
    ...[2, ...number(to.length)],
    ...[0, ...runLength(first.length), ...first],
    ...[1, ...runLength(to.length - changed), 0],
    // No new bytes, and nowhere to go on.
    ...[0, 2, 0, 0],
  ]);
}

/** An image of which all but the first bytes are zeros, as a patch that needs no other, compressed by crle. */
function compress(image: Buffer, noiseBytes: number): Buffer {
  const head = Buffer.from([
    ...[...number(0), ...number(0), ...number(image.length)],
    ...image.subarray(0, noiseBytes),
  ]);
  return Buffer.from([
    ...[2, ...number(image.length)],
    ...[0, ...runLength(head.length), ...head],
    ...[1, ...runLength(image.length - noiseBytes), 0],
    ...[0, 1, 0],
  ]);
}

interface Update {
  manifest: Manifest;
  patch: Buffer;
  image: Buffer;
  /** Absent: the patch needs none. */
  base?: string;
}

/** The device runs a published image; what would bring it the next. */
async function prepare(rig: Rig): Promise<Update> {
  await rig.start();
  const from = rig.publish(sizeBytes, { version: '1.0.0' });
  const old = rig.files.image;
  const before = randomUUID();
  await rig.request(from, { deployment: before });
  await rig.result(1, before);
  assert.equal(rig.running.sha256, from.sha256);
  const manifest = rig.publish(sizeBytes, { version: '2.0.0' });
  const { image } = rig.files;
  rig.files.requests.length = 0;
  return { manifest, image, patch: toPatch(old, image), base: from.sha256 };
}

/** The request as the webhook sends it, for a patch that the file server then holds. */
async function offer(rig: Rig, { manifest, patch, base }: Update): Promise<void> {
  rig.files.image = patch;
  const told = { format: 'detools', ...(base && { base }), size: patch.length, sha256: digest(patch) };
  const signed = await rig.lab.key.sign({ ...manifest, patch: told });
  await rig.request(manifest, { manifest: signed, url: rig.files.url('/patch?signature=1') });
}

/** What would bring it an image compressed, whatever it runs. */
async function prepareCompressed(rig: Rig): Promise<Update> {
  await rig.start();
  const noiseBytes = 20 * kib;
  const image = Buffer.alloc(sizeBytes);
  const manifest = rig.publish(sizeBytes, { version: '3.0.0' });
  rig.files.image.copy(image, 0, 0, noiseBytes);
  rig.files.image = image;
  return { manifest: { ...manifest, sha256: digest(image) }, image, patch: compress(image, noiseBytes) };
}

/** The device says why, is sent the whole image, and runs it. */
function fallsBack(name: string, fault: PatchFault, change: (it: Update) => Update): Case {
  return {
    name: `${name} is given up (${fault}), and the whole image runs`,
    needsPatches: true,
    async run(rig) {
      const update = await prepare(rig);
      await offer(rig, change(update));
      const asks = (it: Record<string, unknown>) => it.urlExpired === true && it.patch === fault;
      await rig.broker.see('firmware/download/progress', asks, 15_000);
      rig.files.image = update.image;
      await rig.request(update.manifest);
      const { stats } = await rig.succeeds(update.manifest);
      assert.equal((stats as { patch: string }).patch, fault);
    },
  };
}

export const deltaCases: Case[] = [
  {
    name: 'an update by patch downloads the patch alone, and runs the signed image',
    short: true,
    needsPatches: true,
    async run(rig) {
      const update = await prepare(rig);
      await offer(rig, update);
      const { stats } = await rig.succeeds(update.manifest);
      const { patch, receivedBytes } = stats as { patch: string; receivedBytes: number };
      assert.deepEqual([patch, receivedBytes], ['applied', update.patch.length]);
      assert.ok(rig.files.requests.every(({ path }) => path.startsWith('/patch')));
    },
  },
  {
    name: 'an update by patch goes on after kill -9 in the middle of it',
    needsPatches: true,
    async run(rig) {
      const update = await prepare(rig);
      // A few bytes an answer, so that there is a middle.
      const honest = rig.files.always;
      rig.files.always = (exchange) => cutAfter(40)(exchange);
      await offer(rig, update);
      for (let kills = 0; kills < 3; kills++) {
        const seen = rig.files.requests.length;
        const more = () => rig.files.requests.length > seen + 1;
        await until('another part', more, 15_000);
        await rig.device.powerOff();
        await rig.start();
      }
      rig.files.always = honest;
      await rig.succeeds(update.manifest);
    },
  },
  {
    name: 'a compressed image is downloaded compressed, goes on after kill -9 in the middle of it, and runs',
    short: true,
    needsCompressed: true,
    async run(rig) {
      const update = await prepareCompressed(rig);
      const honest = rig.files.always;
      rig.files.always = (exchange) => cutAfter(4_000)(exchange);
      await offer(rig, update);
      await until('a part', () => rig.files.requests.length > 1, 15_000);
      await rig.device.powerOff();
      rig.files.always = honest;
      await rig.start();
      const { stats } = await rig.succeeds(update.manifest);
      assert.equal((stats as { patch: string }).patch, 'applied');
      assert.ok(rig.files.requests.every(({ path }) => path.startsWith('/patch')));
    },
  },
  fallsBack('a patch for another image', 'refused', (it) => ({ ...it, base: digest(it.image) })),
  fallsBack('what is no patch', 'broken', (it) => ({ ...it, patch: Buffer.alloc(100, 0x55) })),
  fallsBack('a patch that makes another image', 'differs', (it) => {
    const patch = Buffer.from(it.patch);
    patch[40]! ^= 1;
    return { ...it, patch };
  }),
];
