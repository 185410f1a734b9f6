/** A device that only talks: the virtual device's own MQTT, and messages made up by a test. Hundreds fit in a process. */
import { createHash, randomBytes } from 'node:crypto';
import { ackSchema, certRenewResponseSchema, type UplinkTopic } from '#emqx/protocol.ts';
import type { KeyPair } from '#firmware/virtual/identity.ts';
import { MqttBroker } from '#firmware/virtual/mqtt-broker.ts';
import { plainNetwork } from '#firmware/virtual/network.ts';
import { defaultTiming, type Timing } from '#firmware/virtual/options.ts';
import type { BrokerConnection } from '#firmware/virtual/port.ts';

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

interface Waiting {
  topic: UplinkTopic;
  payload: Buffer;
  tries: number;
  dueAt: number;
}

const lookMs = 50;

export function startLightDevice(options: {
  id: string;
  pair: KeyPair;
  mqttUrl: string;
  trust: string;
  timing: Partial<Timing>;
}): LightDevice {
  const { id, pair, trust, mqttUrl: url } = options;
  const timing = { ...defaultTiming, ...options.timing };
  const { keepaliveMs, resendMinMs, resendMaxMs, reconnectMinMs, reconnectMaxMs, connectMs } = timing;
  const broker = new MqttBroker(plainNetwork, { id, url, trust, keepaliveMs });
  const outbox = new Map<string, Waiting>();
  let number = 0;
  let connection: BrokerConnection | null = null;
  let online = false;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;
  let late: NodeJS.Timeout | undefined;

  function connect(): void {
    late = setTimeout(() => lost(true), connectMs);
    const lost = (destroy = false) => {
      clearTimeout(late);
      if (destroy) connection?.destroy();
      connection = null;
      online = false;
      retry = setTimeout(connect, backoffMs(failures++, reconnectMinMs, reconnectMaxMs));
    };
    connection = broker.connect(pair, {
      connected: () => {
        clearTimeout(late);
        online = true;
        failures = 0;
        for (const message of outbox.values()) message.dueAt = 0;
        pump();
      },
      message: (topic, payload, done) => {
        const body: unknown = JSON.parse(Buffer.from(payload).toString());
        if (topic === 'ack') for (const acked of ackSchema.parse(body).ids) outbox.delete(acked);
        else if (topic === 'cert/renew/response') {
          const { request } = certRenewResponseSchema.parse(body);
          device.answers.set(request, (device.answers.get(request) ?? 0) + 1);
        }
        done();
      },
      disconnected: () => lost(),
    });
  }

  function pump(): void {
    const now = Date.now();
    for (const message of online ? outbox.values() : []) {
      if (message.dueAt > now) continue;
      connection?.publish(message.topic, message.payload);
      message.dueAt = now + backoffMs(message.tries++, resendMinMs, resendMaxMs);
    }
  }
  const pumping = setInterval(pump, lookMs);

  function send(topic: UplinkTopic, body: object): string {
    const message = { id: newId(), at: null, seq: [1, ++number], ...body };
    const payload = JSON.stringify(message);
    outbox.set(message.id, { topic, payload: Buffer.from(payload), tries: 0, dueAt: 0 });
    const digest = createHash('sha256').update(`${topic}\n${payload}`).digest('hex');
    device.reports.push({ id: message.id, digest });
    pump();
    return message.id;
  }

  const device: LightDevice = {
    id,
    reports: [],
    answers: new Map(),
    waiting: () => outbox.size,
    acked: () => device.reports.filter((report) => !outbox.has(report.id)),
    online: () => online,
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
      const body = { id: newId(), at: null, level: 'info', message: 'x'.repeat(bytes) };
      if (online) connection?.publish('log', Buffer.from(JSON.stringify(body)));
    },
    async close() {
      clearInterval(pumping);
      clearTimeout(retry);
      clearTimeout(late);
      connection?.destroy();
      connection = null;
      online = false;
    },
  };
  connect();
  return device;
}

function newId(): string {
  return randomBytes(12).toString('base64url');
}

function backoffMs(tries: number, minMs: number, maxMs: number): number {
  return Math.min(maxMs, minMs * 2 ** Math.min(tries, 30)) * (0.5 + Math.random() / 2);
}
