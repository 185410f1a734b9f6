/** The form of a sealed object (firmware/ENCRYPTION.md): a header, then chunks that are encrypted and authenticated one by one. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { sealTo, tagBytes } from './hpke.ts';

/** What devices say that they can open (`seal` in what they run). */
export const sealForm = 'hpke-p256';
export const chunkBytes = 4096;
export const headerBytes = 20;
const sealedChunkBytes = chunkBytes + tagBytes;
const magic = Buffer.from('FLOTASE\x01', 'latin1');

export function sealedBytes(plainBytes: number): number {
  return headerBytes + plainBytes + Math.ceil(plainBytes / chunkBytes) * tagBytes;
}

export function headerOf(plainBytes: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt32BE(chunkBytes, 8);
  header.writeBigUInt64BE(BigInt(plainBytes), 12);
  return header;
}

/** The number of the chunk, and whether it is the last: no two chunks of an object share it, and no two objects a key. */
function nonceOf(index: number, plainBytes: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(index, 7);
  nonce[11] = (index + 1) * chunkBytes >= plainBytes ? 1 : 0;
  return nonce;
}

/** Pieces of `bytes`, and what is left at the end. */
async function* inPieces(source: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const piece of source) {
    held.push(piece);
    length += piece.length;
    if (length < bytes) continue;
    const all = Buffer.concat(held);
    let at = 0;
    for (; length - at >= bytes; at += bytes) yield all.subarray(at, at + bytes);
    held = [all.subarray(at)];
    length -= at;
  }
  if (length > 0) yield Buffer.concat(held);
}

export interface Sealing {
  /** Of this object alone. */
  key: Buffer;
  sizeBytes: number;
  /** Fails when the source has another size. */
  stream: Readable;
  /** SHA-256 of what was read, hex; once the stream has ended. */
  digest: () => string;
}

/** Seals an object under a new key, as it is read. */
export function seal(plain: AsyncIterable<Buffer>, plainBytes: number): Sealing {
  return sealUnder(randomBytes(32), plain, plainBytes);
}

/** For vectors. Everything else calls `seal`: a key that seals two objects gives both away. */
export function sealUnder(key: Buffer, plain: AsyncIterable<Buffer>, plainBytes: number): Sealing {
  const hash = createHash('sha256');
  const header = headerOf(plainBytes);
  async function* chunks() {
    yield header;
    let index = 0;
    let read = 0;
    for await (const chunk of inPieces(plain, chunkBytes)) {
      read += chunk.length;
      if (read > plainBytes) break;
      hash.update(chunk);
      const cipher = createCipheriv('aes-256-gcm', key, nonceOf(index++, plainBytes)).setAAD(header);
      yield Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
    }
    if (read !== plainBytes) throw new Error(`the object has ${read} bytes or more, not ${plainBytes}`);
  }
  return {
    key,
    sizeBytes: sealedBytes(plainBytes),
    stream: Readable.from(chunks(), { objectMode: false }),
    digest: () => hash.digest('hex'),
  };
}

/** What was sealed, chunk by chunk. Throws for anything that is not exactly this object. */
export async function* open(
  sealed: AsyncIterable<Buffer>,
  key: Buffer,
  plainBytes: number,
): AsyncGenerator<Buffer> {
  const header = headerOf(plainBytes);
  let head = Buffer.alloc(0);
  async function* body() {
    for await (const piece of sealed) {
      if (head.length === headerBytes) yield piece;
      else {
        const all = Buffer.concat([head, piece]);
        head = all.subarray(0, headerBytes);
        if (all.length > headerBytes) yield all.subarray(headerBytes);
      }
    }
  }
  let read = 0;
  let index = 0;
  for await (const piece of inPieces(body(), sealedChunkBytes)) {
    if (!head.equals(header) || piece.length <= tagBytes) throw new Error('not the sealed object');
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(index++, plainBytes), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(header).setAuthTag(piece.subarray(-tagBytes));
    const chunk = Buffer.concat([decipher.update(piece.subarray(0, -tagBytes)), decipher.final()]);
    read += chunk.length;
    yield chunk;
  }
  if (read !== plainBytes) throw new Error('not the whole sealed object');
}

/** The key of an object for one device, deployment and image: what a URL's fragment carries to it. */
export function wrapFor(
  device: Buffer,
  { key, deployment, sha256 }: { key: Buffer; deployment: string; sha256: string },
  ephemeral?: Parameters<typeof sealTo>[3],
): string {
  return `#seal1=${sealTo(device, wrapInfo(deployment, sha256), key, ephemeral).toString('base64url')}`;
}

export function wrapInfo(deployment: string, sha256: string): Buffer {
  return Buffer.concat([Buffer.from(`flota seal 1 ${deployment} `), Buffer.from(sha256, 'hex')]);
}
