/** For tests and benchmarks: a file store in memory. Its addresses lead nowhere. */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { AppError } from './errors.ts';
import type { ObjectStore } from './firmware/objects.ts';

export interface MemoryStore extends ObjectStore {
  objects: Map<string, Buffer>;
  /** Parts of uploads that are under way, by the store's name of each. */
  begun: Map<string, Map<number, Buffer>>;
}

export function createMemoryStore(): MemoryStore {
  const objects = new Map<string, Buffer>();
  const begun = new Map<string, Map<number, Buffer>>();
  const presigned = (key: string) => ({
    url: `https://store.test/${encodeURI(key)}?signature=${randomUUID()}`,
    expiresAt: new Date(Date.now() + 3600_000),
  });
  return {
    objects,
    browserOrigin: 'https://store.test',
    begun,
    parts: {
      async begin() {
        const id = randomUUID();
        begun.set(id, new Map());
        return id;
      },
      presign: async ({ key, uploadId }, number) =>
        `${presigned(key).url}&uploadId=${uploadId}&partNumber=${number}`,
      async list({ uploadId }) {
        const parts = begun.get(uploadId);
        if (!parts) return null;
        return [...parts].map(([number, { length }]) => ({ number, sizeBytes: length, etag: '"x"' }));
      },
      async complete({ key, uploadId }) {
        const parts = begun.get(uploadId);
        if (!parts) return;
        const inOrder = [...parts].sort(([a], [b]) => a - b);
        objects.set(key, Buffer.concat(inOrder.map(([, part]) => part)));
        begun.delete(uploadId);
      },
      abort: async ({ uploadId }) => void begun.delete(uploadId),
    },
    presignUpload: async (key) => ({ ...presigned(key), headers: { 'if-none-match': '*' } }),
    presignDownload: async (key) => presigned(key),
    presignForDevice: async (key) => presigned(key),
    async open(key) {
      const object = objects.get(key);
      if (!object) throw new AppError('object_missing', 'no such object');
      return { stream: Readable.from([object]), sizeBytes: object.length };
    },
    put: async (key, content) => void objects.set(key, Buffer.from(content)),
    putStream: async (key, content) => void objects.set(key, await buffer(content)),
    delete: async (key) => void objects.delete(key),
    ping: async () => {},
    close() {},
  };
}
