/**
 * The listener's mountpoint as a packet codec between a device's TLS socket and aedes: the client id becomes the
 * certificate's name, topics get the prefix on their way in and lose it on their way out, and the ACL is asked in between
 * with the short topic, as EMQX asks it.
 */
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import mqtt, {
  type IConnectPacket,
  type IPublishPacket,
  type ISubscribePacket,
  type Packet,
} from 'mqtt-packet';
import type { Acl } from './acl.ts';
import { FrameError, Frames } from './frames.ts';
import { Limiter } from './limiter.ts';
import { hasWildcard } from './topic.ts';
import { findFlaw } from './well-formed.ts';

export interface Mount {
  clientid: string;
  /** With its last slash: `devices/dev-1/`. */
  prefix: string;
  acl: Acl;
  maxPacketBytes: number;
  messagesPerSecond: number;
  bytesPerSecond: number;
  /** How long a peer may take over the last packets before it is cut off. */
  lingerMs?: number;
  isBanned(): boolean;
  /** CONNECT was refused before the broker saw it. */
  onRefused(reason: string): void;
  onConnect(packet: { clean: boolean; keepalive: number; protocolVersion: number }): void;
  /** After the broker has granted them; mounted topics. */
  onSubscribed(subscriptions: { topic: string; qos: number }[]): void;
  onUnsubscribed(topics: string[]): void;
}

const refused = 128;
/** MQTT 3.1.1 §3.2.2.3. */
const notAuthorized = 5;
/** MQTT 5 §3.2.2.2: Unsupported Protocol Version. */
const unsupportedVersion = 0x84;

export class MountStream extends Duplex {
  /** Why the connection ended, in EMQX's words; the first who knows says it. */
  reason: string | null = null;
  private readonly socket: TLSSocket;
  private readonly mount: Mount;
  private readonly frames: Frames;
  private readonly fromDevice = mqtt.parser();
  private readonly fromBroker = mqtt.parser();
  private readonly subscribing = new Map<number, { topic: string; qos: number; allowed: boolean }[]>();
  /** QoS 2 messages that were refused: their handshake is finished here. */
  private readonly deniedIds = new Set<number>();
  private readonly limiters: [packets: Limiter, bytes: Limiter];
  /** While the device waits for its rate: nothing is read from it. */
  private held: NodeJS.Timeout | null = null;
  private connected = false;

  constructor(socket: TLSSocket, mount: Mount) {
    super({ emitClose: true, autoDestroy: true });
    this.socket = socket;
    this.mount = mount;
    this.frames = new Frames(mount.maxPacketBytes);
    this.limiters = [new Limiter(mount.messagesPerSecond), new Limiter(mount.bytesPerSecond)];
    this.fromDevice.on('packet', (packet: Packet) => this.receive(packet));
    this.fromDevice.on('error', (error: Error) => this.refuse(error));
    this.fromBroker.on('packet', (packet: Packet) => this.deliver(packet));
    this.fromBroker.on('error', (error: Error) => this.destroy(error));
    socket.on('data', (chunk: Buffer) => this.pace(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  endsBecause(reason: string): void {
    this.reason ??= reason;
  }

  override _read(): void {
    if (!this.held) this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.cork();
    process.nextTick(() => this.socket.uncork());
    try {
      this.fromBroker.parse(chunk);
    } catch (error) {
      done(error as Error);
      return;
    }
    if (this.socket.writableNeedDrain && !this.socket.destroyed) this.socket.once('drain', () => done());
    else done();
  }

  override _final(done: () => void): void {
    this.socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.held) clearTimeout(this.held);
    // destroySoon() lets the last packets out; a peer that does not take them is cut off.
    if (error || this.socket.writableNeedDrain) this.socket.destroy();
    else {
      this.socket.destroySoon();
      const patience = setTimeout(() => this.socket.destroy(), this.mount.lingerMs ?? 5_000);
      this.socket.once('close', () => clearTimeout(patience));
    }
    done(error);
  }

  /** Every packet counts, as in EMQX, and what has come is handled when the rate allows it, not dropped. */
  private pace(chunk: Buffer): void {
    this.safely(() => {
      const frames = [...this.frames.take(chunk)];
      this.goOn(frames, [frames.length, chunk.length]);
    });
  }

  private goOn(frames: Buffer[], counts: [number, number]): void {
    const waitMs = Math.max(...this.limiters.map((limiter, i) => limiter.take(counts[i]!)));
    if (waitMs > 0) {
      this.socket.pause();
      this.held = setTimeout(() => this.safely(() => this.goOn(frames, [0, 0])), waitMs);
      return;
    }
    const wasHeld = this.held !== null;
    this.held = null;
    for (const frame of frames) if (!this.destroyed) this.fromDevice.parse(frame);
    if (wasHeld && !this.destroyed) this.socket.resume();
  }

  /** Whatever a packet makes throw, here or in the codec, ends this connection and nothing else. */
  private safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.refuse(error as Error);
    }
  }

