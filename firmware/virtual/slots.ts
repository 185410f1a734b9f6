import { createHash } from 'node:crypto';
import type { DeviceError, Manifest, Running, StatusHealth } from '#emqx/protocol.ts';
import { type Disk, PowerLost } from './disk.ts';
import { buildImage, parseImageHeader } from './image.ts';

export const stagingFile = 'staging.img';
const recordFile = 'boot.json';

type Slot = 'a' | 'b';
export type BootReason = NonNullable<StatusHealth['boot']>['reason'];

interface SlotImage {
  version: string;
  securityVersion: number;
  size: number;
  sha256: string;
}

/** What a bootloader keeps. An image is on trial while `active` is not `confirmed`. */
interface BootRecord {
  active: Slot;
  confirmed: Slot;
  images: { a: SlotImage | null; b: SlotImage | null };
  bootCount: number;
  trialBoots: number;
  nextReason: BootReason | null;
  /** Why the last trial ended in a rollback. */
  rollback: DeviceError | null;
}

export interface Boot {
  count: number;
  reason: BootReason;
  running: Running;
  /** The image in the active slot has yet to prove itself. */
  onTrial: boolean;
  /** The active slot holds what the boot record says. */
  intact: boolean;
  rollback: DeviceError | null;
}

/** Versions by slot; what runs is in `active`, what a rollback goes back to in `confirmed`. */
export interface SlotView {
  active: Slot;
  confirmed: Slot;
  a: string | null;
  b: string | null;
}

/** Why an installation stopped. Disk faults and lost power come as themselves. */
export class InstallFault extends Error {
  readonly error: DeviceError;
  constructor(error: DeviceError) {
    super(error.message ?? error.code);
    this.name = 'InstallFault';
    this.error = error;
  }
}

function slotFile(slot: Slot): string {
  return `slot-${slot}.img`;
}

/** Two slots, a staging area and the record that says which slot runs: at any moment one of the two is bootable. */
export class Slots {
  readonly #disk: Disk;
  readonly #component: string;
  #record: BootRecord;

  constructor(disk: Disk, component: string) {
    this.#disk = disk;
    this.#component = component;
    const stored = disk.readText(recordFile);
    this.#record = stored ? (JSON.parse(stored) as BootRecord) : installFactoryImage(disk);
  }

  get view(): SlotView {
    const { active, confirmed, images } = this.#record;
    return { active, confirmed, a: images.a?.version ?? null, b: images.b?.version ?? null };
  }

