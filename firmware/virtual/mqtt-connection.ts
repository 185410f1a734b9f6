import type { Duplex } from 'node:stream';
import { generate, type IPublishPacket, type Packet, parser, writeToStream } from 'mqtt-packet';

// It would keep 65,536 buffers, ready-made: more than a hundred devices cost.
writeToStream.cacheNumbers = false;

/** As EMQX has it. Below that, what is too long for us is taken and thrown away: a broker that is not acked sends it for ever. */
const packetMaxBytes = 1024 * 1024;
const hangUpMs = 500;

export interface MqttHost {
  /** The broker has let us in. */
  accepted(): void;
  /** One at a time; the PUBACK goes out when `done` is called. */
  message(topic: string, payload: Buffer, done: () => void): void;
  closed(why: string): void;
}

/**
 * One MQTT 3.1.1 connection over a socket that may still be opening: a persistent session, QoS 1 both ways. It ends when either
 * side wants, or when the broker is silent for more than a keep-alive; what was not acked by then is forgotten.
 */
export class MqttConnection {
  readonly #socket: Duplex;
  readonly #host: MqttHost;
  readonly #parser = parser({ protocolVersion: 4 });
  /** Who waits for an ack, by message id. */
  readonly #waiting = new Map<number, (granted: unknown[]) => void>();
  readonly #incoming: IPublishPacket[] = [];
  readonly #keepalive: NodeJS.Timeout;
  #lastId = 0;
  #heard = true;
  #accepted = false;
  #handling = false;
  #ending = false;
  #why = 'closed';

  constructor(socket: Duplex, options: { clientId: string; keepaliveMs: number }, host: MqttHost) {
    const { clientId, keepaliveMs } = options;
    this.#socket = socket;
    this.#host = host;
    this.#parser.on('packet', (packet) => this.#take(packet));
    this.#parser.on('error', (error: Error) => this.destroy(error.message));
    this.#keepalive = setInterval(() => this.#checkAlive(), keepaliveMs);
    socket.on('data', (data: Buffer) => {
      if (this.#parser.parse(data) > packetMaxBytes) this.destroy('a packet that is too large');
      else if (this.#incoming.length > 0) this.#handle();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#why = error.message || error.code || 'error';
    });
    socket.on('end', () => socket.destroy());
    socket.once('close', () => {
      clearInterval(this.#keepalive);
      this.#waiting.clear();
      host.closed(this.#why);
    });
    const keepalive = Math.min(65_535, Math.max(1, Math.round(keepaliveMs / 1000)));
    this.#send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: false, clientId, keepalive });
  }

  /** Publishes and subscriptions that the broker has not acked. */
  get unacked(): number {
    return this.#waiting.size;
  }

  publish(topic: string, payload: Buffer): void {
    const messageId = this.#expectAck(() => {});
    this.#send({ cmd: 'publish', topic, payload, qos: 1, messageId, dup: false, retain: false });
  }

  /** `done` is called when the broker grants all of them; when it does not, the connection ends. */
  subscribe(topics: string[], done: () => void): void {
    const messageId = this.#expectAck((granted) => {
      // [MQTT-3.9.3-2] 0x80: failure.
      if (granted.some((qos) => Number(qos) > 2)) this.destroy('subscription refused');
      else done();
    });
    const subscriptions = topics.map((topic) => ({ topic, qos: 1 as const }));
    this.#send({ cmd: 'subscribe', messageId, subscriptions });
  }

  /** Says DISCONNECT once what is on its way has been acked, or ends without after half a second. */
  end(): Promise<void> {
    if (this.#socket.closed) return Promise.resolve();
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    if (!this.#accepted) this.#socket.destroy();
    else if (!this.#ending) {
      const giveUp = setTimeout(() => this.#socket.destroy(), hangUpMs);
      void closed.then(() => clearTimeout(giveUp));
      this.#ending = true;
      this.#sayGoodbye();
    }
    return closed;
  }

  destroy(why = this.#why): void {
    this.#why = why;
    this.#socket.destroy();
  }

  #take(packet: Packet): void {
    this.#heard = true;
    switch (packet.cmd) {
      case 'connack':
        if (packet.returnCode !== 0) this.destroy(`connection refused: ${packet.returnCode}`);
        else {
          this.#accepted = true;
          this.#host.accepted();
        }
        return;
      case 'publish':
        // Nothing was subscribed with QoS 2.
        if (packet.qos > 1) this.destroy('a message with QoS 2');
        else if (!this.#ending) this.#incoming.push(packet);
        return;
      case 'puback':
      case 'suback': {
        const done = this.#waiting.get(packet.messageId!);
        this.#waiting.delete(packet.messageId!);
        done?.(packet.cmd === 'suback' ? packet.granted : []);
        if (this.#ending) this.#sayGoodbye();
        return;
      }
      case 'pingresp':
        return;
      default:
        this.destroy(`unexpected ${packet.cmd}`);
    }
  }

  /** In order, one after the other; what comes meanwhile waits in the socket. */
  #handle(): void {
    if (this.#handling || this.#socket.destroyed) return;
    const packet = this.#incoming.shift();
    if (!packet) {
      this.#socket.resume();
      return;
    }
    this.#handling = true;
    this.#socket.pause();
    this.#host.message(packet.topic, packet.payload as Buffer, () => {
      if (packet.qos === 1) this.#send({ cmd: 'puback', messageId: packet.messageId });
      this.#handling = false;
      this.#handle();
    });
  }

  #expectAck(done: (granted: unknown[]) => void): number {
    do this.#lastId = (this.#lastId % 65_535) + 1;
    while (this.#waiting.has(this.#lastId));
    this.#waiting.set(this.#lastId, done);
    return this.#lastId;
  }

  #checkAlive(): void {
    if (!this.#heard) this.destroy('the broker is silent');
    this.#heard = false;
    if (this.#accepted) this.#send({ cmd: 'pingreq' });
  }

  #sayGoodbye(): void {
    if (this.#waiting.size === 0 && this.#socket.writable) this.#socket.end(generate({ cmd: 'disconnect' }));
  }

  #send(packet: Packet): void {
    if (this.#socket.writable) this.#socket.write(generate(packet));
  }
}
