import tls from 'node:tls';
import { MqttClient } from 'mqtt';
import { type DownlinkTopic, requestTopic, topics, type UplinkTopic } from '#emqx/protocol.ts';
import type { KeyPair } from './identity.ts';
import type { Network } from './network.ts';
import type { Settings } from './options.ts';
import { backoffMs, type Timers } from './timers.ts';

/** Telemetry beyond so many unanswered publishes is dropped: a slow link must not fill the memory. */
const inflightMax = 16;

export interface SessionHost {
  settings: Settings;
  network: Network;
  timers: Timers;
  /** Runs what a socket event triggers; decides what an exception means. */
  run(task: () => void): void;
  /** The key pair for the next connect. */
  keyPair(): KeyPair;
  /** Connected and subscribed, with this pair. */
  online(pair: KeyPair): void;
  /** The connection is gone, or this attempt failed; `reached` when a broker was there to say no. */
  offline(pair: KeyPair, end: { wasOnline: boolean; reached: boolean; why: string }): void;
  /** The broker gets its PUBACK when this resolves. */
  message(topic: DownlinkTopic, payload: Buffer): Promise<void>;
}

/**
 * The device's MQTT connection: MQTT 3.1.1 over mTLS, persistent session, connected again with jittered back-off for as
 * long as it is not closed. Each connection is a new client, so that each may use another certificate.
 */
export class Session {
  readonly #host: SessionHost;
  #client: MqttClient | null = null;
  #online = false;
  #closed = false;
  #failures = 0;
  #connects = 0;
  #inflight = 0;
  #cancelRetry: () => void = () => {};

  constructor(host: SessionHost) {
    this.#host = host;
  }

  get online(): boolean {
    return this.#online;
  }

  get reconnects(): number {
    return Math.max(0, this.#connects - 1);
  }

  connect(): void {
    if (this.#closed || this.#client) return;
    this.#cancelRetry();
    const { settings, run } = this.#host;
    const pair = this.#host.keyPair();
    let why = 'closed';
    let reached = false;
    const client: MqttClient = new MqttClient(
      () => {
        const socket = this.#openTls(pair);
        socket.once('secureConnect', () => {
          reached = true;
        });
        socket.on('error', (error: NodeJS.ErrnoException) => {
          why = error.message || error.code || 'error';
          // An alert: somebody was there and did not like the certificate.
          if (error.code?.startsWith('ERR_SSL')) reached = true;
        });
        return socket;
      },
      {
        protocolVersion: 4,
        clientId: settings.id,
        clean: false,
        reconnectPeriod: 0,
        connectTimeout: settings.timing.connectMs,
        keepalive: Math.max(1, Math.round(settings.timing.keepaliveMs / 1000)),
        queueQoSZero: false,
        resubscribe: false,
        timerVariant: 'native',
        manualConnect: true,
      },
    );
    this.#client = client;
    client.handleMessage = (packet, done) => {
      if (this.#client !== client) return;
      run(() => {
        const answer = this.#host.message(packet.topic as DownlinkTopic, packet.payload as Buffer);
        answer.then(() => done()).catch((error) => run(() => raise(error)));
      });
    };
    client.on('connect', () => run(() => this.#subscribe(client, pair)));
    client.on('error', (error) => {
      why = error.message || (error as NodeJS.ErrnoException).code || 'error';
      client.stream?.destroy();
    });
    client.once('close', () => run(() => this.#lost(client, pair, { why, reached })));
    client.connect();
  }

  /** Drops the connection and opens another, at once. */
  reconnect(): void {
    const client = this.#client;
    this.#failures = 0;
    if (client) void hangUp(client);
    else this.connect();
  }

  /** Best effort; `done` hears whether the broker has it. */
  publish(topic: UplinkTopic, payload: string, options: { droppable: boolean }): void {
    if (!this.#client || !this.#online) return;
    if (options.droppable && this.#inflight >= inflightMax) return;
    this.#inflight++;
    this.#host.settings.onPublish?.(topic);
    this.#client.publish(topic, payload, { qos: 1 }, () => {
      this.#inflight--;
    });
  }

  /** Ends at once and for good, politely when the power is still on. */
  close(polite: boolean): Promise<void> {
    this.#closed = true;
    this.#cancelRetry();
    const client = this.#client;
    this.#client = null;
    this.#online = false;
    if (!client) return Promise.resolve();
    if (polite) return hangUp(client);
    client.end(true);
    client.stream?.destroy();
    return Promise.resolve();
  }

  #openTls(pair: KeyPair): tls.TLSSocket {
    const { settings, network } = this.#host;
    const url = new URL(settings.mqttUrl);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const raw = network.dial({ host, port: Number(url.port || 8883) });
    const socket = tls.connect({
      socket: raw,
      host,
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      key: pair.key,
      cert: `${pair.certificate.trimEnd()}\n${pair.chain}`,
      ca: settings.trust,
      minVersion: 'TLSv1.2',
    });
    raw.on('error', (error) => socket.destroy(error));
    raw.on('close', () => socket.destroy());
    return socket;
  }

  #subscribe(client: MqttClient, pair: KeyPair): void {
    if (this.#client !== client) return;
    const all = (Object.keys(topics) as (keyof typeof topics)[]).filter(
      (topic) => topics[topic].direction === 'down',
    );
    // The request topic last: its subscription is what the webhook waits for.
    const others = all.filter((topic) => topic !== requestTopic);
    const refused = (error: Error | null, granted?: { qos: number }[]) =>
      error !== null || (granted ?? []).some(({ qos }) => qos > 2);
    client.subscribe(others, { qos: 1 }, (error, granted) => {
      if (refused(error, granted)) return client.stream?.destroy();
      client.subscribe(requestTopic, { qos: 1 }, (failed, given) => {
        if (refused(failed, given)) return client.stream?.destroy();
        this.#host.run(() => {
          if (this.#client !== client) return;
          this.#online = true;
          this.#failures = 0;
          this.#connects++;
          this.#inflight = 0;
          this.#host.online(pair);
        });
      });
    });
  }

  #lost(client: MqttClient, pair: KeyPair, end: { why: string; reached: boolean }): void {
    if (this.#client !== client) return;
    const wasOnline = this.#online;
    this.#client = null;
    this.#online = false;
    client.end(true);
    this.#host.offline(pair, { ...end, wasOnline });
    if (this.#closed) return;
    const { timing, random } = this.#host.settings;
    const delay = backoffMs(this.#failures++, timing.reconnectMinMs, timing.reconnectMaxMs, random);
    this.#cancelRetry = this.#host.timers.after(delay, () => this.connect());
  }
}

/** Says DISCONNECT once what is on its way has been acked, or after half a second. */
function hangUp(client: MqttClient): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = setTimeout(() => client.stream?.destroy(), 500);
    client.once('close', () => {
      clearTimeout(giveUp);
      resolve();
    });
    client.end(false);
    if (!client.connected) client.stream?.destroy();
    if (client.stream?.destroyed) {
      clearTimeout(giveUp);
      resolve();
    }
  });
}

function raise(error: unknown): never {
  throw error;
}