  /** What the bootloader does: counts the boot, ends a trial that had its chances, and measures the active slot. */
  async boot(maxTrialBoots: number): Promise<Boot> {
    const record = this.#record;
    const reason = record.nextReason ?? 'power_on';
    this.#store({
      ...record,
      bootCount: record.bootCount + 1,
      trialBoots: this.#onTrial ? record.trialBoots + 1 : 0,
      nextReason: null,
    });
    if (this.#onTrial && this.#record.trialBoots > maxTrialBoots) {
      this.#revert({ code: 'boot_failed', message: `did not prove itself in ${maxTrialBoots} boots` }, null);
      return this.#measure('rollback');
    }
    const boot = await this.#measure(reason);
    if (boot.intact || !boot.onTrial) return boot;
    this.#revert({ code: 'boot_failed', message: 'the slot does not hold the image that was written' }, null);
    return this.#measure('rollback');
  }

  /** What the image says about itself when it runs; images in other formats have no complaints. */
  async selfTest(): Promise<DeviceError | null> {
    let failed = false;
    await this.#disk.eachBlock(slotFile(this.#record.active), 512, (start) => {
      failed = parseImageHeader(start)?.selfTest === 'fail';
      return false;
    });
    return failed ? { code: 'self_test_failed', message: 'the image failed its own self-test' } : null;
  }

  /**
   * Copies the staged image into the inactive slot and reads it back; `commit` then makes it the one that boots next.
   * Throws InstallFault; stops silently between two blocks when aborted.
   */
  async write(manifest: Manifest, signal: AbortSignal): Promise<void> {
    const slot = this.#inactive();
    const file = this.#disk.open(slotFile(slot));
    try {
      file.truncate(0);
      let offset = 0;
      await this.#disk.eachBlock(stagingFile, manifest.size, (block) => {
        if (signal.aborted) return false;
        file.writeAt(offset, block);
        offset += block.length;
        return true;
      });
      if (signal.aborted) return;
      file.sync();
    } finally {
      file.close();
    }
    const digest = await digestOf(this.#disk, slotFile(slot), manifest.size, signal);
    if (!signal.aborted && digest !== manifest.sha256)
      throw new InstallFault({ code: 'install_failed', message: 'the slot reads back differently' });
  }

  /** The point of no return: from this write on, the next boot is the new image's. */
  commit(manifest: Manifest): void {
    const slot = this.#inactive();
    const { version, securityVersion, size, sha256 } = manifest;
    this.#store({
      ...this.#record,
      active: slot,
      trialBoots: 0,
      nextReason: 'update',
      rollback: null,
      images: { ...this.#record.images, [slot]: { version, securityVersion, size, sha256 } },
    });
  }

  /** True when this image is in the active slot, on trial or not: its installation has been committed. */
  holds(manifest: Manifest): boolean {
    return this.#record.images[this.#record.active]?.sha256 === manifest.sha256;
  }

  confirm(): void {
    this.#store({ ...this.#record, confirmed: this.#record.active, trialBoots: 0 });
  }

  /** Back to the confirmed image at the next boot. */
  revert(error: DeviceError): void {
    this.#revert(error, 'rollback');
  }

  /** What the next boot gives as its reason. */
  announceBoot(reason: BootReason): void {
    this.#store({ ...this.#record, nextReason: reason });
  }

  get #onTrial(): boolean {
    return this.#record.active !== this.#record.confirmed;
  }

  #inactive(): Slot {
    // Never the confirmed one: that is what a rollback needs.
    return this.#record.confirmed === 'a' ? 'b' : 'a';
  }

  #revert(error: DeviceError, nextReason: BootReason | null): void {
    const { confirmed } = this.#record;
    this.#store({ ...this.#record, active: confirmed, trialBoots: 0, nextReason, rollback: error });
  }

  async #measure(reason: BootReason): Promise<Boot> {
    const record = this.#record;
    const image = record.images[record.active];
    if (!image) throw new Error('the boot record names an empty slot');
    const sha256 = await digestOf(this.#disk, slotFile(record.active), image.size);
    return {
      count: record.bootCount,
      reason,
      running: {
        component: this.#component,
        version: image.version,
        securityVersion: image.securityVersion,
        sha256,
      },
      onTrial: this.#onTrial,
      intact: sha256 === image.sha256,
      rollback: record.rollback,
    };
  }

  #store(record: BootRecord): void {
    this.#disk.replaceText(recordFile, JSON.stringify(record));
    this.#record = record;
  }
}

/** A device leaves the factory with an image in slot A, so that there is always a digest to report. */
function installFactoryImage(disk: Disk): BootRecord {
  const image = buildImage({ version: '0.0.0', sizeBytes: 1024, selfTest: 'pass', seed: 0 });
  const file = disk.open(slotFile('a'));
  file.truncate(0);
  file.writeAt(0, image);
  file.sync();
  file.close();
  const sha256 = createHash('sha256').update(image).digest('hex');
  const record: BootRecord = {
    active: 'a',
    confirmed: 'a',
    images: { a: { version: '0.0.0', securityVersion: 0, size: image.length, sha256 }, b: null },
    bootCount: 0,
    trialBoots: 0,
    nextReason: null,
    rollback: null,
  };
  disk.replaceText(recordFile, JSON.stringify(record));
  return record;
}

/** SHA-256 (hex) of the first `bytes` of a file; of what there is when it is shorter, or when aborted. */
export async function digestOf(
  disk: Disk,
  name: string,
  bytes: number,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  await disk.eachBlock(name, bytes, (block) => {
    hash.update(block);
    return !signal?.aborted;
  });
  if (!disk.powered) throw new PowerLost();
  return hash.digest('hex');
}
