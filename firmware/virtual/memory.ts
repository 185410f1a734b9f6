import type { Medium } from './port.ts';

const pageBytes = 4096;
/** So many different pages are known of each place: images of a fleet are few. */
const knownMax = 8;

/** Pages by their place in a file, the newest first: whoever writes one that is known holds that one. */
const known = new Map<number, Buffer[]>();
const zeros = Buffer.alloc(pageBytes);

interface File {
  /** Never changed, for others may hold them too. The last one is as long as its bytes. */
  pages: Buffer[];
  bytes: number;
}

/**
 * A device's storage in memory: it lasts as long as this object, and survives every power cut of the device. What the devices of a process
 * have in common, which is their images, is there once.
 */
export class Memory implements Medium {
  readonly #files = new Map<string, File>();

  read(name: string): Uint8Array | null {
    const file = this.#files.get(name);
    return file ? new Uint8Array(Buffer.concat(file.pages)) : null;
  }

  write(name: string, data: Uint8Array): void {
    this.truncate(name, 0);
    this.writeAt(name, 0, data);
  }

  rename(from: string, to: string): void {
    const file = this.#files.get(from);
    if (!file) throw Object.assign(new Error(`no file ${from}`), { code: 'ENOENT' });
    this.#files.delete(from);
    this.#files.set(to, file);
  }

  remove(name: string): void {
    this.#files.delete(name);
  }

  size(name: string): number {
    return this.#files.get(name)?.bytes ?? 0;
  }

  readAt(name: string, offset: number, target: Uint8Array): number {
    const file = this.#files.get(name);
    const bytes = Math.max(0, Math.min(target.length, (file?.bytes ?? 0) - offset));
    for (let done = 0; done < bytes; ) {
      const at = (offset + done) % pageBytes;
      const page = file!.pages[Math.floor((offset + done) / pageBytes)]!;
      const part = page.subarray(at, at + bytes - done);
      target.set(part, done);
      done += part.length;
    }
    return bytes;
  }

  writeAt(name: string, offset: number, data: Uint8Array): void {
    if (this.size(name) < offset) this.truncate(name, offset);
    const file = this.#file(name);
    for (let done = 0; done < data.length; ) {
      const index = Math.floor((offset + done) / pageBytes);
      const at = (offset + done) % pageBytes;
      const part = data.subarray(done, done + pageBytes - at);
      file.pages[index] = place(index, at, part, file.pages[index]);
      done += part.length;
    }
    file.bytes = Math.max(file.bytes, offset + data.length);
  }

  truncate(name: string, bytes: number): void {
    const file = this.#file(name);
    const count = Math.ceil(bytes / pageBytes);
    const last = bytes - (count - 1) * pageBytes;
    // What was the last page may be one in the middle.
    for (let i = Math.max(0, Math.min(file.pages.length, count) - 1); i < count; i++) {
      const page = file.pages[i] ?? zeros.subarray(0, 0);
      const length = i === count - 1 ? last : pageBytes;
      if (page.length === length) continue;
      file.pages[i] =
        page.length === 0 ? zeros.subarray(0, length) : Buffer.concat([page.subarray(0, length)], length);
    }
    file.pages.length = count;
    file.bytes = bytes;
  }

  sync(_name: string): void {}

  close(): void {}

  #file(name: string): File {
    let file = this.#files.get(name);
    if (!file) {
      file = { pages: [], bytes: 0 };
      this.#files.set(name, file);
    }
    return file;
  }
}

/** The page with `part` at that place in it. */
function place(index: number, at: number, part: Uint8Array, before: Buffer = zeros.subarray(0, 0)): Buffer {
  if (part.length === pageBytes) return share(index, part);
  const page = Buffer.allocUnsafeSlow(Math.max(before.length, at + part.length));
  page.set(before);
  page.set(part, at);
  return page.length === pageBytes && at + part.length === pageBytes ? share(index, page) : page;
}

function share(index: number, bytes: Uint8Array): Buffer {
  const pages = known.get(index) ?? [];
  const same = pages.find((page) => page.equals(bytes));
  if (same) return same;
  const page = Buffer.concat([bytes], pageBytes);
  known.set(index, [page, ...pages].slice(0, knownMax));
  return page;
}
