import { Duplex } from 'node:stream';
import { type Network, plainNetwork } from './network.ts';

export interface Shape {
  /** One way, ms; and up to so much more for each piece. */
  latencyMs?: number;
  jitterMs?: number;
  /** Of the link, each way, for all connections of the device together; null: no limit. */
  bytesPerSecond?: number | null;
  /** Share of packets that are lost. */
  loss?: number;
}

const packetBytes = 1448;
const resetShare = 1 / 50;
const retransmitMs = 200;
const pieceMaxBytes = 16 * 1024;
/** What may be on its way at once in one direction of a connection, before the sender is told to wait. */
const flightMaxBytes = 256 * 1024;

export interface Loss {
  /** Good bytes before it. */
  afterBytes: number;
  /** How long the connection stands still; null: it is reset instead. */
  stallMs: number | null;
}

/**
 * Endless: where on a link packets are lost, counted in bytes, so that it does not depend on how the bytes were cut or timed. A lost
 * packet costs a retransmission time-out, doubled for each further loss of the same packet; one in fifty ends the connection.
 */
export function* planLosses(loss: number, latencyMs: number, random: () => number): Generator<Loss> {
  if (loss <= 0) return;
  for (;;) {
    // Geometric: packets that arrive before one does not.
    const packets = loss >= 1 ? 0 : Math.floor(Math.log(1 - random()) / Math.log(1 - loss));
    let stallMs = Math.max(retransmitMs, 3 * latencyMs);
    for (let again = stallMs; random() < loss && stallMs < 60_000; ) {
      again *= 2;
      stallMs += again;
    }
    yield { afterBytes: (packets + 1) * packetBytes, stallMs: random() < resetShare ? null : stallMs };
  }
}

/** A bad link: what all connections of a device send and receive over it is late, slow, stalls and breaks. */
export class ShapedNetwork implements Network {
  readonly #inner: Network;
  readonly #down: Lane;
  readonly #up: Lane;

  /** `randomOf` gives a stream for each direction; with seeded ones the losses of a link are fixed. */
  constructor(
    shape: Shape,
    randomOf: (name: string) => () => number = () => Math.random,
    inner: Network = plainNetwork,
  ) {
    this.#inner = inner;
    this.#down = new Lane(shape, randomOf('down jitter'), randomOf('down loss'));
    this.#up = new Lane(shape, randomOf('up jitter'), randomOf('up loss'));
  }

  /** From now on, also for what waits on the link already. */
  setRate(bytesPerSecond: number | null): void {
    this.#down.setRate(bytesPerSecond);
    this.#up.setRate(bytesPerSecond);
  }

