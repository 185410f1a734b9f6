import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { S3Error } from './errors.ts';

export interface ObjectInfo {
  key: string;
  size: number;
  /** MD5 of the content, hex, without quotes. */
  md5: string;
  contentType: string;
  /** Base64, when the uploader gave it. */
  checksumSha256?: string;
  /** RFC 3339 */
  modifiedAt: string;
}

export interface PutOptions {
  key: string;
  sizeBytes: number;
  contentType: string;
  /** Refuse when the key is taken. */
  onlyNew: boolean;
  /** Of what was put together from parts, whose ETag is not that of the content. */
  md5?: string;
  /** What the body must hash to. */
  expected: { sha256Base64?: string; sha256Hex?: string; md5Base64?: string };
}

export interface OpenObject {
  info: ObjectInfo;
  /** Bytes `start` to `end`, both counted in. Closes the file when it ends or is destroyed. */
  read(start: number, end: number): Readable;
  close(): Promise<void>;
}

export interface Objects {
  put(body: AsyncIterable<Buffer>, options: PutOptions): Promise<ObjectInfo>;
  /** Undefined when there is no such key. */
  open(key: string): Promise<OpenObject | undefined>;
  has(key: string): Promise<boolean>;
  remove(key: string): Promise<void>;
  list(): Promise<ObjectInfo[]>;
  /** Removes what uploads left behind that were cut off by a crash. */
  sweep(): Promise<void>;
}

/** An object is one file: its description in the first 4 KiB (JSON, padded), then the content. So it appears in one step. */
const headerBytes = 4096;

/** A key is only ever hashed, so that no key can name a file outside `dir`. */
export function openObjects(dir: string): Objects {
  const temporary = join(dir, 'tmp');
  const place = (key: string) => {
    const name = createHash('sha256').update(key).digest('hex');
    return join(dir, 'objects', name.slice(0, 2), name);
  };

  async function openFile(path: string): Promise<OpenObject | undefined> {
    const file = await openOrUndefined(path);
    if (!file) return undefined;
    try {
      const header = Buffer.alloc(headerBytes);
      const { bytesRead } = await file.read(header, 0, headerBytes, 0);
      if (bytesRead < headerBytes) throw new Error('an object file is cut off');
      const info = JSON.parse(header.toString('utf8')) as ObjectInfo;
      return {
        info,
        read: (start, end) => file.createReadStream({ start: headerBytes + start, end: headerBytes + end }),
        close: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  return {
    open: (key) => openFile(place(key)),

    async has(key) {
      const file = await openOrUndefined(place(key));
      await file?.close();
      return file !== undefined;
    },

    async put(body, options) {
      await mkdir(temporary, { recursive: true });
      const draft = join(temporary, randomBytes(12).toString('hex'));
      const file = await open(draft, 'wx');
      try {
        const info = await receive(file, body, options);
        await file.sync();
        await publish(draft, place(options.key), options.onlyNew);
        return info;
      } finally {
        await file.close();
        await rm(draft, { force: true });
      }
    },

    async remove(key) {
      await unlink(place(key)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    },

    async list() {
      const infos: ObjectInfo[] = [];
      const found = await readdir(join(dir, 'objects'), { recursive: true, withFileTypes: true }).catch(none);
      for (const entry of found) {
        if (!entry.isFile()) continue;
        const object = await openFile(join(entry.parentPath, entry.name));
        await object?.close();
        if (object) infos.push(object.info);
      }
      return infos;
    },

    async sweep() {
      await mkdir(join(dir, 'objects'), { recursive: true });
      await mkdir(temporary, { recursive: true });
      for (const name of await readdir(temporary)) await rm(join(temporary, name), { force: true });
    },
  };
}

async function receive(
  file: FileHandle,
  body: AsyncIterable<Buffer>,
  options: PutOptions,
): Promise<ObjectInfo> {
  const { expected, sizeBytes } = options;
  const md5 = createHash('md5');
  const sha256 = expected.sha256Base64 || expected.sha256Hex ? createHash('sha256') : undefined;
  let size = 0;
  // One chunk at a time: the next is not read from the socket before this one is on its way to the disk.
  for await (const chunk of body) {
    await file.write(chunk, 0, chunk.length, headerBytes + size);
    md5.update(chunk);
    sha256?.update(chunk);
    size += chunk.length;
  }
  if (size !== sizeBytes) {
    throw new S3Error(
      'IncompleteBody',
      'You did not provide the number of bytes specified by the Content-Length HTTP header',
    );
  }
  const digest = sha256?.digest();
  const md5Digest = md5.digest();
  if (expected.sha256Hex !== undefined && digest?.toString('hex') !== expected.sha256Hex) {
    throw new S3Error(
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
  const sums = expected.sha256Base64 !== undefined && digest?.toString('base64') !== expected.sha256Base64;
  if (sums || (expected.md5Base64 !== undefined && md5Digest.toString('base64') !== expected.md5Base64)) {
    throw new S3Error('BadDigest', 'The checksum you specified did not match what we received.');
  }
  const info: ObjectInfo = {
    key: options.key,
    size,
    md5: options.md5 ?? md5Digest.toString('hex'),
    contentType: options.contentType,
    ...(expected.sha256Base64 === undefined ? {} : { checksumSha256: expected.sha256Base64 }),
    modifiedAt: new Date().toISOString(),
  };
  await file.write(toHeader(info), 0, headerBytes, 0);
  return info;
}

function toHeader(info: ObjectInfo): Buffer {
  const header = Buffer.alloc(headerBytes, ' ');
  // Escaped control characters could make a legal key longer than the header.
  if (Buffer.byteLength(JSON.stringify(info)) > headerBytes)
    throw new S3Error('KeyTooLongError', 'Your key is too long');
  header.write(JSON.stringify(info));
  return header;
}

async function publish(draft: string, path: string, onlyNew: boolean): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if (!onlyNew) return rename(draft, path).then(() => syncDirectory(dirname(path)));
  try {
    // Unlike rename(), link() leaves an existing name alone, also when two uploads end at the same moment.
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw alreadyThere();
  }
  await syncDirectory(dirname(path));
}

export function alreadyThere(): S3Error {
  const details = { Condition: 'If-None-Match' };
  return new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    details,
  });
}

function none(error: NodeJS.ErrnoException): [] {
  if (error.code !== 'ENOENT') throw error;
  return [];
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}

async function openOrUndefined(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
