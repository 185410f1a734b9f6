/** A stand-in on free ports with the repository's ACL, a webhook that records, and devices with certificates. */
import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { type Broker, type BrokerOptions, startBroker } from './broker.ts';
import type { EngineConfig } from './configuration.ts';
import { createTestCa, type TestCa, type TestPair } from './test-certificates.ts';

export const acl = readFileSync(new URL('../conf/acl.conf', import.meta.url), 'utf8');

export interface Sink {
  url: string;
  requests: {
    method: string;
    path: string;
    headers: http.IncomingHttpHeaders;
    body: string;
    bytes: Buffer;
    at: number;
  }[];
  rows(): Record<string, unknown>[];
  /** Answers the next requests; the default is 204. */
  respond: (request: IncomingMessage, response: ServerResponse, body: string) => void;
  close(): Promise<void>;
}

export async function startSink(port = 0): Promise<Sink> {
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const body = bytes.toString('utf8');
    const { method = '', url: path = '', headers } = request;
    sink.requests.push({ method, path, headers, body, bytes, at: Date.now() });
    sink.respond(request, response, body);
  });
  const sink: Sink = {
    url: `http://127.0.0.1:${await listen(server, port)}`,
    requests: [],
    rows: () => sink.requests.map(({ body }) => JSON.parse(body)),
    respond: (_request, response) => response.writeHead(204).end(),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return sink;
}

export interface TestBed {
  broker: Broker;
  ca: TestCa;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at by tests only
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }>;
  /** The status: 200 when somebody is subscribed, 202 when nobody is. */
  publish(message: { topic: string; payload: string; qos?: number; properties?: object }): Promise<number>;
  /** As the API shows it. */
  client(id: string): Promise<{ connected: boolean; connected_at: string } | undefined>;
  connect(pair: TestPair, options?: IClientOptions): MqttClient;
  online(pair: TestPair, options?: IClientOptions): Promise<MqttClient>;
  close(): Promise<void>;
}

export async function startTestBed(
  config: EngineConfig,
  options: Partial<BrokerOptions> = {},
): Promise<TestBed> {
  const ca = await createTestCa();
  const server = await ca.leaf('broker', ['localhost']);
  const broker = await startBroker({
    host: '127.0.0.1',
    mqttPort: 0,
    apiPort: 0,
    tls: { key: server.key, cert: server.cert, ca: ca.ca },
    acl,
    config,
    apiKey: 'key',
    apiSecret: 'secret',
    ...options,
  });
  const clients: MqttClient[] = [];
  const bed: TestBed = {
    broker,
    ca,
    async api(method, path, body) {
      const response = await fetch(`http://127.0.0.1:${broker.apiPort}/api/v5${path}`, {
        method,
        headers: { authorization: `Basic ${btoa('key:secret')}`, 'content-type': 'application/json' },
        body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
      });
      const text = await response.text();
      const json = response.headers.get('content-type')?.includes('json');
      return { status: response.status, body: json ? JSON.parse(text) : text };
    },
    publish: async (message) => (await bed.api('POST', '/publish/bulk', [message])).status,
    client: async (id) => (await bed.api('GET', `/clients?clientid=${id}`)).body.data[0],
    connect(pair, own = {}) {
      const client = mqtt.connect(`mqtts://127.0.0.1:${broker.mqttPort}`, {
        key: pair.key,
        cert: pair.cert,
        ca: ca.ca,
        servername: 'localhost',
        reconnectPeriod: 0,
        connectTimeout: 60_000,
        protocolVersion: 4,
        clientId: 'whatever the device says',
        ...own,
      });
      clients.push(client);
      return client;
    },
    async online(pair, own) {
      const client = bed.connect(pair, own);
      await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject));
      client.on('error', () => {});
      return client;
    },
    async close() {
      for (const client of clients) client.end(true);
      await broker.close();
    },
  };
  return bed;
}

/** The arguments of an emitter's next event, whatever errors come first; mqtt.js types its client as something else. */
// biome-ignore lint/suspicious/noExplicitAny: what an event carries is for the test to say
export function once(emitter: unknown, event: string): Promise<any[]> {
  return new Promise((resolve) => (emitter as EventEmitter).once(event, (...args) => resolve(args)));
}
