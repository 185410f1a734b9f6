import net from 'node:net';
import { Duplex } from 'node:stream';

/** How a device reaches the world. TLS runs on top of what `dial` returns, so shaping it shapes the handshakes too. */
export interface Network {
  dial(target: { host: string; port: number }): Duplex;
}

/** One for all the connections of a process: what is read into it is copied out at once. */
const readBuffer = Buffer.allocUnsafeSlow(16 * 1024);

export const plainNetwork: Network = { dial };

/** TCP that reads in small pieces: TLS would keep 64 kB for each connection that was ever busy. */
function dial(target: { host: string; port: number }): Duplex {
  const socket = net.connect({
    ...target,
    noDelay: true,
    onread: {
      buffer: readBuffer,
      callback: (bytes) => outer.push(Buffer.from(readBuffer.subarray(0, bytes))),
    },
  });
  const outer = new Duplex({
    allowHalfOpen: false,
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on('error', (error) => outer.destroy(error));
  socket.on('end', () => outer.push(null));
  socket.on('close', () => outer.destroy());
  return outer;
}

/** A network that can go away: every open connection breaks and new ones fail until it is back. */
export class SwitchedNetwork implements Network {
  readonly #inner: Network;
  readonly #sockets = new Set<Duplex>();
  #downUntil = 0;
  #off = false;

  constructor(inner: Network = plainNetwork) {
    this.#inner = inner;
  }

  dial(target: { host: string; port: number }): Duplex {
    if (this.#off || performance.now() < this.#downUntil) {
      const dead = new net.Socket();
      const error = Object.assign(new Error('network is down'), { code: 'ENETDOWN' });
      process.nextTick(() => dead.destroy(error));
      return dead;
    }
    const socket = this.#inner.dial(target);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  /** Breaks what is open and refuses new connections for so long. */
  cut(forMs: number): void {
    this.#downUntil = performance.now() + forMs;
    this.dropAll();
  }

  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** For good. */
  close(): void {
    this.#off = true;
    this.dropAll();
  }
}
