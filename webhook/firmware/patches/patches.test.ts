import { createHash, randomUUID } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import { compactVerify, createLocalJWKSet } from 'jose';
import { describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { downloadRequestSchema, patchSchema } from '#emqx/protocol.ts';
import { components } from '../../devices/table.ts';
import {
  createSigner,
  type Json,
  openDatabase,
  startTestWebhook,
  type TestDevice,
  type TestWebhook,
} from '../../testing.ts';
import { startSuite } from '../../testing-suite.ts';
import { applyPatch } from './apply.ts';
import { noBase } from './format.ts';
import { forget, signMade } from './patches.ts';
import { patches } from './table.ts';

const { database, webhook } = await startSuite({ transferPrice: { perMegabyte: 2, currency: 'EUR' } });

/** A program of so many bytes, and what a linker makes of it when something is put in: it has moved, and every address with it. */
function release(seed: number, size = 40_000): [Buffer, Buffer] {
  const old = Buffer.alloc(size);
  let x = seed;
  for (let i = 0; i < size; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    old[i] = x >>> 24;
  }
  const next = Buffer.concat([old.subarray(0, 9_000), Buffer.alloc(120, seed), old.subarray(9_000)]);
  for (let i = 64; i < next.length; i += 640) next[i]! += 120;
  return [old, next];
}

/** Of which an eighth repeats itself: it is smaller compressed, and a patch from anything else saves no more than that. */
function repetitive(seed: number): Buffer {
  const image = release(seed)[0];
  for (let i = 35_000; i < image.length; i++) image[i] = i >> 5;
  return image;
}

let seed = 1;
const signing = webhook;

/** A device that runs the older image and says that it takes patches, and the newer one. */
async function setUp({
  images = release(seed++),
  patch = 'detools',
  compressed = false,
  at: webhook = signing,
}: {
  images?: [Buffer, Buffer];
  patch?: string | null;
  compressed?: boolean;
  at?: TestWebhook;
} = {}) {
  const hardware = `h${randomUUID().slice(0, 8)}`;
  const device = await webhook.device({ hardware });
  await device.subscribe();
  const [older, newer] = [
    await webhook.firmware({ hardware, content: images[0] }),
    await webhook.firmware({ hardware, content: images[1] }),
  ];
  const running = {
    ...device.running(older.sha256),
    ...(patch && { patch }),
    ...(compressed && { compressed }),
  };
  await device.critical('status/health', {
    state: 'ok',
    running: [running],
    boot: { count: 1, reason: 'power_on' },
  });
  return { device, older, newer, images };
}

const stateOf = async (base: string, result: string) => {
  const [row] = await database.db
    .select()
    .from(patches)
    .where(and(eq(patches.base, base), eq(patches.result, result)));
  return row;
};
const firstRequest = (device: TestDevice): Promise<Json> =>
  until('the request', () => device.requests()[0]?.body);
const manifestOf = async (request: Json) => {
  const { payload } = await compactVerify(request.manifest, createLocalJWKSet(webhook.signer.keys));
  return JSON.parse(new TextDecoder().decode(payload));
};

describe('a device that takes patches', () => {
  test('is sent one that makes the image out of what it attests, signed with both digests', async () => {
    const { device, older, newer, images } = await setUp();
    const selection = { firmwareId: newer.id, devices: [device.id] };
    const foresee = async () => (await webhook.api('POST', '/api/deployments/dry_run', selection)).body;
    // Whoever asks beforehand has it made.
    const none = { devices: 0, compressed: 0, making: 0, unsigned: 0 };
    expect((await foresee()).patches).toEqual({ ...none, making: 1, egressBytes: images[1].length });
    const made = async () => (await stateOf(older.sha256, newer.sha256))?.state === 'ready';
    await until('the patch', made);
    const row = (await stateOf(older.sha256, newer.sha256))!;
    expect(await foresee()).toMatchObject({
      egressBytes: images[1].length,
      patches: { ...none, devices: 1, egressBytes: row.sizeBytes },
      cost: {
        currency: 'EUR',
        whole: expect.closeTo(images[1].length * 2e-6),
        withPatches: expect.closeTo(row.sizeBytes! * 2e-6),
      },
    });
    const { id } = await webhook.deploy(newer.id, device);
    const request = await firstRequest(device);
    expect(downloadRequestSchema.safeParse(request).error).toBeUndefined();
    const manifest = patchSchema.parse(await manifestOf(request));
    expect(manifest).toMatchObject({
      sha256: newer.sha256,
      size: images[1].length,
      patch: { format: 'detools', base: older.sha256 },
    });
    const patch = webhook.objects.objects.get(row.s3Path!)!;
    expect(manifest.patch).toMatchObject({
      size: patch.length,
      sha256: createHash('sha256').update(patch).digest('hex'),
    });
    expect(decodeURIComponent(request.url)).toContain(row.s3Path);
    expect(patch.length).toBeLessThan(images[1].length / 20);
    expect(Buffer.compare(applyPatch(images[0], patch), images[1])).toBe(0);

    await device.accept(id);
    await device.result(id, newer.sha256, 'succeeded', {
      stats: {
        downloadMs: 5,
        resumes: 0,
        receivedBytes: patch.length,
        redownloadedBytes: 0,
        patch: 'applied',
      },
    });
    const { body } = await webhook.api('GET', `/api/deployments/${id}/patches`);
    expect(body).toEqual({
      applied: 1,
      fellBack: 0,
      faults: {},
      savedBytes: images[1].length - patch.length,
    });
    const { patches: days } = (await webhook.api('GET', '/api/trends')).body;
    const today = new Date().toISOString().slice(0, 10);
    expect(days).toEqual([
      { day: today, applied: 1, fellBack: 0, savedBytes: images[1].length - patch.length },
    ]);
  });

  test('is sent the whole image once it says why it does not use the patch, which is forgotten when nobody runs its base', async () => {
    const { device, older, newer, images } = await setUp();
    const { id } = await webhook.deploy(newer.id, device);
    await firstRequest(device);
    await forget({ db: database.db, objects: webhook.objects }, 0);
    expect(await stateOf(older.sha256, newer.sha256)).toBeDefined();
    await device.accept(id);
    const progress = (more: object) =>
      device.send('firmware/download/progress', {
        deployment: id,
        attempt: 1,
        stage: 'downloading',
        totalBytes: images[1].length,
        ...more,
      });
    await progress({ receivedBytes: 1_000 });
    await progress({ receivedBytes: 0, urlExpired: true, patch: 'differs' });
    const whole = await until('the whole image', () => device.requests()[1]?.body);
    expect(await manifestOf(whole)).not.toHaveProperty('patch');
    expect(decodeURIComponent(whole.url)).toContain(newer.s3Path);
    expect(await webhook.target(id, device)).toMatchObject({ state: 'downloading', receivedBytes: 0 });
    await device.result(id, newer.sha256, 'succeeded', {
      stats: { downloadMs: 5, resumes: 0, receivedBytes: 41_000, redownloadedBytes: 880, patch: 'differs' },
    });
    const { body } = await webhook.api('GET', `/api/deployments/${id}/patches`);
    expect(body).toEqual({ applied: 0, fellBack: 1, faults: { differs: 1 }, savedBytes: 0 });

    const { s3Path } = (await stateOf(older.sha256, newer.sha256))!;
    const context = { db: database.db, objects: webhook.objects };
    await forget(context);
    expect(webhook.objects.objects.has(s3Path!)).toBe(true);
    await forget(context, 0);
    expect(await stateOf(older.sha256, newer.sha256)).toBeUndefined();
    expect(webhook.objects.objects.has(s3Path!)).toBe(false);
  });

  test('is sent the whole image when a patch would save less than a fifth', async () => {
    const images: [Buffer, Buffer] = [release(71)[0], release(72)[0]];
    const { device, older, newer } = await setUp({ images });
    await webhook.deploy(newer.id, device);
    const request = await firstRequest(device);
    expect(await manifestOf(request)).not.toHaveProperty('patch');
    expect((await stateOf(older.sha256, newer.sha256))!.state).toBe('useless');
  });

  test('is sent the whole image when what it runs was never registered, or has another form of patches', async () => {
    const { device, newer } = await setUp();
    await database.db
      .update(components)
      .set({ sha256: 'e'.repeat(64) })
      .where(eq(components.deviceId, device.id));
    await webhook.deploy(newer.id, device);
    expect(await manifestOf(await firstRequest(device))).not.toHaveProperty('patch');
    expect(await stateOf('e'.repeat(64), newer.sha256)).toBeUndefined();

    const other = await setUp({ patch: 'vcdiff' });
    await webhook.deploy(other.newer.id, other.device);
    expect(await manifestOf(await firstRequest(other.device))).not.toHaveProperty('patch');
    expect(await stateOf(other.older.sha256, other.newer.sha256)).toBeUndefined();
  });
});

test('a device that says nothing of patches is sent whole images', async () => {
  const { device, older, newer } = await setUp({ patch: null });
  await webhook.deploy(newer.id, device);
  expect(await manifestOf(await firstRequest(device))).not.toHaveProperty('patch');
  expect(await stateOf(older.sha256, newer.sha256)).toBeUndefined();
});

describe('a device that takes compressed images', () => {
  test('is sent one when what it runs is not known here, and the image itself once it says that it is of no use', async () => {
    const images: [Buffer, Buffer] = [release(78)[0], repetitive(5)];
    const { device, newer } = await setUp({ images, compressed: true });
    const unknown = 'd'.repeat(64);
    await database.db.update(components).set({ sha256: unknown }).where(eq(components.deviceId, device.id));
    const selection = { firmwareId: newer.id, devices: [device.id] };
    const foresee = async () =>
      (await webhook.api('POST', '/api/deployments/dry_run', selection)).body.patches;
    expect(await foresee()).toMatchObject({ devices: 0, compressed: 0, making: 1 });
    await until('it', async () => (await stateOf(noBase, newer.sha256))?.state === 'ready');
    const row = (await stateOf(noBase, newer.sha256))!;
    expect(await foresee()).toMatchObject({
      devices: 0,
      compressed: 1,
      making: 0,
      egressBytes: row.sizeBytes,
    });
    const { id } = await webhook.deploy(newer.id, device);
    const request = await firstRequest(device);
    const packed = webhook.objects.objects.get(row.s3Path!)!;
    const sha256 = createHash('sha256').update(packed).digest('hex');
    const told = { format: 'detools', size: packed.length, sha256 };
    expect(await manifestOf(request)).toMatchObject({ sha256: newer.sha256, patch: told });
    expect(await manifestOf(request)).not.toHaveProperty('patch.base');
    expect(packed.length).toBeLessThan(images[1].length * 0.95);
    expect(Buffer.compare(applyPatch(Buffer.alloc(0), packed), images[1])).toBe(0);
    await device.accept(id);
    const faulty = { stage: 'downloading', totalBytes: images[1].length, receivedBytes: 0, patch: 'broken' };
    await device.send('firmware/download/progress', {
      deployment: id,
      attempt: 1,
      ...faulty,
      urlExpired: true,
    });
    const whole = await until('the whole image', () => device.requests()[1]?.body);
    expect(await manifestOf(whole)).not.toHaveProperty('patch');
    // It serves whatever a device runs: it stays.
    await forget({ db: database.db, objects: webhook.objects }, 0);
    expect(await stateOf(noBase, newer.sha256)).toBeDefined();
  });

  test('is sent a patch when there is one, and compressed only what no patch serves', async () => {
    const { device, older, newer } = await setUp({ compressed: true });
    await webhook.deploy(newer.id, device);
    expect(await manifestOf(await firstRequest(device))).toHaveProperty('patch.base', older.sha256);
    expect(await stateOf(noBase, newer.sha256)).toBeUndefined();
    const other = await setUp({ images: [release(77)[0], repetitive(9)], compressed: true });
    await webhook.deploy(other.newer.id, other.device);
    const manifest = await manifestOf(await firstRequest(other.device));
    expect((await stateOf(other.older.sha256, other.newer.sha256))!.state).toBe('useless');
    expect(manifest.patch).not.toHaveProperty('base');
  });
});

describe('where manifests are signed elsewhere', () => {
  test('what was made before there was a signer is signed by the one that comes', async () => {
    const { older, newer } = await setUp();
    await webhook.api('POST', `/api/firmware/${newer.id}/patches`, { from: [older.id] });
    const state = async () => (await stateOf(older.sha256, newer.sha256))?.state;
    await until('the patch', async () => (await state()) === 'ready');
    const ready = (await stateOf(older.sha256, newer.sha256))!;
    const pair = and(eq(patches.base, older.sha256), eq(patches.result, newer.sha256));
    await database.db.update(patches).set({ state: 'unsigned', manifest: null }).where(pair);

    await signMade({ db: database.db, signer: null });
    expect(await state()).toBe('unsigned');
    await signMade({ db: database.db, signer: webhook.signer });
    expect(await stateOf(older.sha256, newer.sha256)).toMatchObject({ state: 'ready', sha256: ready.sha256 });
    expect(await manifestOf((await stateOf(older.sha256, newer.sha256))!)).toEqual(await manifestOf(ready));
  });

  test('patches are asked for by name, and devices are sent them once their manifests are brought in', async () => {
    const key = await createSigner('offline');
    const elsewhere = await openDatabase();
    const unsigned = await startTestWebhook(elsewhere, { signer: null, trustedKeys: key.keys });
    try {
      const { device, older, newer, images } = await setUp({ at: unsigned, compressed: true });
      const path = `/api/firmware/${newer.id}/patches`;
      const sign = (firmware: Json) => {
        const { sizeBytes: size, component, hardware, version, securityVersion, fileName, sha256 } = firmware;
        const manifest = { component, hardware, version, securityVersion, fileName, size, sha256 };
        return key.sign(manifest);
      };
      expect(await unsigned.api('POST', path, {})).toMatchObject({
        status: 422,
        body: { code: 'firmware_unsigned' },
      });
      const manifest = await sign(newer);
      await unsigned.api('PUT', `/api/firmware/${newer.id}/manifest`, { manifest });
      // What nobody has asked for is not made: it could not be sent.
      const selection = { firmwareId: newer.id, devices: [device.id] };
      const foresee = async () =>
        (await unsigned.api('POST', '/api/deployments/dry_run', selection)).body.patches;
      expect(await foresee()).toEqual({
        ...{ devices: 0, compressed: 0, making: 0, unsigned: 0 },
        egressBytes: images[1].length,
      });
      expect((await unsigned.api('GET', path)).body).toEqual({
        manifest,
        sizeBytes: images[1].length,
        items: [],
      });

      expect((await unsigned.api('POST', path, {})).status).toBe(202);
      const made = await until('the patch', async () => {
        const { items } = (await unsigned.api('GET', path)).body;
        return items.every((it: Json) => it.state !== 'wanted') && items;
      });
      const patch = made.find((it: Json) => it.base === older.sha256);
      expect(patch).toMatchObject({
        state: 'unsigned',
        baseFirmware: { id: older.id },
        claims: { sha256: newer.sha256 },
      });
      expect(await foresee()).toMatchObject({ devices: 0, making: 0, unsigned: 1 });

      const bring = (base: string | null, jws: string) =>
        unsigned.api('PUT', `${path}/manifest`, { base, manifest: jws });
      const refused = { status: 422, body: { code: 'manifest_invalid' } };
      const { claims } = patch;
      // Of the image itself; of another patch; by a stranger.
      expect(await bring(older.sha256, manifest)).toMatchObject(refused);
      const other = { ...claims, patch: { ...claims.patch, sha256: 'f'.repeat(64) } };
      expect(await bring(older.sha256, await key.sign(other))).toMatchObject(refused);
      const stranger = await createSigner('offline');
      expect(await bring(older.sha256, await stranger.sign(claims))).toMatchObject(refused);
      expect((await bring('f'.repeat(64), await key.sign(claims))).status).toBe(404);
      expect(await bring(null, await key.sign(claims))).toMatchObject({
        status: 409,
        body: { code: 'patch_not_made' },
      });
      expect((await bring(older.sha256, await key.sign(claims))).status).toBe(200);

      expect(await foresee()).toMatchObject({ devices: 1, unsigned: 0 });
      await unsigned.deploy(newer.id, device);
      const request = await until('the request', () => device.requests()[0]?.body);
      const { payload } = await compactVerify(request.manifest, createLocalJWKSet(key.keys));
      expect(JSON.parse(new TextDecoder().decode(payload))).toEqual(claims);
    } finally {
      await unsigned.close();
      await elsewhere.close();
    }
  });
});
