/** What the broker's benchmark needs beside the webhook, each a process of its own: devices, a webhook that only says 204, the stand-in. */
import { createServer } from 'node:http';
import mqtt, { type MqttClient } from 'mqtt';
import { requestTopic } from '#emqx/protocol.ts';
import { type BrokerOptions, startBroker } from '#emqx/standin/broker.ts';
import { listen } from '../primitives/listen.ts';

export type Order =
  | { connect: { url: string; ca: string; identities: { key: string; cert: string }[] } }
  | { publish: { messages: number; first: number } };
export type Report =
  | { port: number }
  | { mqttPort: number; apiPort: number }
  | { connected: number }
  | { published: number }
  | { error: string };

const handshakesAtOnce = 16;
/** Messages that a device has underway. */
const depth = 20;

/** Telemetry of sensors and of the system in turns, as a device sends them. */
function messageOf(n: number): { topic: string; payload: string } {
  const common = { id: `row-${n}`, at: new Date().toISOString() };
  if (n % 2) {
    const values = { temperature: 20 + (n % 10), humidity: 40, pressure: 1013, light: 300 };
    return { topic: 'data/sensors', payload: JSON.stringify({ ...common, values }) };
  }
  const status = { uptimeMs: n, freeHeapBytes: 120_000, freeStorageBytes: 4_000_000, temperatureC: 45 };
  return { topic: 'status/system', payload: JSON.stringify({ ...common, ...status }) };
}

const clients: MqttClient[] = [];

/** `workers` at a time until `next` has no more. */
async function share(workers: number, total: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (next < total) await work(next++);
    }),
  );
}

async function carryOut(order: Order): Promise<Report> {
  if ('connect' in order) {
    const { url, ca, identities } = order.connect;
    await share(handshakesAtOnce, identities.length, async (i) => {
      const options = {
        ...identities[i]!,
        ca,
        clientId: 'x',
        protocolVersion: 4,
        reconnectPeriod: 0,
      } as const;
      const client = await mqtt.connectAsync(url, options);
      await client.subscribeAsync(requestTopic, { qos: 1 });
      clients.push(client);
    });
    return { connected: clients.length };
  }
  const { messages, first } = order.publish;
  const perClient = Math.ceil(messages / clients.length);
  await Promise.all(
    clients.map((client, c) => {
      const begins = c * perClient;
      return share(depth, Math.max(0, Math.min(perClient, messages - begins)), (i) => {
        const { topic, payload } = messageOf(first + begins + i);
        return client.publishAsync(topic, payload, { qos: 1 });
      });
    }),
  );
  return { published: messages };
}

const role = process.send && process.argv.find((argument) => /^--load-/.test(argument));
if (role === '--load-devices')
  process.on('message', (order: Order) =>
    carryOut(order).then(
      (report) => process.send!(report),
      (error: Error) => process.send!({ error: error.message }),
    ),
  );
if (role === '--load-sink') {
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => response.writeHead(204).end());
  });
  process.send!({ port: await listen(server) });
}
if (role === '--load-broker')
  process.on('message', async (options: BrokerOptions) => {
    const { mqttPort, apiPort } = await startBroker(options);
    process.send!({ mqttPort, apiPort });
  });
