import { type DownlinkTopic, requestTopic, topics, type UplinkTopic } from '#emqx/protocol.ts';
import type { KeyPair } from './identity.ts';
import { MqttConnection } from './mqtt-connection.ts';
import type { Network } from './network.ts';
import type { Settings } from './options.ts';
import { backoffMs, type Timers } from './timers.ts';
import { openTls } from './transport.ts';

// The request topic last: its subscription is what the webhook waits for.
const downlinks = (Object.keys(topics) as (keyof typeof topics)[]).filter(
  (topic) => topics[topic].direction === 'down' && topic !== requestTopic,
);

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
 * The device's session with the broker: MQTT 3.1.1 over mTLS, persistent, connected again with jittered back-off for as long as it
 * is not closed. Each connection is a new one, so that each may use another certificate.
 */
export class Session {
  readonly #host: SessionHost;
  #connection: MqttConnection | null = null;
  #online = false;
  #closed = false;
  #failures = 0;
  #connects = 0;
  #cancelTimer: () => void = () => {};

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
    if (this.#closed || this.#connection) return;
    this.#cancelTimer();
    const { settings, network, timers, run } = this.#host;
    const pair = this.#host.keyPair();
    const url = new URL(settings.mqttUrl);
    const socket = openTls(network, settings.trust, {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || 8883),
      pair,
    });
    let reached = false;
    socket.once('secureConnect', () => {
      reached = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // An alert: somebody was there and did not like the certificate.
      if (error.code?.startsWith('ERR_SSL')) reached = true;
    });
    const { keepaliveMs, connectMs } = settings.timing;
    /** Runs what this connection brings for as long as it is the device's. */
    const runMine = (task: () => void) =>
      run(() => {
        if (this.#connection === connection) task();
      });
    const connection: MqttConnection = new MqttConnection(
      socket,
      { clientId: settings.id, keepaliveMs },
      {
        accepted: () =>
          runMine(() =>
            connection.subscribe(downlinks, () =>
              connection.subscribe([requestTopic], () => runMine(() => this.#isOnline(pair))),
            ),
          ),
        message: (topic, payload) =>
          new Promise((resolve, reject) =>
            runMine(() => {
              this.#host.message(topic as DownlinkTopic, payload).then(resolve, (error) => {
                reject(error);
                run(() => {
                  throw error;
                });
              });
            }),
          ),
        closed: (why) => runMine(() => this.#lost(pair, { why, reached })),
      },
    );
    this.#connection = connection;
    this.#cancelTimer = timers.after(connectMs, () => connection.destroy('no answer in time'));
  }

  /** Drops the connection and opens another, at once. */
  reconnect(): void {
    this.#failures = 0;
    if (this.#connection) void this.#connection.end();
    else this.connect();
  }

  /** Best effort. */
  publish(topic: UplinkTopic, payload: string, options: { droppable: boolean }): void {
    if (!this.#connection || !this.#online) return;
    if (options.droppable && this.#connection.unacked >= inflightMax) return;
    this.#host.settings.onPublish?.(topic);
    this.#connection.publish(topic, payload);
  }

  /** Ends at once and for good, politely when the power is still on. */
  async close(polite: boolean): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    const connection = this.#connection;
    this.#connection = null;
    this.#online = false;
    if (polite) await connection?.end();
    else connection?.destroy();
  }

  #isOnline(pair: KeyPair): void {
    this.#cancelTimer();
    this.#online = true;
    this.#failures = 0;
    this.#connects++;
    this.#host.online(pair);
  }

  #lost(pair: KeyPair, end: { why: string; reached: boolean }): void {
    const wasOnline = this.#online;
    this.#connection = null;
    this.#online = false;
    this.#cancelTimer();
    this.#host.offline(pair, { ...end, wasOnline });
    if (this.#closed) return;
    const { timing, random } = this.#host.settings;
    const delay = backoffMs(this.#failures++, timing.reconnectMinMs, timing.reconnectMaxMs, random);
    this.#cancelTimer = this.#host.timers.after(delay, () => this.connect());
  }
}
