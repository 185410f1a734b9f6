import { createHash } from 'node:crypto';
import type { Flash } from './flash.ts';
import { buildFactoryImage, factoryVersion, type ImageHeader, parseImageHeader } from './image.ts';

const recordFile = 'boot.json';
/** One for all the devices of a process. */
const block = Buffer.allocUnsafeSlow(64 * 1024);

type Slot = 'a' | 'b';

export interface SlotImage {
  version: string;
  securityVersion: number;
  size: number;
  /** Lower-case hex. */
  sha256: string;
}

/** What a bootloader keeps. An image is on trial while `active` is not `confirmed`. */
interface BootRecord {
  active: Slot;
  confirmed: Slot;
  images: { a: SlotImage | null; b: SlotImage | null };
  trialBoots: number;
}

/** Versions by slot; what runs is in `active`, what a rollback goes back to in `confirmed`. */
export interface SlotView {
  active: Slot;
  confirmed: Slot;
  a: string | null;
  b: string | null;
}

function slotFile(slot: Slot): string {
  return `slot-${slot}.img`;
}

/** Two slots and the record that says which one runs: at any moment one of the two is bootable. For one life of a device. */
export class Slots {
  readonly #flash: Flash;
  #record: BootRecord;
  #running: SlotImage;

  /** Does what a bootloader does: ends a trial that had its chances or whose image is damaged, and measures what runs. */
  constructor(flash: Flash, maxTrialBoots: number) {
    this.#flash = flash;
    const stored = flash.readText(recordFile);
    this.#record = stored ? (JSON.parse(stored) as BootRecord) : installFactoryImage(flash);
    if (!this.onTrial) {
      this.#running = this.#measure();
      return;
    }
    const trialBoots = this.#record.trialBoots + 1;
    this.#store({ ...this.#record, trialBoots });
    this.#running = this.#measure();
    const intact = this.#running.sha256 === this.#record.images[this.#record.active]!.sha256;
    if (intact && trialBoots <= maxTrialBoots) return;
    this.revert();
    this.#running = this.#measure();
  }

  get view(): SlotView {
    const { active, confirmed, images } = this.#record;
    return { active, confirmed, a: images.a?.version ?? null, b: images.b?.version ?? null };
  }

  get onTrial(): boolean {
    return this.#record.active !== this.#record.confirmed;
  }

  /** What runs, its digest as measured at this boot. */
  get running(): SlotImage {
    return this.#running;
  }

  /** What the image says about itself when it runs; images in other formats have no complaints. */
  get selfTest(): ImageHeader['selfTest'] {
    return this.#header?.selfTest ?? 'pass';
  }

  /** What it crashes of, and when. */
  get crash(): ImageHeader['crash'] {
    return this.#header?.crash;
  }

  /** Of the heap, by what runs. */
  get leakBytesPerS(): number {
    return this.#header?.leakBytesPerS ?? 0;
  }

  get #header(): ImageHeader | null {
    const start = block.subarray(0, Math.min(512, this.#running.size));
    this.#flash.readAt(slotFile(this.#record.active), 0, start);
    return parseImageHeader(start);
  }

  begin(): void {
    this.#flash.truncate(this.#inactiveFile, 0);
  }

  write(offset: number, data: Uint8Array): void {
    this.#flash.writeAt(this.#inactiveFile, offset, data);
  }

  finish(): void {
    this.#flash.sync(this.#inactiveFile);
  }

  read(offset: number, target: Uint8Array): void {
    this.#flash.readAt(this.#inactiveFile, offset, target);
  }

  /** What patches are applied to. */
  readRunning(offset: number, target: Uint8Array): void {
    this.#flash.readAt(slotFile(this.#record.active), offset, target);
  }

  /** The point of no return: from this write on, the next boot is that of `image`. */
  activate(image: SlotImage): void {
    const slot = this.#inactive;
    const images = { ...this.#record.images, [slot]: image };
    this.#store({ ...this.#record, active: slot, trialBoots: 0, images });
  }

  confirm(): void {
    this.#store({ ...this.#record, confirmed: this.#record.active, trialBoots: 0 });
  }

  /** Back to the confirmed image at the next boot. */
  revert(): void {
    this.#store({ ...this.#record, active: this.#record.confirmed, trialBoots: 0 });
  }

  get #inactive(): Slot {
    // Never the confirmed one: that is what a rollback needs.
    return this.#record.confirmed === 'a' ? 'b' : 'a';
  }

  get #inactiveFile(): string {
    return slotFile(this.#inactive);
  }

  #measure(): SlotImage {
    const image = this.#record.images[this.#record.active];
    if (!image) throw new Error('the boot record names an empty slot');
    const file = slotFile(this.#record.active);
    const hash = createHash('sha256');
    // What is missing from the file counts as another image, not as a broken disk.
    const size = Math.min(image.size, this.#flash.size(file));
    for (let offset = 0; offset < size; offset += block.length) {
      const part = block.subarray(0, Math.min(block.length, size - offset));
      this.#flash.readAt(file, offset, part);
      hash.update(part);
    }
    return { ...image, sha256: hash.digest('hex') };
  }

  #store(record: BootRecord): void {
    this.#flash.replaceText(recordFile, JSON.stringify(record));
    this.#record = record;
  }
}

/** A device leaves the factory with an image in slot A, so that there is always a digest to report. */
function installFactoryImage(flash: Flash): BootRecord {
  const image = buildFactoryImage();
  const file = slotFile('a');
  flash.truncate(file, 0);
  flash.writeAt(file, 0, image);
  flash.sync(file);
  const sha256 = createHash('sha256').update(image).digest('hex');
  const record: BootRecord = {
    active: 'a',
    confirmed: 'a',
    images: { a: { version: factoryVersion, securityVersion: 0, size: image.length, sha256 }, b: null },
    trialBoots: 0,
  };
  flash.replaceText(recordFile, JSON.stringify(record));
  return record;
}
