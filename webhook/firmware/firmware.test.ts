import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { query } from '../db/query.ts';
import { createSigner, type Json, sha256Of, startTestWebhook } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { toManifest } from './firmware.ts';
import { maxFirmwareBytes } from './image.ts';
import { verifyManifest } from './signer.ts';
import { firmwares } from './table.ts';
import { espImage } from './testing-images.ts';

const { database, webhook } = await startSuite();
/** Where manifests are signed elsewhere and brought in. */
const unsigned = await startTestWebhook(database, { objects: webhook.objects, signer: null });
afterAll(() => unsigned.close());

const newFile = () => ({ version: `2.0.0-${randomUUID().slice(0, 8)}`, fileName: 'image.bin' });
const presign = (file: object, at = webhook) => at.api('POST', '/api/s3/presigned_upload', file);
const register = (body: object, at = webhook) =>
  at.api('POST', '/api/firmwares/metadata', { releaseNote: 'Note', ...body });
async function upload(
  file: { version: string; fileName: string },
  content: string | Buffer,
): Promise<string> {
  const { s3Path } = (await presign(file)).body;
  webhook.objects.objects.set(s3Path, Buffer.from(content));
  return s3Path;
}
const count = (version: string) => database.db.select().from(firmwares).where(eq(firmwares.version, version));

