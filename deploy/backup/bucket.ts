/** The objects of a bucket as files: images and CRLs, whose keys are their paths. */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import type { Places } from './config.ts';
import { BackupError } from './tools.ts';

type Bucket = NonNullable<Places['bucket']>;

function open({ endpoint, region }: Bucket): S3Client {
  return new S3Client({
    region,
    ...(endpoint && { endpoint, forcePathStyle: true }),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

async function withBucket<T>(bucket: Bucket, work: (client: S3Client) => Promise<T>): Promise<T> {
  const client = open(bucket);
  try {
    return await work(client);
  } catch (cause) {
    if (cause instanceof BackupError) throw cause;
    throw new BackupError(`the bucket ${bucket.name} cannot be copied: ${reasonOf(cause)}`, { cause });
  } finally {
    client.destroy();
  }
}

/** The store's own code; of the network and of this machine's disk, their words. */
function reasonOf(error: unknown): string {
  const { name, message, code, $metadata } = error as Error & {
    code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  return $metadata?.httpStatusCode === undefined ? message || code || name : name;
}

/** Null when it is empty, else one of its keys. */
export function findInBucket(bucket: Bucket): Promise<string | null> {
  return withBucket(bucket, async (client) => {
    for await (const page of paginateListObjectsV2({ client, pageSize: 1 }, { Bucket: bucket.name })) {
      const key = page.Contents?.[0]?.Key;
      return key === undefined ? null : `the bucket ${bucket.name} has ${key}`;
    }
    return null;
  });
}

/** Those that are deleted while it goes on (uploads that were given up, patches that nobody needs any more) are named to `left`. */
export function fetchObjects(bucket: Bucket, dir: string, left: (key: string) => void): Promise<void> {
  return withBucket(bucket, async (client) => {
    for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket.name })) {
      for (const { Key } of page.Contents ?? []) {
        const path = resolve(dir, Key!);
        if (!path.startsWith(dir + sep))
          throw new BackupError(`the bucket has an object that is no path: ${Key}`);
        const object = await client
          .send(new GetObjectCommand({ Bucket: bucket.name, Key }))
          .catch((error: { $metadata?: { httpStatusCode?: number } }) => {
            if (error.$metadata?.httpStatusCode !== 404) throw error;
            return null;
          });
        if (!object) {
          left(Key!);
          continue;
        }
        const { Body } = object;
        await mkdir(dirname(path), { recursive: true });
        await pipeline(Body as Readable, createWriteStream(path, { mode: 0o600 }));
      }
    }
  });
}

export function putObjects(bucket: Bucket, dir: string): Promise<void> {
  return withBucket(bucket, async (client) => {
    for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const command = new PutObjectCommand({
        Bucket: bucket.name,
        Key: relative(dir, path).split(sep).join('/'),
        Body: createReadStream(path),
        ContentLength: (await stat(path)).size,
        ContentType: path.endsWith('.pem') ? 'application/x-pem-file' : 'application/octet-stream',
      });
      await client.send(command);
    }
  });
}