  private refuse(error: Error): void {
    this.endsBecause(error instanceof FrameError ? error.reason : 'frame_error');
    this.destroy(error);
  }

  private receive(packet: Packet): void {
    const flaw = findFlaw(packet);
    if (flaw || (packet.cmd !== 'connect' && !this.connected))
      throw new Error(flaw ?? `${packet.cmd}: before CONNECT`);
    if (packet.cmd === 'connect') this.connect(packet);
    else if (packet.cmd === 'publish') this.publish(packet);
    else if (packet.cmd === 'subscribe') this.subscribe(packet);
    else if (packet.cmd === 'unsubscribe') {
      const topics = packet.unsubscriptions.map((topic) => this.mount.prefix + topic);
      this.mount.onUnsubscribed(topics);
      this.forward({ ...packet, unsubscriptions: topics });
    } else if (packet.cmd === 'pubrel' && this.deniedIds.delete(packet.messageId!))
      this.answer({ cmd: 'pubcomp', messageId: packet.messageId });
    else {
      if (packet.cmd === 'disconnect') this.endsBecause('normal');
      this.forward(packet);
    }
  }

  private connect(packet: IConnectPacket): void {
    if (this.connected) throw new Error('CONNECT twice');
    this.connected = true;
    if (packet.protocolVersion === 5) {
      const connack = { cmd: 'connack', reasonCode: unsupportedVersion, sessionPresent: false } as Packet;
      this.mount.onRefused('MQTT 5: this stand-in speaks 3.1 and 3.1.1, EMQX speaks 5');
      this.socket.write(mqtt.generate(connack, { protocolVersion: 5 }));
      this.destroy();
      return;
    }
    if (this.mount.isBanned()) {
      this.answer({ cmd: 'connack', returnCode: notAuthorized, sessionPresent: false });
      this.destroy();
      return;
    }
    const { clientid, prefix } = this.mount;
    const { will, ...rest } = packet;
    const connect: IConnectPacket = { ...rest, clientId: clientid };
    if (will && this.allows('publish', will.topic)) connect.will = { ...will, topic: prefix + will.topic };
    this.mount.onConnect({
      clean: packet.clean ?? true,
      keepalive: packet.keepalive ?? 0,
      protocolVersion: packet.protocolVersion ?? 4,
    });
    this.forward(connect);
  }

  /** EMQX's deny_action = ignore: the message is acknowledged and goes nowhere. */
  private publish(packet: IPublishPacket): void {
    if (this.allows('publish', packet.topic)) {
      this.forward({ ...packet, topic: this.mount.prefix + packet.topic });
    } else if (packet.qos === 1) {
      this.answer({ cmd: 'puback', messageId: packet.messageId });
    } else if (packet.qos === 2) {
      this.deniedIds.add(packet.messageId!);
      this.answer({ cmd: 'pubrec', messageId: packet.messageId });
    }
  }

  private subscribe(packet: ISubscribePacket): void {
    const asked = packet.subscriptions.map(({ topic, qos }) => ({
      topic: this.mount.prefix + topic,
      qos,
      // Wildcards are for the rules; the ACL lets no device at one.
      allowed: !hasWildcard(topic) && this.allows('subscribe', topic),
    }));
    const allowed = new Map(asked.filter((one) => one.allowed).map((one) => [one.topic, one.qos]));
    if (allowed.size === 0) {
      this.answer({ cmd: 'suback', messageId: packet.messageId, granted: asked.map(() => refused) });
      return;
    }
    this.subscribing.set(packet.messageId!, asked);
    const subscriptions = [...allowed].map(([topic, qos]) => ({ topic, qos }));
    this.forward({ ...packet, subscriptions });
  }

  private deliver(packet: Packet): void {
    const { prefix } = this.mount;
    if (packet.cmd === 'publish') {
      if (packet.topic.startsWith(prefix))
        this.answer({ ...packet, topic: packet.topic.slice(prefix.length) });
    } else if (packet.cmd === 'suback') {
      const asked = this.subscribing.get(packet.messageId!) ?? [];
      this.subscribing.delete(packet.messageId!);
      this.answer({ ...packet, granted: asked.map(({ allowed, qos }) => (allowed ? qos : refused)) });
      this.mount.onSubscribed(asked.filter((one) => one.allowed));
    } else this.answer(packet);
  }

  private allows(action: 'publish' | 'subscribe', topic: string): boolean {
    return this.mount.acl({ clientid: this.mount.clientid }, action, topic);
  }

  private forward(packet: Packet): void {
    if (!this.push(mqtt.generate(packet))) this.socket.pause();
  }

  private answer(packet: Packet): void {
    if (!this.socket.destroyed && this.socket.writable) this.socket.write(mqtt.generate(packet));
  }
}
