import { Duplex } from 'node:stream';
import { type Network, plainNetwork } from './network.ts';

/** A slow link: what all of a device's connections receive together comes at so many bytes a second. */
export class ThrottledNetwork implements Network {
  readonly #inner: Network;
  #bytesPerSecond: number;
  /** When the link is free for the next piece, ms since 1970. */
  #freeAt = 0;

  constructor(bytesPerSecond: number, inner: Network = plainNetwork) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#inner = inner;
  }

  /** From now on, also for connections that are open. */
  setRate(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#freeAt = Math.min(this.#freeAt, Date.now());
  }

  dial(target: { host: string; port: number }): Duplex {
    const inner = this.#inner.dial(target);
    let timer: NodeJS.Timeout | undefined;
    let ended = false;
    const deliver = (): void => {
      timer = undefined;
      if (outer.destroyed) return;
      const pieceBytes = Math.max(1024, Math.floor(this.#bytesPerSecond / 50));
      const piece = (inner.read(Math.min(pieceBytes, inner.readableLength)) ?? inner.read()) as Buffer | null;
      if (!piece) {
        inner.once('readable', deliver);
        return;
      }
      const start = Math.max(Date.now(), this.#freeAt);
      this.#freeAt = start + (piece.length / this.#bytesPerSecond) * 1000;
      timer = setTimeout(() => {
        timer = undefined;
        const wantsMore = outer.push(piece);
        if (ended) outer.push(null);
        else if (wantsMore) deliver();
      }, this.#freeAt - Date.now());
    };
    const outer = new Duplex({
      allowHalfOpen: false,
      read: () => {
        if (!timer && inner.listenerCount('readable') === 0) deliver();
      },
      write: (chunk, encoding, done) => {
        inner.write(chunk, encoding, (error) => done(error));
      },
      final: (done) => {
        inner.end(() => done());
      },
      destroy: (error, done) => {
        clearTimeout(timer);
        inner.destroy();
        done(error);
      },
    });
    inner.once('error', (error) => outer.destroy(error));
    inner.once('close', () => {
      if (!ended) outer.destroy();
    });
    inner.once('end', () => {
      ended = true;
      // A piece that is still on its way comes first.
      if (!timer) outer.push(null);
    });
    return outer;
  }
}
