import { randomBytes, X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { Aedes, type Client } from 'aedes';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { type MessageOf, type Topic, topics, type UplinkTopic } from '#emqx/protocol.ts';

export interface Received {
  topic: UplinkTopic;
  message: Record<string, unknown>;
  payload: string;
}

/** A real broker behind mTLS that plays the webhook for one device: records, validates, and acks what is critical. */
export class Broker {
  readonly received: Received[] = [];
  /** What a device published against the protocol; a test ends with this empty. */
  readonly violations: string[] = [];
  /** Serial of the certificate of every accepted connection. */
  readonly serials: string[] = [];
  readonly subscriptions: string[] = [];
  acking = true;
  /** Serials to turn away. */
  readonly refused = new Set<string>();
  readonly port: number;
  readonly #server: tls.Server;
  readonly #aedes: Aedes;
  readonly #sockets = new Set<tls.TLSSocket>();
  down = false;

  private constructor(server: tls.Server, aedes: Aedes, port: number) {
    this.#server = server;
    this.#aedes = aedes;
    this.port = port;
    server.on('secureConnection', (socket) => this.#accept(socket));
    server.on('tlsClientError', () => {});
    aedes.on('publish', (packet, client) => {
      if (client) this.#record(packet.topic, packet.payload.toString());
    });
    aedes.on('subscribe', (list) => {
      for (const { topic } of list) this.subscriptions.push(topic);
    });
  }

  static async start(input: { key: string; certificate: string; trust: string }): Promise<Broker> {
    const aedes = await Aedes.createBroker();
    const server = tls.createServer({
      key: input.key,
      cert: input.certificate,
      ca: input.trust,
      requestCert: true,
      rejectUnauthorized: true,
    });
    return new Broker(server, aedes, await listen(server));
  }

  get url(): string {
    return `mqtts://127.0.0.1:${this.port}`;
  }

  send<T extends Topic>(topic: T, message: Omit<MessageOf<T>, 'id' | 'at'> & { id?: string }): void {
    this.sendRaw(
      topic,
      JSON.stringify({ id: randomBytes(12).toString('base64url'), at: new Date().toISOString(), ...message }),
    );
  }

  sendRaw(topic: string, payload: string): void {
    this.#aedes.publish(
      { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: false, dup: false },
      () => {},
    );
  }

  /** The messages on a topic, copies of the same one left out. */
  of(topic: UplinkTopic): Record<string, unknown>[] {
    const first = new Map<unknown, Record<string, unknown>>();
    for (const it of this.received)
      if (it.topic === topic && !first.has(it.message.id)) first.set(it.message.id, it.message);
    return [...first.values()];
  }

  /** The first message on the topic that fits, now or later. */
  async see(
    topic: UplinkTopic,
    fits: (message: Record<string, unknown>) => boolean = () => true,
    timeoutMs?: number,
  ): Promise<Record<string, unknown>> {
    return until(`${topic}`, () => this.of(topic).find(fits), timeoutMs);
  }

  kick(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.kick();
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: tls.TLSSocket): void {
    const serial = new X509Certificate(socket.getPeerCertificate().raw).serialNumber;
    socket.on('error', () => {});
    if (this.down || this.refused.has(serial)) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    this.serials.push(serial);
    socket.once('close', () => this.#sockets.delete(socket));
    const client: Client = this.#aedes.handle(socket);
    client.on('error', () => {});
  }

  #record(topic: string, payload: string): void {
    const known = Object.hasOwn(topics, topic) ? topics[topic as Topic] : undefined;
    let message: Record<string, unknown>;
    try {
      message = JSON.parse(payload);
    } catch {
      this.violations.push(`${topic}: not JSON`);
      return;
    }
    const parsed = known?.schema.safeParse(message);
    if (known?.direction !== 'up') this.violations.push(`${topic}: not an uplink topic`);
    else if (!parsed?.success) this.violations.push(`${topic}: ${parsed?.error.message} in ${payload}`);
    this.received.push({ topic: topic as UplinkTopic, message, payload });
    if (message.seq && this.acking) this.send('ack', { ids: [String(message.id)] } as never);
  }
}
