/**
 * The broker's side of the ingest benchmark, in a process of its own: posts rows as EMQX's connector does (a pool of eight connections,
 * pipelined) and takes acks at a publish API.
 */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { mountedTopic, type UplinkTopic } from '#emqx/protocol.ts';
import { listen } from '../primitives/listen.ts';

export interface Order {
  port: number;
  token: string;
  events: number;
  /** Number of the first: none is ever sent twice. */
  first: number;
  devices: number;
  deployment: string;
  sha256: string;
}
export type Report = { apiPort: number } | { perSecond: number; acks: number } | { error: string };

const connections = 8;
const depth = 50;
/** Devices that end their update; the others go on with theirs. */
const ending = 0.5;

let acks = 0;
const api = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const messages = JSON.parse(Buffer.concat(chunks).toString() || '[]') as { payload: string }[];
    for (const { payload } of messages) acks += (JSON.parse(payload) as { ids: string[] }).ids.length;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(messages.map((_, i) => ({ id: String(i) }))));
  });
});
process.send!({ apiPort: await listen(api) });

process.on('message', (order: Order) => {
  run(order).then(
    (report) => process.send!(report),
    (error: Error) => process.send!({ error: error.message }),
  );
});

async function run(order: Order): Promise<Report> {
  const requests = Array.from({ length: order.events }, (_, i) => toRequest(order, i));
  const results = requests.filter((r) => r.isCritical).length;
  const acksBefore = acks;
  let next = 0;
  const began = performance.now();
  await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect(order.port, '127.0.0.1');
          let waiting = 0;
          let unread = '';
          const fill = () => {
            for (; waiting < depth && next < requests.length; waiting++)
              socket.write(requests[next++]!.bytes);
            if (waiting === 0) socket.end(resolve);
          };
          socket.setNoDelay(true);
          socket.once('connect', fill);
          socket.on('error', reject);
          socket.on('data', (chunk) => {
            unread += chunk.toString('latin1');
            for (let end = unread.indexOf('\r\n\r\n'); end >= 0; end = unread.indexOf('\r\n\r\n')) {
              if (!unread.startsWith('HTTP/1.1 204')) return reject(new Error(unread.slice(0, 200)));
              unread = unread.slice(end + 4);
              waiting--;
            }
            fill();
          });
        }),
    ),
  );
  const seconds = (performance.now() - began) / 1000;
  for (let waited = 0; acks - acksBefore < results && waited < 100; waited++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { perSecond: order.events / seconds, acks: acks - acksBefore };
}

/** Of twenty messages twelve are progress, four of sensors, three a status and one a result. */
function toRequest(order: Order, i: number): { bytes: Buffer; isCritical: boolean } {
  const { first, devices, deployment, sha256 } = order;
  const n = first + i;
  const common = { id: `m-${n}`, at: new Date().toISOString() };
  const attempt = { deployment, attempt: 1 };
  const kind = n % 20;
  const ends = Math.floor(devices * ending);
  const working = ends + 1 + ((n * 7919) % (devices - ends));
  if (kind === 19) {
    const device = 1 + Math.floor(n / 20);
    if (device > ends) throw new Error('more results than devices');
    const running = { component: 'main', version: '1.0.0', securityVersion: 0, sha256 };
    const stats = { downloadMs: 60_000, resumes: 1, receivedBytes: 1_048_576, redownloadedBytes: 4_096 };
    const body = { ...common, seq: [2, n], ...attempt, outcome: 'succeeded', running, stats };
    return post(order, `dev-${device}`, 'firmware/download/result', body);
  }
  if (kind < 12) {
    const receivedBytes = 1 + ((n * 4_096) % 1_000_000);
    const figures = { receivedBytes, totalBytes: 1_048_576, chunkBytes: 16_384, bytesPerSecond: 50_000 };
    return post(order, `dev-${working}`, 'firmware/download/progress', {
      ...common,
      ...attempt,
      stage: 'downloading',
      ...figures,
    });
  }
  if (kind < 16) {
    const values = { temperature: 20 + (n % 10), humidity: 40, pressure: 1013, light: 300 };
    return post(order, `dev-${working}`, 'data/sensors', { ...common, values });
  }
  const status = {
    uptimeMs: n * 1000,
    freeHeapBytes: 120_000,
    freeStorageBytes: 4_000_000,
    temperatureC: 45,
  };
  return post(order, `dev-${working}`, 'status/system', { ...common, ...status });
}

function post(order: Order, device: string, topic: UplinkTopic, message: object) {
  const body = JSON.stringify({
    event: 'message',
    clientid: device,
    topic: mountedTopic(device, topic),
    payload: JSON.stringify(message),
    cert: `SERIALNUMBER=0A1B,CN=${device}`,
    received_at: Date.now(),
  });
  const head =
    `POST /emqx/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${order.token}\r\n` +
    `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return { bytes: Buffer.from(head + body), isCritical: 'seq' in message };
}
