/**
 * The broker as it may be at its worst: connections break, and with them what was under way; rows are posted late, twice, in any order,
 * or lost when the broker dies with its buffers; the answer of an API call gets lost. What it keeps it keeps as EMQX does: a
 * persistent session queues QoS 1, a command for nobody is told so, and subscribing is an event after every connect.
 */
import { type EmqxApi, EmqxError, type PublishMessage, type PublishOutcome } from '#emqx/api.ts';
import { type BrokerEvent, mountedTopic, requestTopic } from '#emqx/protocol.ts';
import type { Broker, BrokerConnection, BrokerEvents } from '#firmware/virtual/port.ts';
import type { Random } from '../primitives/random.ts';
import type { VirtualTime } from './virtual-time.ts';

const postGridMs = 1_000;

export interface Trouble {
  /** That a connection breaks under a message, either way. */
  breaks: number;
  /** That a row is posted although its answer was only lost. */
  repeats: number;
  /** That an API call fails, half of those after it was carried out. */
  apiFails: number;
}

interface Connection {
  deviceId: string;
  events: BrokerEvents;
  connectedAt: number;
  subscribed: boolean;
  open: boolean;
  /** The device has gone without a word; the broker finds out later. */
  deaf: boolean;
  unacked: number;
}

interface Session {
  connection: Connection | null;
  /** Subscribed once, so that commands are queued while it is away. */
  exists: boolean;
  /** QoS 1, not yet acknowledged by the device. */
  queue: { topic: string; payload: string; expiresAt: number }[];
}

type Post = (row: BrokerEvent) => Promise<'again' | 'done'>;

export class ModelledBroker implements EmqxApi {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #post: Post;
  readonly #trouble: () => Trouble;
  readonly #sessions = new Map<string, Session>();
  /** Rises when the broker restarts: what was in its buffers is gone. */
  #life = 0;
  #awayUntil = 0;
  /** Told of each message that a device sends, of each command that the broker is asked for and takes, and of each that reaches a device. */
  onUplink: (deviceId: string, topic: string, payload: string) => void = () => {};
  onAsk: (deviceId: string, topic: string, payload: string) => void = () => {};
  onPublish: (deviceId: string, topic: string, payload: string) => void = () => {};
  onDeliver: (deviceId: string, topic: string, payload: string) => void = () => {};

  constructor(time: VirtualTime, random: Random, post: Post, trouble: () => Trouble) {
    this.#time = time;
    this.#random = random;
    this.#post = post;
    this.#trouble = trouble;
  }

  /** The broker, as one device reaches it. */
  portOf(deviceId: string): Broker {
    return { connect: (_, events) => this.#connect(deviceId, events) };
  }

  #connect(deviceId: string, events: BrokerEvents): BrokerConnection {
    const connection: Connection = {
      deviceId,
      events,
      connectedAt: 0,
      subscribed: false,
      open: true,
      deaf: false,
      unacked: 0,
    };
    this.#after(20, 300, () => this.#admit(connection));
    return {
      get unacked() {
        return connection.unacked;
      },
      publish: (topic, payload) => this.#publish(connection, topic, Buffer.from(payload).toString()),
      end: (done) => {
        this.#leave(connection, 0);
        this.#after(1, 20, done);
      },
      // Without a DISCONNECT the broker may find out at once, or by the keep-alive.
      destroy: () => this.#leave(connection, this.#random.chance(0.5) ? 30_000 : 100),
    };
  }

