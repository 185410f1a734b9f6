import fs from 'node:fs';
import { join } from 'node:path';
import type { Medium } from './port.ts';

/** Copying an image needs two files; a third would cost every idle device a descriptor. */
const openMax = 2;

/** A device's own directory. Writes are synchronous, so that between two calls of a device its disk and its memory agree. */
export class Disk implements Medium {
  readonly #dir: string;
  readonly #fsync: boolean;
  readonly #open = new Map<string, number>();

  /** `fsync` false leaves flushing to the operating system. */
  constructor(dir: string, fsync: boolean) {
    this.#dir = dir;
    this.#fsync = fsync;
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  read(name: string): Uint8Array | null {
    try {
      return fs.readFileSync(join(this.#dir, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  write(name: string, data: Uint8Array): void {
    const fd = fs.openSync(join(this.#dir, name), 'w', 0o600);
    try {
      writeWhole(fd, data, 0);
      if (this.#fsync) fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  rename(from: string, to: string): void {
    fs.renameSync(join(this.#dir, from), join(this.#dir, to));
    if (!this.#fsync) return;
    const fd = fs.openSync(this.#dir, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  remove(name: string): void {
    this.#close(name);
    try {
      fs.unlinkSync(join(this.#dir, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  size(name: string): number {
    return fs.statSync(join(this.#dir, name), { throwIfNoEntry: false })?.size ?? 0;
  }

  readAt(name: string, offset: number, target: Uint8Array): number {
    const fd = this.#descriptor(name);
    let read = 0;
    while (read < target.length) {
      const bytes = fs.readSync(fd, target, read, target.length - read, offset + read);
      if (bytes === 0) break;
      read += bytes;
    }
    return read;
  }

  writeAt(name: string, offset: number, data: Uint8Array): void {
    writeWhole(this.#descriptor(name), data, offset);
  }

  truncate(name: string, bytes: number): void {
    fs.ftruncateSync(this.#descriptor(name), bytes);
  }

  sync(name: string): void {
    if (this.#fsync) fs.fsyncSync(this.#descriptor(name));
  }

  close(): void {
    for (const name of [...this.#open.keys()]) this.#close(name);
  }

  #close(name: string): void {
    const fd = this.#open.get(name);
    if (fd === undefined) return;
    this.#open.delete(name);
    fs.closeSync(fd);
  }

  #descriptor(name: string): number {
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    if (this.#open.size >= openMax) this.#close(this.#open.keys().next().value!);
    const fd = fs.openSync(join(this.#dir, name), fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
    this.#open.set(name, fd);
    return fd;
  }
}

function writeWhole(fd: number, data: Uint8Array, offset: number): void {
  for (let written = 0; written < data.length; )
    written += fs.writeSync(fd, data, written, data.length - written, offset + written);
}
