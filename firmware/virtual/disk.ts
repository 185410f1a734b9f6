import fs from 'node:fs';
import { join } from 'node:path';

/** Thrown by every disk operation of a life that has lost its power: whoever sees it just stops. */
export class PowerLost extends Error {
  constructor() {
    super('power lost');
    this.name = 'PowerLost';
  }
}

/** One for all the devices of a process. */
const block = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * What a device keeps when the power goes. Writes are synchronous, so that between two awaits a device's disk and memory
 * agree; after `cut()` nothing reaches the disk any more.
 */
export class Disk {
  readonly dir: string;
  readonly #fsync: boolean;
  readonly #onWrite: ((what: string) => void) | undefined;
  readonly #open = new Set<DiskFile>();
  #powered = true;

  constructor(dir: string, options: { fsync: boolean; onWrite?: (what: string) => void }) {
    this.dir = dir;
    this.#fsync = options.fsync;
    this.#onWrite = options.onWrite;
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  get powered(): boolean {
    return this.#powered;
  }

  cut(): void {
    this.#powered = false;
    // Later: a write that is just happening still gets to tear.
    setImmediate(() => {
      for (const file of this.#open) file.close();
    });
  }

  /** A write is about to happen: the power may go just now. */
  announce(what: string): void {
    if (this.#powered) this.#onWrite?.(what);
  }

  demandPower(): void {
    if (!this.#powered) throw new PowerLost();
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  readText(name: string): string | null {
    try {
      return fs.readFileSync(this.path(name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** The old text or the new one, whole, whenever the power goes. */
  replaceText(name: string, text: string): void {
    this.announce(`write ${name}`);
    this.demandPower();
    const temporary = this.path(`${name}.tmp`);
    const fd = fs.openSync(temporary, 'w', 0o600);
    try {
      fs.writeFileSync(fd, text);
      if (this.#fsync) fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    this.announce(`rename ${name}`);
    this.demandPower();
    fs.renameSync(temporary, this.path(name));
    this.#syncDirectory();
  }

  remove(name: string): void {
    this.announce(`remove ${name}`);
    this.demandPower();
    fs.rmSync(this.path(name), { force: true });
  }

  /** Bytes in a file, 0 when there is none. */
  size(name: string): number {
    return fs.statSync(this.path(name), { throwIfNoEntry: false })?.size ?? 0;
  }

  /** For writing at offsets; created when absent, never truncated by opening. */
  open(name: string): DiskFile {
    this.demandPower();
    const fd = fs.openSync(this.path(name), fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
    const file = new DiskFile(this, name, fd, this.#fsync, () => this.#open.delete(file));
    this.#open.add(file);
    return file;
  }

  /**
   * Reads the first `bytes` of a file block by block, until `take` answers false. A block is good until `take` returns; others run
   * in between.
   */
  async eachBlock(name: string, bytes: number, take: (block: Buffer) => boolean): Promise<void> {
    const fd = fs.openSync(this.path(name), 'r');
    try {
      for (let offset = 0; offset < bytes; ) {
        this.demandPower();
        const read = fs.readSync(fd, block, 0, Math.min(block.length, bytes - offset), offset);
        if (read === 0 || !take(block.subarray(0, read))) return;
        offset += read;
        await new Promise(setImmediate);
      }
    } finally {
      fs.closeSync(fd);
    }
  }

  #syncDirectory(): void {
    if (!this.#fsync) return;
    const fd = fs.openSync(this.dir, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }
}

export class DiskFile {
  readonly #disk: Disk;
  readonly #name: string;
  readonly #fsync: boolean;
  readonly #onClose: () => void;
  #fd: number | null;

  constructor(disk: Disk, name: string, fd: number, fsync: boolean, onClose: () => void) {
    this.#disk = disk;
    this.#name = name;
    this.#fd = fd;
    this.#fsync = fsync;
    this.#onClose = onClose;
  }

  writeAt(offset: number, data: Uint8Array): void {
    this.#disk.demandPower();
    this.#disk.announce(`data ${this.#name}`);
    // When the power goes during a write, flash keeps a torn block.
    const length = this.#disk.powered ? data.length : data.length >> 1;
    fs.writeSync(this.#descriptor(), data, 0, length, offset);
    this.#disk.demandPower();
  }

  truncate(bytes: number): void {
    this.#disk.announce(`truncate ${this.#name}`);
    this.#disk.demandPower();
    fs.ftruncateSync(this.#descriptor(), bytes);
  }

  sync(): void {
    this.#disk.demandPower();
    if (this.#fsync) fs.fsyncSync(this.#descriptor());
  }

  close(): void {
    if (this.#fd === null) return;
    fs.closeSync(this.#fd);
    this.#fd = null;
    this.#onClose();
  }

  #descriptor(): number {
    if (this.#fd === null) throw new PowerLost();
    return this.#fd;
  }
}
