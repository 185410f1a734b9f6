/** A world without sockets: a clock that only goes when it is told to, a broker and a file server that speak through it. */
import { createHash } from 'node:crypto';
import { randomOf } from '#deploy/lab/primitives/random.ts';
import { type Topic, topics, type UplinkTopic } from '#emqx/protocol.ts';
import { startDevice, type VirtualDevice } from '../device.ts';
import { Memory } from '../memory.ts';
import type { DeviceOptions } from '../options.ts';
import type {
  Broker,
  BrokerConnection,
  BrokerEvents,
  Certificates,
  Clock,
  Http,
  HttpEvents,
  Medium,
} from '../port.ts';

const bornAt = Date.UTC(2030, 0, 1);
const pieceBytes = 16 * 1024;

/** Ends with the task that is due; `step` goes to the next. */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  /** The next one last. */
  readonly #tasks: { at: number; order: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  unixMs(): number {
    return bornAt + this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    const task = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run };
    let [low, high] = [0, this.#tasks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#tasks[middle]!.at > task.at) low = middle + 1;
      else high = middle;
    }
    this.#tasks.splice(low, 0, task);
    return () => {
      task.run = () => {};
    };
  }

  /** Runs tasks until the condition holds; says how many. Throws when it does not come true within `mostMs`. */
  until(condition: () => unknown, what: string, mostMs = 3_600_000): number {
    const deadline = this.#now + mostMs;
    let steps = 0;
    while (!condition()) {
      const task = this.#tasks.pop();
      if (!task || task.at > deadline) throw new Error(`waited ${mostMs} ms in vain for ${what}`);
      this.#now = task.at;
      task.run();
      steps++;
    }
    return steps;
  }
}

/** Plays the broker and the webhook behind it for one device; what a device has not dealt with comes again. */
export class WorldBroker implements Broker {
  /** "topic payload", in order, copies included. */
  readonly transcript: string[] = [];
  readonly violations: string[] = [];
  down = false;
  readonly #clock: Clock;
  readonly #latencyMs: number;
  readonly #queue: { topic: string; payload: Buffer }[] = [];
  #deliver: () => void = () => {};
  #ids = 0;

  constructor(clock: Clock, latencyMs: number) {
    this.#clock = clock;
    this.#latencyMs = latencyMs;
  }

  send(topic: Topic, message: object): void {
    const payload = JSON.stringify({ id: `down-${this.#ids++}`, at: null, ...message });
    this.#queue.push({ topic, payload: Buffer.from(payload) });
    this.#deliver();
  }

  /** The messages on a topic, copies of the same one left out. */
  of(topic: UplinkTopic): Record<string, unknown>[] {
    const lines = new Set(this.transcript.filter((line) => line.startsWith(`${topic} `)));
    return [...lines].map((line) => JSON.parse(line.slice(topic.length + 1)));
  }

  connect(_pair: unknown, events: BrokerEvents): BrokerConnection {
    let open = true;
    let delivering = false;
    const later = (task: () => void) => void this.#clock.after(this.#latencyMs, () => open && task());
    const deliver = () => {
      const [message] = this.#queue;
      if (!message || delivering) return;
      delivering = true;
      later(() =>
        events.message(message.topic, message.payload, () => {
          if (!open) return;
          delivering = false;
          this.#queue.shift();
          deliver();
        }),
      );
    };
    if (this.down) {
      later(() => events.disconnected({ reached: false, why: 'down' }));
    } else {
      later(() => {
        events.connected();
        this.#deliver = deliver;
        deliver();
      });
    }
    const close = () => {
      open = false;
      if (this.#deliver === deliver) this.#deliver = () => {};
    };
    return {
      unacked: 0,
      publish: (topic, payload) => {
        const text = Buffer.from(payload).toString();
        later(() => this.#take(topic as UplinkTopic, text));
      },
      end: (done) => {
        close();
        this.#clock.after(this.#latencyMs, done);
      },
      destroy: close,
    };
  }

  #take(topic: UplinkTopic, text: string): void {
    this.transcript.push(`${topic} ${text}`);
    const message = JSON.parse(text);
    const parsed = topics[topic]?.schema.safeParse(message);
    if (!parsed?.success) this.violations.push(`${topic}: ${parsed?.error.message} in ${text}`);
    if (message.seq) this.send('ack', { ids: [message.id] });
  }
}

/** Serves one image by ranges. */
export class WorldServer implements Http {
  image: Uint8Array = new Uint8Array();
  readonly ranges: string[] = [];
  readonly #clock: Clock;
  readonly #latencyMs: number;

  constructor(clock: Clock, latencyMs: number) {
    this.#clock = clock;
    this.#latencyMs = latencyMs;
  }

  get(_url: string, range: { from: number; to: number } | null, events: HttpEvents): () => void {
    const { image } = this;
    const from = range?.from ?? 0;
    const to = Math.min(image.length, range?.to ?? image.length);
    this.ranges.push(`${from}-${to}`);
    let open = true;
    const later = (task: () => void) => void this.#clock.after(this.#latencyMs, () => open && task());
    const send = (at: number) => {
      if (at >= to) return events.end();
      const next = Math.min(to, at + pieceBytes);
      events.body(image.subarray(at, next));
      later(() => send(next));
    };
    later(() => {
      const length = { 'content-length': String(to - from) };
      if (range) events.head(206, { ...length, 'content-range': `bytes ${from}-${to - 1}/${image.length}` });
      else events.head(200, length);
      send(from);
    });
    return () => {
      open = false;
    };
  }

  release(): void {}
}

const certificates: Certificates = {
  validity: { serial: '01', notBefore: 0, notAfter: bornAt * 2 },
  renewal: 'none',
  pair: () => ({ key: '', certificate: '', chain: '' }),
  request: () => '',
  store: () => null,
  promote: () => {},
  drop: () => {},
};

export interface Inhabitant {
  device: VirtualDevice;
  broker: WorldBroker;
  server: WorldServer;
  medium: Medium;
}

/** Starts a device in this world; the same seed and id give the same life. */
export function inhabit(
  clock: VirtualClock,
  seed: number,
  options: Partial<DeviceOptions> & Pick<DeviceOptions, 'id' | 'signingKeys'>,
  medium: Medium = new Memory(),
): Inhabitant {
  const random = randomOf(seed, options.id);
  const latencyMs = 5 + Math.floor(random() * 20);
  const broker = new WorldBroker(clock, latencyMs);
  const server = new WorldServer(clock, latencyMs);
  const surroundings = { clock, medium, broker, http: server, certificates: () => certificates };
  const device = startDevice({
    dir: '',
    hardware: 'esp32s3',
    mqttUrl: 'mqtts://nowhere',
    trust: '-----BEGIN CERTIFICATE-----',
    random,
    ...options,
    surroundings: { ...surroundings, ...options.surroundings },
  });
  return { device, broker, server, medium };
}

export function digestOf(image: Uint8Array): string {
  return createHash('sha256').update(image).digest('hex');
}