  dial(target: { host: string; port: number }): Duplex {
    const inner = this.#inner.dial(target);
    const reset = () => {
      outer.destroy(Object.assign(new Error('connection reset by the network'), { code: 'ECONNRESET' }));
    };
    const down = new Flight(this.#down, reset);
    const up = new Flight(this.#up, reset);
    let stopped = false;
    const pull = (): void => {
      if (stopped || outer.destroyed) return;
      for (;;) {
        if (down.bytes >= flightMaxBytes) return;
        const piece = (inner.read(Math.min(this.#down.pieceBytes, inner.readableLength)) ??
          inner.read()) as Buffer | null;
        if (!piece) return;
        down.send(piece.length, () => {
          if (!outer.push(piece)) stopped = true;
          pull();
        });
      }
    };
    const outer = new Duplex({
      allowHalfOpen: false,
      read: () => {
        stopped = false;
        pull();
      },
      write: (chunk: Buffer, _encoding, done) => {
        up.send(chunk.length, () => {
          inner.write(chunk);
        });
        // The sender goes on while it flies; only a full link holds it up.
        if (up.bytes < flightMaxBytes) done();
        else up.whenEmpty(() => done());
      },
      final: (done) => {
        up.whenEmpty(() => inner.end(() => done()));
      },
      destroy: (error, done) => {
        down.stop();
        up.stop();
        inner.destroy();
        done(error);
      },
    });
    inner.on('readable', pull);
    inner.once('error', (error) => outer.destroy(error));
    inner.once('end', () => {
      pull();
      down.whenEmpty(() => outer.push(null));
    });
    inner.once('close', () => {
      if (!inner.readableEnded) outer.destroy();
    });
    return outer;
  }
}

/** One direction of a device's link. */
class Lane {
  #shape: Shape;
  readonly #jitter: () => number;
  readonly #losses: Generator<Loss>;
  #next: Loss | undefined;
  #passed = 0;
  /** When the link is free for the next piece, by the steady clock. */
  #freeAt = 0;
  readonly #flights = new Set<Flight>();

  constructor(shape: Shape, jitter: () => number, random: () => number) {
    this.#shape = shape;
    this.#jitter = jitter;
    this.#losses = planLosses(shape.loss ?? 0, shape.latencyMs ?? 0, random);
    this.#next = this.#losses.next().value;
  }

  setRate(bytesPerSecond: number | null): void {
    const now = performance.now();
    const before = this.#shape.bytesPerSecond ?? Number.POSITIVE_INFINITY;
    // Of a link without a limit nothing waits.
    const share =
      before === Number.POSITIVE_INFINITY ? 1 : before / (bytesPerSecond ?? Number.POSITIVE_INFINITY);
    const moved = (at: number) => (at > now ? now + (at - now) * share : at);
    this.#shape = { ...this.#shape, bytesPerSecond };
    this.#freeAt = moved(this.#freeAt);
    for (const flight of this.#flights) flight.move(moved);
  }

  enter(flight: Flight): void {
    this.#flights.add(flight);
  }

  leave(flight: Flight): void {
    this.#flights.delete(flight);
  }

  /** Small enough that a slow link trickles. */
  get pieceBytes(): number {
    const perTick = (this.#shape.bytesPerSecond ?? Number.POSITIVE_INFINITY) / 20;
    return Math.round(Math.min(pieceMaxBytes, Math.max(packetBytes, perTick)));
  }

  /** When a piece that is sent now is through, and how much later it arrives; or null: its connection breaks. */
  take(bytes: number): { throughAt: number; lateMs: number } | null {
    const { latencyMs = 0, jitterMs = 0, bytesPerSecond } = this.#shape;
    let stallMs = 0;
    this.#passed += bytes;
    while (this.#next && this.#passed >= this.#next.afterBytes) {
      const { afterBytes, stallMs: stall } = this.#next;
      this.#passed -= afterBytes;
      this.#next = this.#losses.next().value;
      if (stall === null) return null;
      stallMs += stall;
    }
    const start = Math.max(performance.now(), this.#freeAt);
    this.#freeAt = start + (bytesPerSecond ? (bytes / bytesPerSecond) * 1000 : 0);
    const lateMs = stallMs + latencyMs + (jitterMs > 0 ? this.#jitter() * jitterMs : 0);
    return { throughAt: this.#freeAt, lateMs };
  }
}

/** What is on its way in one direction of one connection, in order. */
class Flight {
  readonly #lane: Lane;
  readonly #reset: () => void;
  readonly #queue: { throughAt: number; lateMs: number; at: number; bytes: number; land: () => void }[] = [];
  #lastAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #onEmpty: (() => void)[] = [];
  bytes = 0;

  constructor(lane: Lane, reset: () => void) {
    this.#lane = lane;
    this.#reset = reset;
    lane.enter(this);
  }

  send(bytes: number, land: () => void): void {
    const taken = this.#lane.take(bytes);
    if (taken === null) {
      this.#reset();
      return;
    }
    this.bytes += bytes;
    this.#queue.push({ ...taken, at: this.#follow(taken), bytes, land });
    if (!this.#timer) this.#wait();
  }

  /** Of what is on its way, when it is through the link. */
  move(moved: (throughAt: number) => number): void {
    this.#lastAt = 0;
    for (const piece of this.#queue) {
      piece.throughAt = moved(piece.throughAt);
      piece.at = this.#follow(piece);
    }
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#wait();
  }

  /** TCP delivers in order: what comes after a stall waits behind it. */
  #follow({ throughAt, lateMs }: { throughAt: number; lateMs: number }): number {
    this.#lastAt = Math.max(this.#lastAt, throughAt + lateMs);
    return this.#lastAt;
  }

  whenEmpty(run: () => void): void {
    if (this.#queue.length === 0) run();
    else this.#onEmpty.push(run);
  }

  stop(): void {
    this.#lane.leave(this);
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#onEmpty = [];
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#land(), Math.max(0, this.#queue[0]!.at - performance.now()));
  }

  #land(): void {
    this.#timer = undefined;
    const now = performance.now();
    while (this.#queue.length > 0 && this.#queue[0]!.at <= now) {
      const { bytes, land } = this.#queue.shift()!;
      this.bytes -= bytes;
      land();
    }
    if (this.#queue.length > 0) {
      if (!this.#timer) this.#wait();
    } else for (const run of this.#onEmpty.splice(0)) run();
  }
}
