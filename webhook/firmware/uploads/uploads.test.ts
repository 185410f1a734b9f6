import { randomBytes, randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { type Json, sha256Of } from '../../testing.ts';
import { startSuite } from '../../testing-suite.ts';
import { firmwares } from '../table.ts';
import { uploads } from './table.ts';
import { createForgetUploads, partBytes } from './uploads.ts';

const { database, webhook } = await startSuite();
const { db } = database;
const { begun, objects } = webhook.objects;

const operator = async (name: string) => {
  const { body } = await webhook.api('POST', '/api/tokens', { name, role: 'operator' });
  const headers = { authorization: `Bearer ${body.secret}` };
  return (method: string, path: string, asked?: unknown) => webhook.api(method, path, asked, headers);
};
const mine = await operator('mine');
const other = await operator('other');
const content = randomBytes(2 * partBytes + 1000);
const announce = (file: Partial<Json> = {}) => ({
  ...{ version: randomUUID().slice(0, 8), fileName: 'app.bin' },
  ...{ sizeBytes: content.length, sha256: sha256Of(content), ...file },
});
const begin = async (file: Json = announce()): Promise<Json> =>
  (await mine('POST', '/api/uploads', file)).body;
/** As the store does, of what comes to a presigned address. */
const store = async ({ id }: Json, ...parts: [number, Buffer][]) => {
  const [row] = await db.select().from(uploads).where(eq(uploads.id, id));
  for (const [number, part] of parts) begun.get(row!.uploadId)!.set(number, part);
};
const part = (number: number) => content.subarray((number - 1) * partBytes, number * partBytes);
const storeAll = (upload: Json) => store(upload, [1, part(1)], [2, part(2)], [3, part(3)]);
const complete = (upload: Json) => mine('POST', `/api/uploads/${upload.id}/complete`);
const register = ({ version, fileName, s3Path }: Json, by = mine) =>
  by('POST', '/api/firmwares/metadata', { version, fileName, s3Path, releaseNote: '' });

test('an upload that is begun again goes on where it stood, and becomes a firmware once', async () => {
  const file = announce();
  const first = await begin(file);
  expect(first).toMatchObject({ parts: 3, partBytes, stored: [], completed: false });
  await store(first, [3, part(3)], [1, part(1)]);
  const again = await begin(file);
  expect(again).toMatchObject({ id: first.id, s3Path: first.s3Path });
  expect(again.stored.sort()).toEqual([1, 3]);
  const asked = await mine('POST', `/api/uploads/${first.id}/parts`, { numbers: [2, 3] });
  expect(asked.body.parts).toMatchObject([
    { number: 2, offset: partBytes, sizeBytes: partBytes },
    { number: 3, offset: 2 * partBytes, sizeBytes: 1000 },
  ]);
  await store(first, [2, part(2)]);
  expect((await complete(first)).body).toMatchObject({ completed: true, stored: [1, 2, 3] });
  // Twice is once, also where its end was lost.
  expect((await complete(first)).body).toMatchObject({ completed: true });
  await db.update(uploads).set({ completedAt: null }).where(eq(uploads.id, first.id));
  expect((await complete(first)).body).toMatchObject({ completed: true });
  expect((await mine('POST', `/api/uploads/${first.id}/parts`, { numbers: [1] })).body.code).toBe(
    'upload_completed',
  );
  expect(await begin(file)).toMatchObject({ id: first.id, completed: true });
  expect((await register(first)).body).toMatchObject({ sha256: file.sha256, sizeBytes: content.length });
  expect((await mine('GET', `/api/uploads/${first.id}`)).status).toBe(404);
  expect((await mine('POST', '/api/uploads', file)).body.code).toBe('firmware_exists');
});

test('another file, or another caller, has an upload of its own; a stranger’s is not there', async () => {
  const file = announce();
  const upload = await begin(file);
  for (const different of [{ sha256: sha256Of('another') }, { sizeBytes: 5 }, { fileName: 'b.bin' }])
    expect((await begin({ ...file, ...different })).id).not.toBe(upload.id);
  expect((await other('POST', '/api/uploads', file)).body.id).not.toBe(upload.id);
  const path = `/api/uploads/${upload.id}`;
  const asked = [
    ['GET', path],
    ['POST', `${path}/parts`, { numbers: [1] }],
    ['POST', `${path}/complete`],
    ['DELETE', path],
  ] as const;
  for (const [method, at, body] of asked)
    expect([method, at, (await other(method, at, body)).status]).toEqual([method, at, 404]);
  await storeAll(upload);
  await complete(upload);
  expect((await register(upload, other)).body.code).toBe('object_missing');
  expect((await register(upload)).status).toBe(201);
});

test('numbers that the file has no part of are refused with what it has, and so is a file that is too large or empty', async () => {
  const { id } = await begin();
  const ask = async (numbers: unknown) => (await mine('POST', `/api/uploads/${id}/parts`, { numbers })).body;
  for (const numbers of [[0], [10_001], [-1], [1.5], [], ['1']])
    expect([numbers, (await ask(numbers)).code]).toEqual([numbers, 'invalid_request']);
  expect(await ask([1, 4])).toMatchObject({
    code: 'invalid_request',
    errors: [{ path: 'numbers.1', rule: 'too_big', values: { maximum: 3 } }],
  });
  for (const sizeBytes of [0, 256 * 1024 ** 2 + 1])
    expect((await mine('POST', '/api/uploads', announce({ sizeBytes }))).body.code).toBe('invalid_request');
});

test('while a part is missing, or has another size, it is not completed nor registered', async () => {
  const upload = await begin();
  await store(upload, [1, part(1)], [2, part(2).subarray(1)]);
  expect((await mine('GET', `/api/uploads/${upload.id}`)).body.stored).toEqual([1]);
  expect(await complete(upload)).toMatchObject({
    status: 409,
    body: { code: 'upload_incomplete', missing: [2, 3] },
  });
  expect((await register(upload)).body.code).toBe('object_missing');
  await storeAll(upload);
  expect((await complete(upload)).status).toBe(200);
});

test('other bytes than were announced are no firmware, and what came of them goes', async () => {
  const upload = await begin();
  await storeAll(upload);
  await store(upload, [2, randomBytes(partBytes)]);
  expect((await complete(upload)).status).toBe(200);
  expect((await register(upload)).body.code).toBe('upload_differs');
  expect(objects.has(upload.s3Path)).toBe(false);
  expect((await mine('GET', `/api/uploads/${upload.id}`)).status).toBe(404);
});

test('what is given up goes from the store, at once or after three days; the store’s own rule is met by beginning anew', async () => {
  const known = begun.size;
  const [aborted, old, done, lost] = [await begin(), await begin(), await begin(), await begin()];
  expect((await mine('DELETE', `/api/uploads/${aborted.id}`)).status).toBe(204);
  expect((await mine('DELETE', `/api/uploads/${aborted.id}`)).status).toBe(404);
  await storeAll(done);
  await complete(done);
  const age = sql`update uploads set created_at = now() - interval '73 hours' where id in (${old.id}, ${done.id})`;
  await db.execute(age);
  expect((await mine('GET', `/api/uploads/${old.id}`)).status).toBe(404);
  await createForgetUploads()({ db, objects: webhook.objects });
  expect(objects.has(done.s3Path)).toBe(false);
  const { version, fileName, sizeBytes, sha256 } = lost;
  expect(begun.size).toBe(known + 1);
  begun.clear();
  expect((await begin({ version, fileName, sizeBytes, sha256 })).id).not.toBe(lost.id);
});

test('one that is registered while it is given up is either, and never a firmware without its file', async () => {
  for (let n = 0; n < 5; n++) {
    const upload = await begin();
    await storeAll(upload);
    await complete(upload);
    await Promise.all([register(upload), mine('DELETE', `/api/uploads/${upload.id}`)]);
    const rows = await db.select().from(firmwares).where(eq(firmwares.s3Path, upload.s3Path));
    expect(objects.has(upload.s3Path)).toBe(rows.length === 1);
  }
});
