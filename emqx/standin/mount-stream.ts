/**
 * The listener's mountpoint as a packet codec between a device's TLS socket and aedes: the client id becomes the
 * certificate's name, topics get the prefix on their way in and lose it on their way out, and the ACL is asked in between
 * with the short topic, as EMQX asks it.
 */
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import mqtt, { type IConnectPacket, type ISubscribePacket, type Packet } from 'mqtt-packet';
import type { Acl } from './acl.ts';
import { FrameError, Frames } from './frames.ts';
import { findFlaw } from './well-formed.ts';

export interface Mount {
  clientid: string;
  /** With its last slash: `devices/dev-1/`. */
  prefix: string;
  acl: Acl;
  maxPacketBytes: number;
  /** How long a peer may take over the last packets before it is cut off. */
  lingerMs?: number;
  isBanned(): boolean;
  /** CONNECT was refused before the broker saw it. */
  onRefused(reason: string): void;
  onConnect(packet: { clean: boolean; keepalive: number; protocolVersion: number }): void;
}

const refused = 128;
/** Where goes what the ACL refuses, for EMQX's deny_action = ignore acknowledges it; no rule selects what begins with `$`. */
const unheard = '$refused/publish';
/** What is subscribed to instead of what the ACL refuses: nothing is published there. */
export const nowhere = '$refused/subscribe';
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
  /** By the SUBSCRIBE's id: what its SUBACK will say. */
  private readonly granting = new Map<number, number[]>();
  private connected = false;

  constructor(socket: TLSSocket, mount: Mount) {
    super({ emitClose: true, autoDestroy: true });
    this.socket = socket;
    this.mount = mount;
    this.frames = new Frames(mount.maxPacketBytes);
    this.fromDevice.on('packet', (packet: Packet) => this.receive(packet));
    this.fromDevice.on('error', (error: Error) => this.refuse(error));
    this.fromBroker.on('packet', (packet: Packet) => this.deliver(packet));
    this.fromBroker.on('error', (error: Error) => this.destroy(error));
    socket.on('data', (chunk: Buffer) => this.accept(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  endsBecause(reason: string): void {
    this.reason ??= reason;
  }

  override _read(): void {
    this.socket.resume();
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
    // destroySoon() lets the last packets out; a peer that does not take them is cut off.
    if (error || this.socket.writableNeedDrain) this.socket.destroy();
    else {
      this.socket.destroySoon();
      const patience = setTimeout(() => this.socket.destroy(), this.mount.lingerMs ?? 5_000);
      this.socket.once('close', () => clearTimeout(patience));
    }
    done(error);
  }

  /** Whatever a packet makes throw, here or in the codec, ends this connection and nothing else. */
  private accept(chunk: Buffer): void {
    try {
      for (const frame of this.frames.take(chunk)) if (!this.destroyed) this.fromDevice.parse(frame);
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
    else if (packet.cmd === 'publish')
      this.forward({ ...packet, topic: this.mounted('publish', packet.topic) ?? unheard });
    else if (packet.cmd === 'subscribe') this.subscribe(packet);
    else if (packet.cmd === 'unsubscribe')
      this.forward({
        ...packet,
        unsubscriptions: packet.unsubscriptions.map((topic) => this.mount.prefix + topic),
      });
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
    const { clientid } = this.mount;
    const { will, ...rest } = packet;
    const connect: IConnectPacket = { ...rest, clientId: clientid };
    const topic = will && this.mounted('publish', will.topic);
    if (topic) connect.will = { ...will, topic };
    this.mount.onConnect({
      clean: packet.clean ?? true,
      keepalive: packet.keepalive ?? 0,
      protocolVersion: packet.protocolVersion ?? 4,
    });
    this.forward(connect);
  }

  /** Wildcards are for the rules; the ACL lets no device at one. */
  private subscribe(packet: ISubscribePacket): void {
    const subscriptions = packet.subscriptions.map(({ topic, qos }) => ({
      topic: (/[+#]/.test(topic) ? null : this.mounted('subscribe', topic)) ?? nowhere,
      qos,
    }));
    const granted = subscriptions.map(({ topic, qos }) => (topic === nowhere ? refused : qos));
    this.granting.set(packet.messageId!, granted);
    this.forward({ ...packet, subscriptions });
  }

  private deliver(packet: Packet): void {
    const { prefix } = this.mount;
    if (packet.cmd === 'publish') {
      if (packet.topic.startsWith(prefix))
        this.answer({ ...packet, topic: packet.topic.slice(prefix.length) });
    } else if (packet.cmd === 'suback') {
      this.answer({ ...packet, granted: this.granting.get(packet.messageId!)! });
      this.granting.delete(packet.messageId!);
    } else this.answer(packet);
  }

  /** The topic with its prefix; null when the ACL refuses it. */
  private mounted(action: 'publish' | 'subscribe', topic: string): string | null {
    const { acl, clientid, prefix } = this.mount;
    return acl({ clientid }, action, topic) ? prefix + topic : null;
  }

  private forward(packet: Packet): void {
    if (!this.push(mqtt.generate(packet))) this.socket.pause();
  }

  private answer(packet: Packet): void {
    if (!this.socket.destroyed && this.socket.writable) this.socket.write(mqtt.generate(packet));
  }
}
