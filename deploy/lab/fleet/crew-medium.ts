import { Disk } from '#firmware/virtual/disk.ts';
import { Memory } from '#firmware/virtual/memory.ts';
import type { Medium } from '#firmware/virtual/port.ts';

/**
 * The storage of a device of a fleet: images on disk, for they are large, and everything else in memory, for it changes often. It outlives
 * every life of the device, but not the process; the identity that enrolment has left on disk is taken along.
 */
export class CrewMedium implements Medium {
  readonly #images: Disk;
  readonly #rest = new Memory();

  constructor(dir: string) {
    this.#images = new Disk(dir, false);
    const identity = this.#images.read('identity.json');
    if (identity) this.#rest.write('identity.json', identity);
  }

  read(name: string): Uint8Array | null {
    return this.#of(name).read(name);
  }

  write(name: string, data: Uint8Array): void {
    this.#of(name).write(name, data);
  }

  rename(from: string, to: string): void {
    this.#of(to).rename(from, to);
  }

  remove(name: string): void {
    this.#of(name).remove(name);
  }

  size(name: string): number {
    return this.#of(name).size(name);
  }

  readAt(name: string, offset: number, target: Uint8Array): number {
    return this.#of(name).readAt(name, offset, target);
  }

  writeAt(name: string, offset: number, data: Uint8Array): void {
    this.#of(name).writeAt(name, offset, data);
  }

  truncate(name: string, bytes: number): void {
    this.#of(name).truncate(name, bytes);
  }

  sync(name: string): void {
    this.#of(name).sync(name);
  }

  close(): void {
    this.#images.close();
  }

  #of(name: string): Medium {
    return name.endsWith('.img') ? this.#images : this.#rest;
  }
}
