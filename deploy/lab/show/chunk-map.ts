/** Which parts of one image have been asked for, received, lost and asked for again, in so many equal cells. */
export const cellCount = 96;

export class ChunkMap {
  readonly size: number;
  readonly #cellBytes: number;
  /** Cells that were asked for, or received, more than once. */
  readonly #again = new Set<number>();
  #received = 0;
  #asked = { from: 0, to: 0 };

  constructor(size: number) {
    this.size = size;
    this.#cellBytes = size / cellCount;
  }

  /** A GET goes out for these bytes; what the one before it asked for and did not get is asked for again. */
  asked(from: number, to: number): void {
    if (this.#asked.to > this.#received) this.#mark(this.#received, this.#asked.to);
    this.#asked = { from, to };
  }

  /** Everything before `bytes` is there; fewer than before means that the rest was lost with the power. */
  received(bytes: number): void {
    if (bytes < this.#received) this.#mark(bytes, this.#received);
    this.#received = bytes;
  }

  get receivedBytes(): number {
    return this.#received;
  }

  /** `moving`: what is asked for can still come. See `Cell` of the console's wire.ts. */
  cells(moving: boolean): string {
    let text = '';
    for (let i = 0; i < cellCount; i++) {
      const end = (i + 1) * this.#cellBytes;
      // Half a byte, because cells end between bytes.
      if (end <= this.#received + 0.5) text += this.#again.has(i) ? 'r' : '+';
      else if (end - this.#cellBytes < this.#asked.to) text += moving ? 'a' : 'x';
      else text += this.#again.has(i) ? 'x' : '.';
    }
    return text;
  }

  #mark(from: number, to: number): void {
    const last = Math.ceil(to / this.#cellBytes);
    for (let i = Math.floor(from / this.#cellBytes); i < last; i++) this.#again.add(i);
  }
}
