import type { Medium } from './port.ts';

/** Thrown by every use of the flash of a life that has lost its power: whoever sees it just stops. */
export class PowerLost extends Error {
  constructor() {
    super('power lost');
    this.name = 'PowerLost';
  }
}

/** An error of the storage itself, as file systems raise it; everything else that is thrown is a fault of the program. */
export function isStorageFailure(error: unknown): boolean {
  return !(error instanceof PowerLost) && (error as NodeJS.ErrnoException)?.code !== undefined;
}

/**
 * A device's storage with a power switch: after `cut()` nothing reaches the medium any more. Every change is announced just before it
 * happens, so that a test can cut the power there; a write at an offset that the power cuts leaves half of its bytes.
 */
export class Flash {
  readonly #medium: Medium;
  readonly #onWrite: ((what: string) => void) | undefined;
  #powered = true;

  constructor(medium: Medium, onWrite?: (what: string) => void) {
    this.#medium = medium;
    this.#onWrite = onWrite;
  }

  cut(): void {
    this.#powered = false;
  }

  read(name: string): Uint8Array | null {
    return this.#powering().read(name);
  }

  /** The old content or the new one, whole, whenever the power goes. */
  replace(name: string, data: Uint8Array): void {
    const temporary = `${name}.tmp`;
    this.#announce(`write ${name}`);
    this.#powering().write(temporary, data);
    this.#announce(`rename ${name}`);
    this.#powering().rename(temporary, name);
  }

  remove(name: string): void {
    this.#announce(`remove ${name}`);
    this.#powering().remove(name);
  }

  size(name: string): number {
    return this.#powering().size(name);
  }

  /** Fills `target`, or throws. */
  readAt(name: string, offset: number, target: Uint8Array): void {
    if (this.#powering().readAt(name, offset, target) !== target.length)
      throw Object.assign(new Error(`${name} ends too early`), { code: 'EIO' });
  }

  writeAt(name: string, offset: number, data: Uint8Array): void {
    const medium = this.#powering();
    this.#announce(`data ${name}`);
    medium.writeAt(name, offset, this.#powered ? data : data.subarray(0, data.length >> 1));
    this.#powering();
  }

  truncate(name: string, bytes: number): void {
    this.#announce(`truncate ${name}`);
    this.#powering().truncate(name, bytes);
  }

  sync(name: string): void {
    this.#powering().sync(name);
  }

  readText(name: string): string | null {
    const data = this.read(name);
    return data && Buffer.from(data.buffer, data.byteOffset, data.length).toString();
  }

  replaceText(name: string, text: string): void {
    this.replace(name, Buffer.from(text));
  }

  #announce(what: string): void {
    if (this.#powered) this.#onWrite?.(what);
  }

  #powering(): Medium {
    if (!this.#powered) throw new PowerLost();
    return this.#medium;
  }
}