describe('registering', () => {
  test('presign, upload, metadata: size and digest are those of the object, defaults are filled in, the manifest verifies', async () => {
    const file = newFile();
    const presigned = await presign(file);
    expect(presigned.status).toBe(200);
    expect(presigned.body.headers).toEqual({ 'if-none-match': '*' });
    expect(presigned.body.s3Path).toMatch(new RegExp(`^${file.version}/[0-9a-f-]{36}/image\\.bin$`));
    webhook.objects.objects.set(presigned.body.s3Path, Buffer.from('hello'));
    const { status, body } = await register({ ...file, s3Path: presigned.body.s3Path });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      ...file,
      name: 'image.bin',
      author: 'api-token',
      hardware: 'esp32-s3',
      component: 'main',
      securityVersion: 0,
      sizeBytes: 5,
      sha256: sha256Of('hello'),
      signed: true,
    });
    expect(body.manifest).toBeUndefined();
    const [row] = await count(file.version);
    await verifyManifest(row!.manifest!, toManifest(row!), webhook.signer.keys);
    const download = await webhook.api(
      'GET',
      `/api/s3/presigned_download?version=${file.version}&fileName=image.bin`,
    );
    expect(download.body.url).toContain(encodeURI(body.s3Path));
  });

  test.each([
    '../etc/passwd',
    '..',
    '.hidden',
    'a/b.bin',
    'a\\b.bin',
    'a\u0000.bin',
    'a\n.bin',
    '',
    'x'.repeat(101),
    'a?b',
    'a%2fb',
  ])('the file name %j is refused at presign, at metadata and at download', async (fileName) => {
    const { version } = newFile();
    const answers = [
      await presign({ version, fileName }),
      await register({ version, fileName, s3Path: `${version}/${randomUUID()}/a.bin` }),
      await webhook.api(
        'GET',
        `/api/s3/presigned_download?version=${version}&fileName=${encodeURIComponent(fileName)}`,
      ),
    ];
    for (const { status, body, headers } of answers) {
      expect([status, body.code, body.errors[0].path]).toEqual([400, 'invalid_request', 'fileName']);
      expect(headers.get('content-type')).toBe('application/problem+json');
    }
  });

  test.each(['../1', 'a/b', '', '.1', 'x'.repeat(65)])('the version %j is refused', async (version) => {
    expect((await presign({ version, fileName: 'a.bin' })).body.errors[0].path).toBe('version');
  });

  test('a path that was not given for this file is refused', async () => {
    const file = newFile();
    const own = await upload(file, 'mine');
    const paths = [
      `${file.version}/${randomUUID()}/other.bin`,
      `9.9.9/${randomUUID()}/image.bin`,
      `${file.version}/../image.bin`,
      `${own}/more`,
      `/${own}`,
      'secret',
    ];
    for (const s3Path of paths) {
      const { status, body } = await register({ ...file, s3Path });
      expect([s3Path, status, body.code]).toEqual([s3Path, 400, 'invalid_request']);
    }
    expect(await count(file.version)).toEqual([]);
  });

  test('a (version, fileName) that is there is refused at both ends, and the first stays as it was', async () => {
    const file = newFile();
    const s3Path = await upload(file, 'first');
    const second = await upload(file, 'second');
    const { body: first } = await register({ ...file, s3Path });
    const again = [
      await presign(file),
      await register({ ...file, s3Path }),
      await register({ ...file, s3Path: second }),
    ];
    expect(again.map((a) => [a.status, a.body.code])).toEqual(Array(3).fill([409, 'firmware_exists']));
    expect((await webhook.api('GET', `/api/firmware/${first.id}`)).body.sha256).toBe(sha256Of('first'));
  });

  test('of two at once one is registered', async () => {
    const file = newFile();
    const paths = [await upload(file, 'a'), await upload(file, 'b')];
    const answers = await Promise.all([...paths, ...paths].map((s3Path) => register({ ...file, s3Path })));
    expect(answers.map((a) => a.status).sort()).toEqual([201, 409, 409, 409]);
    expect(await count(file.version)).toHaveLength(1);
    const [audit] = await query<{ n: number }>(
      database.db,
      sql`select count(*)::int as n from audit_log where action = 'firmware.register'
          and subject = ${answers.find((a) => a.status === 201)!.body.id}`,
    );
    expect(audit!.n).toBe(1);
  });

  test('an object that was never uploaded, or is empty, leaves nothing', async () => {
    const file = newFile();
    const { s3Path } = (await presign(file)).body;
    const missing = await register({ ...file, s3Path });
    expect([missing.status, missing.body.code]).toEqual([422, 'object_missing']);
    webhook.objects.objects.set(s3Path, Buffer.alloc(0));
    const empty = await register({ ...file, s3Path });
    expect([empty.status, empty.body.code]).toEqual([422, 'object_empty']);
    expect(await count(file.version)).toEqual([]);
    webhook.objects.objects.set(s3Path, Buffer.from('now'));
    expect((await register({ ...file, s3Path })).status).toBe(201);
  });

  test('an image goes under the version and the chip that it says itself; what is no firmware is refused', async () => {
    const file = newFile();
    const tries: [content: Buffer, more: object, code: string, said: RegExp][] = [
      [Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), {}, 'image_not_firmware', /it is PNG/],
      [espImage(9, { version: '1.4.0' }), {}, 'image_version_differs', /version 1\.4\.0, not 2\.0\.0-/],
      [
        espImage(5, { version: file.version }),
        { hardware: 'esp32-s3-box' },
        'image_chip_differs',
        /for esp32-c3; hardware esp32-s3-box/,
      ],
      [Buffer.from(':00000001FF\n'), { hardware: 'arduino-uno' }, 'image_is_hex', /takes a binary/],
    ];
    for (const [content, more, code, said] of tries) {
      const { status, body } = await register({ ...file, ...more, s3Path: await upload(file, content) });
      expect([status, body.code]).toEqual([422, code]);
      expect(body.detail).toMatch(said);
    }
    expect(await count(file.version)).toEqual([]);
    // Longer than the head that is read; without a hardware it is that of the chip, in the signed manifest too.
    const said = espImage(5, { version: file.version, securityVersion: 4 });
    const whole = Buffer.concat([said, Buffer.alloc(300_000, 7)]);
    const { status, body } = await register({ ...file, s3Path: await upload(file, whole) });
    expect([status, body.hardware, body.sizeBytes]).toEqual([201, 'esp32-c3', whole.length]);
    expect(body.securityVersion).toBe(4);
    const [row] = await count(file.version);
    await verifyManifest(row!.manifest!, toManifest(row!), webhook.signer.keys);
  });

  test('an object that is larger than allowed is refused unread', async () => {
    const file = newFile();
    const s3Path = await upload(file, 'x');
    const { open } = webhook.objects;
    webhook.objects.open = async (key) => ({ ...(await open(key)), sizeBytes: maxFirmwareBytes + 1 });
    try {
      const { status, body } = await register({ ...file, s3Path });
      expect([status, body.code]).toEqual([422, 'object_too_large']);
    } finally {
      webhook.objects.open = open;
    }
  });

  test('a store that breaks off is 503, not a firmware of half a file', async () => {
    const file = newFile();
    const s3Path = await upload(file, 'whole');
    const { open } = webhook.objects;
    webhook.objects.open = async (key) => ({ ...(await open(key)), sizeBytes: 999 });
    try {
      const { status, body } = await register({ ...file, s3Path });
      expect([status, body.code]).toEqual([503, 'storage_unavailable']);
    } finally {
      webhook.objects.open = open;
    }
    expect(await count(file.version)).toEqual([]);
  });

  test('text with NUL is the caller’s mistake', async () => {
    const file = newFile();
    const s3Path = await upload(file, 'x');
    const { status, body } = await register({ ...file, s3Path, releaseNote: 'a\u0000b' });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    expect((await webhook.api('GET', '/api/firmwares/metadata?search=%00')).status).toBe(400);
  });

  test('the audit log names who was logged in, whatever the author says', async () => {
    const file = newFile();
    const { body } = await register({ ...file, s3Path: await upload(file, 'x'), author: 'Somebody else' });
    expect(body.author).toBe('Somebody else');
    const rows = await query<{ actor: string }>(
      database.db,
      sql`select actor from audit_log where subject = ${body.id}`,
    );
    expect(rows).toEqual([{ actor: 'api-token' }]);
  });
});

