/** Uploads in parts. Each one that is begun is a folder with its parts in it, as objects by their number. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { S3Error } from './errors.ts';
import { type ObjectInfo, type Objects, openObjects, type PutOptions } from './objects.ts';

interface About {
  key: string;
  contentType: string;
}

export interface Part {
  number: number;
  info: ObjectInfo;
}

/** All but `begin` throw NoSuchUpload for one that is not there, or is of another key. */
export interface Uploads {
  begin(about: About): Promise<string>;
  putPart(
    upload: Upload,
    number: number,
    body: AsyncIterable<Buffer>,
    options: Pick<PutOptions, 'sizeBytes' | 'expected'>,
  ): Promise<ObjectInfo>;
  /** By number. */
  list(upload: Upload): Promise<Part[]>;
  /** Of these parts by their ETags; the others go. */
  complete(upload: Upload, parts: { number: number; etag: string }[], onlyNew: boolean): Promise<ObjectInfo>;
  abort(upload: Upload): Promise<void>;
}
export interface Upload {
  id: string;
  key: string;
}

/** S3's, of all parts but the last. */
const minPartBytes = 5 * 1024 ** 2;

export function openUploads(dir: string, objects: Objects): Uploads {
  const place = (id: string) => join(dir, 'uploads', id);

  async function find({ id, key }: Upload): Promise<{ about: About; parts: Objects }> {
    // So that no id names a folder elsewhere.
    const text = /^[0-9a-f]{32}$/.test(id)
      ? await readFile(join(place(id), 'about'), 'utf8').catch(nothing)
      : '';
    const about = text ? (JSON.parse(text) as About) : null;
    if (about?.key !== key)
      throw new S3Error(
        'NoSuchUpload',
        'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
      );
    return { about, parts: openObjects(place(id)) };
  }

  async function list(parts: Objects): Promise<Part[]> {
    const infos = await parts.list();
    return infos.map((info) => ({ number: Number(info.key), info })).sort((a, b) => a.number - b.number);
  }

  return {
    async begin(about) {
      const id = randomBytes(16).toString('hex');
      await mkdir(place(id), { recursive: true });
      await writeFile(join(place(id), 'about'), JSON.stringify(about));
      return id;
    },

    async putPart(upload, number, body, options) {
      const { about, parts } = await find(upload);
      const { contentType } = about;
      return parts.put(body, { ...options, key: String(number), contentType, onlyNew: false });
    },

    list: async (upload) => list((await find(upload)).parts),

    async complete(upload, named, onlyNew) {
      const { about, parts } = await find(upload);
      const there = await list(parts);
      const chosen = named.map(({ number, etag }) => {
        const part = there.find((one) => one.number === number);
        if (part?.info.md5 === etag) return part;
        throw new S3Error('InvalidPart', 'One or more of the specified parts could not be found.');
      });
      if (named.some(({ number }, i) => i > 0 && number <= named[i - 1]!.number))
        throw new S3Error('InvalidPartOrder', 'The list of parts was not in ascending order.');
      if (chosen.slice(0, -1).some(({ info }) => info.size < minPartBytes))
        throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
      const all = createHash('md5');
      for (const { info } of chosen) all.update(info.md5, 'hex');
      const info = await objects.put(readAll(parts, chosen), {
        ...about,
        sizeBytes: chosen.reduce((sum, { info }) => sum + info.size, 0),
        md5: `${all.digest('hex')}-${chosen.length}`,
        onlyNew,
        expected: {},
      });
      await rm(place(upload.id), { recursive: true, force: true });
      return info;
    },

    async abort(upload) {
      await find(upload);
      await rm(place(upload.id), { recursive: true, force: true });
    },
  };
}

async function* readAll(parts: Objects, chosen: Part[]): AsyncGenerator<Buffer> {
  for (const { info } of chosen) {
    const part = await parts.open(info.key);
    if (!part) throw new Error('a part went while it was read');
    try {
      if (info.size > 0) yield* part.read(0, info.size - 1);
    } finally {
      await part.close();
    }
  }
}

function nothing(error: NodeJS.ErrnoException): '' {
  if (error.code !== 'ENOENT') throw error;
  return '';
}
