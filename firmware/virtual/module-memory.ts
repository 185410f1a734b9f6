import { failed } from './agent-port.ts';

/** The linear memory of the module: turns addresses into bytes and texts, and back. */
export class ModuleMemory {
  of!: WebAssembly.Memory;
  #bytes = Buffer.alloc(0);

  /** All of it; growing leaves earlier views behind. */
  get bytes(): Buffer {
    if (this.#bytes.length === 0) this.#bytes = Buffer.from(this.of.buffer);
    return this.#bytes;
  }

  view(address: number, bytes: number): Buffer {
    return this.bytes.subarray(address >>> 0, (address >>> 0) + bytes);
  }

  /** Up to its NUL. */
  text(address: number): string {
    const start = address >>> 0;
    return this.bytes.toString('utf8', start, this.bytes.indexOf(0, start));
  }

  /** With a NUL behind it; bytes without that, or an error when it does not fit. */
  put(text: string, address: number, capacity: number): number {
    const bytes = Buffer.byteLength(text);
    if (bytes >= capacity) return failed.space;
    this.bytes.write(text, address >>> 0);
    this.bytes[(address >>> 0) + bytes] = 0;
    return bytes;
  }
}