describe('signing elsewhere', () => {
  const attach = (id: string, manifest: string) =>
    unsigned.api('PUT', `/api/firmware/${id}/manifest`, { manifest });
  let firmware: Json;
  let manifest: Json;
  beforeAll(async () => {
    const file = newFile();
    firmware = (await register({ ...file, s3Path: await upload(file, 'image') }, unsigned)).body;
    const { sizeBytes: size, component, hardware, version, securityVersion, fileName, sha256 } = firmware;
    manifest = { component, hardware, version, securityVersion, fileName, size, sha256 };
  });

  test('an unsigned firmware cannot be deployed', async () => {
    expect(firmware.signed).toBe(false);
    const device = await unsigned.device();
    const answer = await unsigned.api('POST', '/api/deployments', {
      firmwareId: firmware.id,
      devices: [device.id],
    });
    expect([answer.status, answer.body.code]).toEqual([422, 'firmware_unsigned']);
    expect((await unsigned.api('GET', `/api/firmware/${firmware.id}`)).body.deployments).toEqual([]);
  });

  test('a manifest that is tampered with, of another firmware, key or algorithm, or without kid is refused', async () => {
    const { signer } = unsigned;
    const stranger = await createSigner();
    const jws = await signer.signAs(manifest);
    const [header, payload, signature] = jws.split('.') as [string, string, string];
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const bad: Record<string, string> = {
      'tampered payload': `${header}.${part({ ...manifest, sha256: 'e'.repeat(64) })}.${signature}`,
      'tampered signature': `${header}.${payload}.${signature.slice(2)}${signature.slice(0, 2)}`,
      'alg none': `${part({ alg: 'none', kid: 'test' })}.${payload}.`,
      'strange key': await stranger.signAs(manifest),
      'unknown kid': await signer.signAs(manifest, { kid: 'nobody' }),
      'no kid': await signer.signAs(manifest, {}),
      'another digest': await signer.signAs({ ...manifest, sha256: 'e'.repeat(64) }),
      'another security version': await signer.signAs({ ...manifest, securityVersion: 7 }),
      'a patch that makes it': await signer.signAs({ ...manifest, patch: { format: 'detools' } }),
      'an order to undo': await signer.signAs({ ...manifest, undo: { leaves: 'e'.repeat(64) } }),
      'no manifest': await signer.signAs({ hello: 'world' }),
      'not a JWS': 'x',
    };
    // For each the same refusal, and nothing is stored.
    for (const [what, jws] of Object.entries(bad)) {
      const { status, body } = await attach(firmware.id, jws);
      expect([what, status, body.code]).toEqual([what, 422, 'manifest_invalid']);
    }
    expect((await unsigned.api('GET', `/api/firmware/${firmware.id}`)).body.signed).toBe(false);
  });

  test('the right one makes it deployable', async () => {
    // `unsigned` has no signer of its own but trusts this key.
    const { status, body } = await attach(firmware.id, await unsigned.signer.signAs(manifest));
    expect([status, body.signed]).toEqual([200, true]);
    const device = await unsigned.device();
    expect((await unsigned.deploy(firmware.id, device)).state).toBe('running');
    expect((await attach(randomUUID(), 'x')).status).toBe(404);
  });
});

describe('the list', () => {
  test('pages and searches, and takes % and _ for what they are', async () => {
    const mark = randomUUID().slice(0, 8);
    const names = [`${mark} 100%`, `${mark} 1000`, `${mark}_a`, `${mark}xa`];
    for (const name of names) {
      const file = newFile();
      await register({ ...file, name, s3Path: await upload(file, name) });
    }
    const search = async (text: string) =>
      (await webhook.api('GET', `/api/firmwares/metadata?search=${encodeURIComponent(text)}`)).body.map(
        (f: Json) => f.name,
      );
    expect(await search('100%')).toEqual([names[0]]);
    expect(await search(`${mark}_`)).toEqual([names[2]]);
    expect(await search(mark.toUpperCase())).toEqual(names.toReversed());
    expect(await search('\\')).toEqual([]);
    const page = await webhook.api('GET', `/api/firmwares/metadata?search=${mark}&limit=2&offset=1`);
    expect(page.body.total).toBe(4);
    expect(page.body.items.map((f: Json) => f.name)).toEqual([names[2], names[1]]);
    expect((await webhook.api('GET', '/api/firmwares/metadata?limit=0')).status).toBe(400);
    expect((await webhook.api('GET', '/api/firmwares/metadata?limit=2&offset=-1')).status).toBe(400);
  });
});
