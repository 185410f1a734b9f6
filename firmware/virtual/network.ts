import net from 'node:net';
import type { Duplex } from 'node:stream';

/** How a device reaches the world. TLS runs on top of what `dial` returns, so shaping it shapes the handshakes too. */
export interface Network {
  dial(target: { host: string; port: number }): Duplex;
}

export const plainNetwork: Network = {
  dial: ({ host, port }) => net.connect({ host, port, noDelay: true }),
};

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
    if (this.#off || Date.now() < this.#downUntil) {
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
    this.#downUntil = Date.now() + forMs;
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
