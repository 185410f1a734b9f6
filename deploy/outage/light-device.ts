/** A device that only talks: the virtual device's own session and outbox, and messages made up by a test. Hundreds fit in a process. */
import { createHash } from 'node:crypto';
import { ackSchema, certRenewResponseSchema, type UplinkTopic } from '#emqx/protocol.ts';
import type { KeyPair } from '#firmware/virtual/identity.ts';
import { plainNetwork } from '#firmware/virtual/network.ts';
import { type Timing, toSettings } from '#firmware/virtual/options.ts';
import {
  acknowledge,
  enqueue,
  OutboxSender,
  randomId,
  type StoredMessage,
} from '#firmware/virtual/outbox.ts';
import { Session } from '#firmware/virtual/session.ts';
import { Timers } from '#firmware/virtual/timers.ts';

export interface Report {
  id: string;
  /** As the webhook computes it: SHA-256 of topic and payload. */
  digest: string;
}

export interface LightDevice {
  id: string;
  /** Every critical message that it ever made, oldest first. */
  reports: Report[];
  /** Those that nobody has acked. */
  waiting(): number;
  /** The others. */
  acked(): Report[];
  online(): boolean;
  /** Makes a critical message; it is sent until it is acked. Answers its number, which orders them. */
  report(): number;
  /** Asks for a certificate with a CSR that is none. */
  askForCertificate(): void;
  /** How many answers each such request got. */
  answers: Map<string, number>;
  telemetry(bytes: number): void;
  close(): Promise<void>;
}

export function startLightDevice(options: {
  id: string;
  pair: KeyPair;
  mqttUrl: string;
  trust: string;
  timing: Partial<Timing>;
}): LightDevice {
  const { id, pair } = options;
  const settings = toSettings({ ...options, dir: '', hardware: 'esp32-s3', signingKeys: { keys: [] } });
  const timers = new Timers((task) => task());
  let outbox: StoredMessage[] = [];
  let number = 0;

  const session = new Session({
    settings,
    network: plainNetwork,
    timers,
    run: (task) => task(),
    keyPair: () => pair,
    online: () => sender.online(),
    offline: () => sender.offline(),
    async message(topic, payload) {
      const body: unknown = JSON.parse(payload.toString('utf8'));
      if (topic === 'ack') {
        outbox = acknowledge(outbox, ackSchema.parse(body).ids);
        sender.pump();
      } else if (topic === 'cert/renew/response') {
        const { request } = certRenewResponseSchema.parse(body);
        device.answers.set(request, (device.answers.get(request) ?? 0) + 1);
      }
    },
  });
  const sender = new OutboxSender({
    messages: () => outbox,
    publish: ({ topic, payload }) => session.publish(topic, payload, { droppable: false }),
    timers,
    minMs: settings.timing.resendMinMs,
    maxMs: settings.timing.resendMaxMs,
    random: Math.random,
  });

  function send(topic: UplinkTopic, body: object): string {
    const message = { id: randomId(), at: null, seq: [1, ++number], ...body };
    const payload = JSON.stringify(message);
    outbox = enqueue(outbox, { id: message.id, topic, payload }, Number.POSITIVE_INFINITY);
    const digest = createHash('sha256').update(`${topic}\n${payload}`).digest('hex');
    device.reports.push({ id: message.id, digest });
    sender.pump();
    return message.id;
  }

  const device: LightDevice = {
    id,
    reports: [],
    answers: new Map(),
    waiting: () => outbox.length,
    acked() {
      const waiting = new Set(outbox.map(({ id }) => id));
      return device.reports.filter((report) => !waiting.has(report.id));
    },
    online: () => session.online,
    report() {
      const running = {
        component: 'main',
        version: `1.0.${number + 1}`,
        securityVersion: 0,
        sha256: '0'.repeat(64),
      };
      send('status/health', { state: 'ok', running: [running] });
      return number;
    },
    askForCertificate() {
      device.answers.set(send('cert/renew/request', { csr: 'none' }), 0);
    },
    telemetry(bytes) {
      const body = { id: randomId(), at: null, level: 'info', message: 'x'.repeat(bytes) };
      session.publish('log', JSON.stringify(body), { droppable: false });
    },
    async close() {
      timers.stop();
      await session.close(false);
    },
  };
  session.connect();
  return device;
}
