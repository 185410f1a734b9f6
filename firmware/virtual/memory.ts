import type { Medium } from './port.ts';

interface File {
  data: Uint8Array;
  bytes: number;
}

/** A device's storage in memory: it lasts as long as this object, and survives every power cut of the device. */
export class Memory implements Medium {
  readonly #files = new Map<string, File>();

  read(name: string): Uint8Array | null {
    const file = this.#files.get(name);
    return file ? new Uint8Array(file.data.subarray(0, file.bytes)) : null;
  }

  write(name: string, data: Uint8Array): void {
    this.#files.set(name, { data: new Uint8Array(data), bytes: data.length });
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
    if (!file || offset >= file.bytes) return 0;
    const part = file.data.subarray(offset, Math.min(file.bytes, offset + target.length));
    target.set(part);
    return part.length;
  }

  writeAt(name: string, offset: number, data: Uint8Array): void {
    const file = this.#grown(name, offset + data.length);
    file.data.set(data, offset);
    file.bytes = Math.max(file.bytes, offset + data.length);
  }

  truncate(name: string, bytes: number): void {
    const file = this.#grown(name, bytes);
    file.data.fill(0, Math.min(bytes, file.bytes), file.bytes);
    file.bytes = bytes;
  }

  sync(_name: string): void {}

  close(): void {}

  #grown(name: string, bytes: number): File {
    let file = this.#files.get(name);
    if (!file) {
      file = { data: new Uint8Array(bytes), bytes: 0 };
      this.#files.set(name, file);
    }
    if (file.data.length < bytes) {
      const data = new Uint8Array(Math.max(bytes, file.data.length * 2));
      data.set(file.data.subarray(0, file.bytes));
      file.data = data;
    }
    return file;
  }
}
