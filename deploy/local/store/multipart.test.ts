/** Uploads in parts, by the AWS SDK. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { type Store, startStore } from './store.ts';

const dir = mkdtempSync(join(tmpdir(), 'flota-multipart-'));
const credentials = { accessKeyId: 'test-key', secretAccessKey: 'test-secret' };
const Bucket = 'firmware';
let store: Store;
let s3: S3Client;

beforeAll(async () => {
  const authority = await openAuthority({ dir: join(dir, 'ca') });
  const asked = { profile: 'broker', commonName: 'store', names: ['localhost'] } as const;
  const pair = await issueKeyPair(authority, { ...asked, names: [...asked.names] });
  store = await startStore({
    ...{ host: '127.0.0.1', dir: join(dir, 'data'), httpPort: 0, httpsPort: 0, bucket: Bucket },
    tls: { key: pair.key, cert: pair.certificate + pair.chain },
    ...credentials,
    region: 'eu-west-1',
    corsOrigins: [],
  });
  s3 = new S3Client({
    ...{ endpoint: `http://127.0.0.1:${store.httpPort}`, region: 'eu-west-1', credentials },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    maxAttempts: 1,
  });
});
afterAll(async () => {
  s3.destroy();
  await store.close();
  rmSync(dir, { recursive: true });
});

const minBytes = 5 * 1024 ** 2;
const parts = [randomBytes(minBytes), randomBytes(minBytes), randomBytes(1000)];
const md5 = (...of: (Buffer | string)[]) =>
  of.reduce((hash, one) => hash.update(one), createHash('md5')).digest();
const begin = async (Key: string) => {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  return { Bucket, Key, UploadId: UploadId! };
};
type Of = Awaited<ReturnType<typeof begin>>;
const put = async (of: Of, PartNumber: number, Body: Buffer | string) => {
  const { ETag } = await s3.send(new UploadPartCommand({ ...of, PartNumber, Body }));
  return { PartNumber, ETag };
};
const complete = (of: Of, Parts: { PartNumber: number; ETag?: string | undefined }[], IfNoneMatch?: string) =>
  s3.send(
    new CompleteMultipartUploadCommand({
      ...of,
      MultipartUpload: { Parts },
      ...(IfNoneMatch && { IfNoneMatch }),
    }),
  );
const numbers = async (of: Of) =>
  (await s3.send(new ListPartsCommand(of))).Parts?.map(({ PartNumber }) => PartNumber) ?? [];

test('parts in any order, one of them twice, become one object with the ETag that S3 gives it', async () => {
  const of = await begin('a/b');
  await put(of, 2, 'another');
  const sent = [];
  for (const n of [3, 2, 1]) sent.unshift(await put(of, n, parts[n - 1]!));
  const listed = (await s3.send(new ListPartsCommand(of))).Parts!;
  expect(listed.map((one) => [one.PartNumber, one.Size])).toEqual(parts.map((p, i) => [i + 1, p.length]));
  await expect(s3.send(new HeadObjectCommand({ Bucket, Key: 'a/b' }))).rejects.toMatchObject({
    name: 'NotFound',
  });
  const { ETag } = await complete(of, sent);
  expect(ETag).toBe(`"${md5(...parts.map((one) => md5(one))).toString('hex')}-3"`);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'a/b' }));
  expect(md5(Buffer.from(await Body!.transformToByteArray()))).toEqual(md5(...parts));
  // Its parts are gone with it.
  expect(readdirSync(join(dir, 'data/uploads'))).toEqual([]);
  await expect(complete(of, sent)).rejects.toMatchObject({ name: 'NoSuchUpload' });
});

test('one that is aborted is gone; another key does not find it, nor does a folder’s name', async () => {
  const of = await begin('x');
  await put(of, 1, 'part');
  for (const other of [{ Key: 'y' }, { UploadId: '../objects' }, { UploadId: '0'.repeat(32) }])
    await expect(put({ ...of, ...other }, 1, 'part')).rejects.toMatchObject({ name: 'NoSuchUpload' });
  await s3.send(new AbortMultipartUploadCommand(of));
  await expect(numbers(of)).rejects.toMatchObject({ name: 'NoSuchUpload' });
  await expect(s3.send(new AbortMultipartUploadCommand(of))).rejects.toMatchObject({ name: 'NoSuchUpload' });
});

test('what S3 refuses is refused: numbers, small parts, other ETags, an order, a list of nothing, a key that is taken', async () => {
  const of = await begin('z');
  for (const n of [0, 10_001])
    await expect(put(of, n, 'x')).rejects.toMatchObject({ name: 'InvalidArgument' });
  const [small, last] = [await put(of, 1, 'small'), await put(of, 10_000, 'last')];
  const cases: [Parameters<typeof complete>[1], string][] = [
    [[small, last], 'EntityTooSmall'],
    [[last, small], 'InvalidPartOrder'],
    [[small, { PartNumber: 2, ETag: small.ETag }], 'InvalidPart'],
    [[{ PartNumber: 1, ETag: last.ETag }], 'InvalidPart'],
    [[], 'MalformedXML'],
  ];
  for (const [sent, name] of cases) await expect(complete(of, sent)).rejects.toMatchObject({ name });
  await s3.send(new PutObjectCommand({ Bucket, Key: 'z', Body: 'first' }));
  await expect(complete(of, [small], '*')).rejects.toMatchObject({ name: 'PreconditionFailed' });
  // What was refused has changed nothing.
  expect(await numbers(of)).toEqual([1, 10_000]);
  await complete(of, [small]);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'z' }));
  expect(await Body!.transformToString()).toBe('small');
});

test('a presigned part takes its number of bytes, and no other', async () => {
  const of = await begin('signed');
  const url = await getSignedUrl(s3, new UploadPartCommand({ ...of, PartNumber: 1, ContentLength: 4 }));
  expect(url).toContain('X-Amz-SignedHeaders=content-length%3Bhost');
  const sendTo = async (address: string, body: string) =>
    (await fetch(address, { method: 'PUT', body })).status;
  expect(await sendTo(url, 'five5')).toBe(403);
  expect(await sendTo(url.replace('partNumber=1', 'partNumber=2'), 'four')).toBe(403);
  expect(await numbers(of)).toEqual([]);
  expect(await sendTo(url, 'four')).toBe(200);
  expect(await numbers(of)).toEqual([1]);
});