  /** A former connection of the same device is taken over. */
  #admit(connection: Connection): void {
    const { deviceId, events } = connection;
    if (!connection.open || connection.deaf) return;
    if (this.#isAway()) {
      connection.open = false;
      events.disconnected({ reached: false, why: 'no broker' });
      return;
    }
    const session = this.#session(deviceId);
    if (session.connection) this.#drop(session.connection, 'taken over');
    session.connection = connection;
    connection.connectedAt = this.#time.now;
    this.#row({
      event: 'connected',
      clientid: deviceId,
      cert: certificateOf(deviceId),
      peername: '127.0.0.1:1',
      connected_at: connection.connectedAt,
    });
    this.#after(5, 100, () => {
      if (!connection.open) return;
      connection.subscribed = true;
      session.exists = true;
      this.#row({
        event: 'subscribed',
        clientid: deviceId,
        topic: mountedTopic(deviceId, requestTopic),
        cert: certificateOf(deviceId),
      });
      if (connection.deaf) return;
      events.connected();
      this.#deliver(session);
    });
  }

  #publish(connection: Connection, topic: string, payload: string): void {
    if (!connection.open || connection.deaf) return;
    this.onUplink(connection.deviceId, topic, payload);
    if (this.#random.chance(this.#trouble().breaks)) {
      this.#drop(connection, 'broken');
      return;
    }
    const life = this.#life;
    connection.unacked++;
    this.#after(5, 150, () => {
      connection.unacked--;
      if (life !== this.#life) return;
      this.#row({
        event: 'message',
        clientid: connection.deviceId,
        topic: mountedTopic(connection.deviceId, topic),
        payload,
        cert: certificateOf(connection.deviceId),
        received_at: this.#time.now,
      });
    });
  }

  /** What nobody has asked the broker for reaches the device, if it is there. */
  smuggle(deviceId: string, topic: string, payload: string): void {
    const { connection } = this.#session(deviceId);
    if (connection?.subscribed) this.#send(connection, topic, payload);
  }

  /** The device hears nothing more; the broker notices within that time. */
  #leave(connection: Connection, withinMs: number): void {
    connection.deaf = true;
    this.#after(0, withinMs, () => this.#drop(connection, 'closed'));
  }

  /** All connections, sessions and buffers are gone. */
  restart(forMs: number): void {
    this.#life++;
    this.#awayUntil = this.#time.now + forMs;
    for (const session of this.#sessions.values()) {
      const { connection } = session;
      Object.assign(session, { connection: null, exists: false, queue: [] });
      if (!connection) continue;
      connection.open = false;
      if (!connection.deaf) connection.events.disconnected({ reached: false, why: 'the broker is gone' });
    }
  }

  readonly publishBulk = async (messages: PublishMessage[]): Promise<PublishOutcome[]> => {
    await this.#time.delay(this.#random.int(1, 40));
    const fails = this.#isAway() || this.#random.chance(this.#trouble().apiFails);
    if (fails && (this.#isAway() || this.#random.chance(0.5)))
      throw new EmqxError('broker_unreachable', 'no connection');
    const outcomes = messages.map((message) => this.#take(message));
    if (fails) throw new EmqxError('broker_unreachable', 'the answer was lost');
    return outcomes;
  };

  runningNodes = async () => ['emqx@127.0.0.1'];

  async *listClients({ connected, ids }: { connected?: boolean; ids?: string[] } = {}) {
    await this.#time.delay(this.#random.int(5, 50));
    if (this.#isAway()) throw new EmqxError('broker_unreachable', 'no connection');
    yield [...this.#sessions]
      .filter(([, s]) => s.connection !== null || s.exists)
      .map(([clientid, { connection }]) => ({
        clientid,
        connected: connection !== null,
        connectedAt: connection?.connectedAt ?? null,
      }))
      .filter((client) => connected === undefined || client.connected === connected)
      .filter((client) => ids === undefined || ids.includes(client.clientid));
  }

  readonly kick = async (deviceId: string): Promise<boolean> => {
    const { connection } = this.#session(deviceId);
    if (connection) this.#drop(connection, 'kicked');
    return connection !== null;
  };
  readonly ban = async (): Promise<void> => {};
  readonly unban = async (): Promise<void> => {};
  close(): void {}

  #take(message: PublishMessage): PublishOutcome {
    const [, deviceId, topic] = /^devices\/([^/]+)\/(.+)$/.exec(message.topic)!;
    const session = this.#session(deviceId!);
    this.onAsk(deviceId!, topic!, message.payload);
    if (!session.exists && !session.connection?.subscribed) return { kind: 'no_subscriber' };
    this.onPublish(deviceId!, topic!, message.payload);
    if (message.qos === 0) {
      if (session.connection?.subscribed) this.#send(session.connection, topic!, message.payload);
      return { kind: 'routed' };
    }
    const expiresAt = this.#time.now + (message.messageExpirySeconds ?? 86_400) * 1_000;
    session.queue.push({ topic: topic!, payload: message.payload, expiresAt });
    this.#deliver(session);
    return { kind: 'routed' };
  }

  /** What is queued goes out, again from its beginning after every connect: the device sees some of it twice. */
  #deliver(session: Session): void {
    const { connection } = session;
    if (!connection?.subscribed) return;
    session.queue = session.queue.filter((m) => m.expiresAt > this.#time.now);
    for (const queued of session.queue) {
      this.#send(connection, queued.topic, queued.payload, () => {
        session.queue = session.queue.filter((m) => m !== queued);
      });
    }
  }

  #send(connection: Connection, topic: string, payload: string, acknowledged = () => {}): void {
    this.#after(5, 200, () => {
      if (!connection.open || connection.deaf) return;
      if (this.#random.chance(this.#trouble().breaks)) {
        this.#drop(connection, 'broken');
        return;
      }
      this.onDeliver(connection.deviceId, topic, payload);
      connection.events.message(topic, Buffer.from(payload), () => {
        // The PUBACK may get lost with the connection.
        if (!this.#random.chance(this.#trouble().breaks)) acknowledged();
      });
    });
  }

  #drop(connection: Connection, why: string): void {
    if (!connection.open) return;
    connection.open = false;
    const session = this.#session(connection.deviceId);
    if (session.connection === connection) {
      session.connection = null;
      this.#row({
        event: 'disconnected',
        clientid: connection.deviceId,
        reason: why,
        connected_at: connection.connectedAt,
        disconnected_at: this.#time.now,
      });
    }
    if (!connection.deaf) connection.events.disconnected({ reached: false, why });
  }

  /** The HTTP action: late, in no order, twice when an answer is lost, until it is taken. */
  #row(row: BrokerEvent): void {
    const life = this.#life;
    const attempt = async (): Promise<void> => {
      if (life !== this.#life) return;
      const repeat = this.#random.chance(this.#trouble().repeats);
      if ((await this.#post(row)) === 'again' || repeat)
        this.#time.after(this.#random.int(1, 5) * postGridMs, () => void attempt());
    };
    // On a grid, so that rows of many devices arrive together, as they do in a large fleet: a group costs as much as a row.
    const beats = this.#random.pick([1, 1, 1, 2, 3]);
    this.#time.after(beats * postGridMs - (this.#time.now % postGridMs), () => void attempt());
  }

  #session(deviceId: string): Session {
    let session = this.#sessions.get(deviceId);
    if (!session) {
      session = { connection: null, exists: false, queue: [] };
      this.#sessions.set(deviceId, session);
    }
    return session;
  }

  #isAway(): boolean {
    return this.#time.now < this.#awayUntil;
  }

  #after(fromMs: number, toMs: number, work: () => void): void {
    this.#time.after(this.#random.int(fromMs, toMs), work);
  }
}

const certificateOf = (deviceId: string) => `SERIALNUMBER=0A,CN=${deviceId}`;
