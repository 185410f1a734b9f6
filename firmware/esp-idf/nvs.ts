/**
 * Images of ESP-IDF's NVS partition, byte for byte as its own `nvs_partition_gen.py` writes them (format version 2, not encrypted; "NVS
 * internals" in ESP-IDF's API reference). One process writes thousands of them, which that tool needs a process each for.
 */
import { crc32 } from 'node:zlib';

export class NvsError extends Error {
  override readonly name = 'NvsError';
  readonly code: 'nvs_value_invalid' | 'nvs_too_small';
  constructor(code: NvsError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** Texts are stored as strings, with their NUL; bytes as blobs. */
export type NvsEntries = Record<string, Record<string, string | Uint8Array>>;

const pageBytes = 4096;
const entryBytes = 32;
const entriesInPage = 126;
/** Of a page: header, two bits an entry, entries. */
const [bitmapAt, entriesAt] = [32, 64];
const state = { active: 0xfffffffe, full: 0xfffffffc };
const version2 = 0xfe;
const type = { u8: 0x01, string: 0x21, blobData: 0x42, blobIndex: 0x48 };
const noChunk = 0xff;
/** The tool fails on a text that fills a whole page. */
const maxStringBytes = 124 * entryBytes;
const maxKeyBytes = 15;

const crc = (bytes: Uint8Array) => crc32(bytes, 0xffffffff);

class Page {
  readonly bytes = Buffer.alloc(pageBytes, 0xff);
  used = 0;
  constructor(number: number) {
    this.bytes.writeUInt32LE(state.active, 0);
    this.bytes.writeUInt32LE(number, 4);
    this.bytes.writeUInt8(version2, 8);
    this.bytes.writeUInt32LE(crc(this.bytes.subarray(4, 28)), 28);
  }

  get free(): number {
    return entriesInPage - this.used;
  }

  close(): void {
    this.bytes.writeUInt32LE(state.full, 0);
  }

  /** An entry of its header, the 8 bytes in it, and the data that follow. */
  add(
    head: { namespace: number; type: number; chunk?: number; key: string },
    inHead: Buffer,
    data: Uint8Array = Buffer.alloc(0),
  ): void {
    const span = 1 + Math.ceil(data.length / entryBytes);
    const entry = Buffer.alloc(entryBytes, 0xff);
    entry.set([head.namespace, head.type, span, head.chunk ?? noChunk]);
    entry.fill(0, 8, 24).write(head.key, 8, 'latin1');
    inHead.copy(entry, 24);
    entry.writeUInt32LE(crc(Buffer.concat([entry.subarray(0, 4), entry.subarray(8)])), 4);
    const at = entriesAt + this.used * entryBytes;
    this.bytes.set(entry, at);
    this.bytes.set(data, at + entryBytes);
    for (let i = 0; i < span; i++, this.used++)
      this.bytes[bitmapAt + (this.used >> 2)]! &= ~(1 << (2 * (this.used & 3)));
  }
}

/** `bytes`: the partition's size. Throws NvsError. */
export function nvsImage(bytes: number, entries: NvsEntries): Buffer {
  // NVS keeps one page empty to move entries into.
  const most = bytes / pageBytes - 1;
  if (!Number.isInteger(most) || most < 2)
    throw new NvsError(
      'nvs_too_small',
      `an NVS partition has at least three whole pages of ${pageBytes} bytes`,
    );
  const pages = [new Page(0)];
  const turn = (): Page => {
    if (pages.length === most)
      throw new NvsError('nvs_too_small', `the entries do not fit into ${bytes} bytes`);
    pages.at(-1)!.close();
    pages.push(new Page(pages.length));
    return pages.at(-1)!;
  };
  const withRoom = (wanted: number) => (pages.at(-1)!.free >= wanted ? pages.at(-1)! : turn());
  const names = Object.keys(entries);
  for (const [i, name] of names.entries()) {
    const namespace = i + 1;
    withRoom(1).add({ namespace: 0, type: type.u8, key: checked(name) }, Buffer.from([namespace]));
    for (const [key, value] of Object.entries(entries[name]!)) {
      if (typeof value === 'string') addText(namespace, checked(key), value);
      else addBlob(namespace, checked(key), value);
    }
  }
  return Buffer.concat([
    ...pages.map((page) => page.bytes),
    Buffer.alloc(bytes - pages.length * pageBytes, 0xff),
  ]);

  function addText(namespace: number, key: string, text: string): void {
    const data = Buffer.from(`${text}\0`);
    if (text.includes('\0') || data.length > maxStringBytes)
      throw new NvsError(
        'nvs_value_invalid',
        `${key}: a text has no NUL and at most ${maxStringBytes - 1} bytes`,
      );
    // The tool leaves the last entry of a page empty rather than fill it with a text.
    withRoom(2 + Math.ceil(data.length / entryBytes)).add(
      { namespace, type: type.string, key },
      sizeAndCrc(data),
      data,
    );
  }

  /** In as many chunks as there are pages in its way, then their index. */
  function addBlob(namespace: number, key: string, blob: Uint8Array): void {
    let [rest, chunk, page] = [blob, 0, withRoom(1)];
    do {
      const data = rest.subarray(0, (page.free - 1) * entryBytes);
      rest = rest.subarray(data.length);
      page.add({ namespace, type: type.blobData, chunk: chunk++, key }, sizeAndCrc(data), data);
      if (rest.length > 0 || page.free === 0) page = turn();
    } while (rest.length > 0);
    const index = Buffer.alloc(8, 0xff);
    index.writeUInt32LE(blob.length, 0);
    index.set([chunk, 0], 4);
    page.add({ namespace, type: type.blobIndex, key }, index);
  }
}

function sizeAndCrc(data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(8, 0xff);
  bytes.writeUInt16LE(data.length, 0);
  bytes.writeUInt32LE(crc(data), 4);
  return bytes;
}

function checked(name: string): string {
  if (!/^[\x21-\x7e]+$/.test(name) || name.length > maxKeyBytes)
    throw new NvsError('nvs_value_invalid', `${name}: a name has 1 to ${maxKeyBytes} visible characters`);
  return name;
}
