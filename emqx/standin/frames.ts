/** A device's bytes, cut into whole packets: a parser that is given one at a time cannot read on into the next. */

/** MQTT 3.1.1 §2.2.3: the remaining length has at most four bytes. */
const maxLengthBytes = 4;
/** §2.2.2: what a header may begin with: the types 1 to 14 (15 is MQTT 5) with the flags that each must have; PUBLISH (3) has flags of its own. */
const headers = new Set([0x10, 0x20, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xa2, 0xb0, 0xc0, 0xd0, 0xe0]);
const isHeader = (byte: number) => byte >> 4 === 3 || headers.has(byte);

export class FrameError extends Error {
  /** `frame_too_large`, or `frame_error` for what is no packet of MQTT. */
  readonly reason: 'frame_too_large' | 'frame_error';
  constructor(reason: FrameError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

export class Frames {
  private pending: Buffer = Buffer.alloc(0);
  private readonly maxBytes: number;
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** The packets that are whole now. Throws FrameError; a packet that is too large is refused before it is held. */
  *take(chunk: Buffer): Generator<Buffer> {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    for (;;) {
      const size = this.nextSize();
      if (size === null || size > this.pending.length) return;
      const frame = this.pending.subarray(0, size);
      this.pending = this.pending.subarray(size);
      yield frame;
    }
  }

  /** Bytes of the packet that begins here, its header counted in; null while its length is not known. */
  private nextSize(): number | null {
    if (this.pending.length > 0 && !isHeader(this.pending[0]!))
      throw new FrameError('frame_error', `a packet that begins with ${this.pending[0]}`);
    let length = 0;
    for (let i = 1; i < this.pending.length; i++) {
      const byte = this.pending[i]!;
      length += (byte & 0x7f) * 128 ** (i - 1);
      if (length > this.maxBytes) throw new FrameError('frame_too_large', `a packet of ${length} bytes`);
      if (byte < 0x80) return 1 + i + length;
      if (i === maxLengthBytes) throw new FrameError('frame_error', 'a length of more than four bytes');
    }
    return null;
  }
}
