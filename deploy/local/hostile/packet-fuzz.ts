/**
 * Hostile MQTT against a stand-in over mutual TLS. Whatever is sent: nothing is thrown that nobody catches, every connection can be
 * ended, others do not notice, and no message is seen under another device's name.
 */
import tls, { type TLSSocket } from 'node:tls';
import { Random } from '#deploy/lab/primitives/random.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { parseAcl } from '#emqx/standin/acl.ts';
import { acl, once, startSink, startTestBed } from '#emqx/standin/test-broker.ts';
import type { TestPair } from '#emqx/standin/test-certificates.ts';
import { makeConnect, makePacket, mutate } from './packets.ts';

export interface FuzzOptions {
  seed: number;
  /** Asked before each connection. */
  goOn(packets: number): boolean;
}

/** One connection: what was sent follows from (seed, number). */
interface Attack {
  number: number;
  sent: Buffer[];
}

const lanes = 4;
const closesWithinMs = 10_000;
/** What is thrown may come a little after its packet. */
const remembered = 2 * lanes;

export async function fuzzPackets({
  seed,
  goOn,
}: FuzzOptions): Promise<{ packets: number; connections: number }> {
  const allowed = parseAcl(acl);
  const recent: Attack[] = [];
  let violation: Error | null = null;
  const violated = (what: string, cause?: unknown) => {
    const sent = recent.map(
      ({ number, sent }) => `  connection ${number}: ${sent.map((each) => each.toString('hex')).join(' ')}`,
    );
    violation ??= new Error(`${what} (seed ${seed})\n${sent.join('\n')}`, { cause });
  };
  const thrown = (error: unknown) => violated(`nobody caught ${error}`, error);
  process.on('uncaughtException', thrown).on('unhandledRejection', thrown);

  const sink = await startSink();
  sink.respond = (_request, response, body) => {
    sink.requests.length = 0;
    const { clientid, topic } = JSON.parse(body) as { clientid: string; topic: string };
    const short = topic.startsWith(`devices/${clientid}/`) && topic.slice(`devices/${clientid}/`.length);
    if (short === false || !allowed({ clientid }, 'publish', short))
      violated(`${clientid} has published to ${topic}`);
    response.writeHead(204).end();
  };
  const bed = await startTestBed({
    connectors: { http: { sink: { url: sink.url } } },
    actions: { http: { tell: { connector: 'sink', parameters: { method: 'post', path: '/' } } } },
    rule_engine: {
      rules: {
        all: {
          sql: 'SELECT clientid, topic FROM "#" WHERE clientid != \'http_api\'',
          actions: ['http:tell'],
        },
      },
    },
  });
  const pairs: TestPair[] = [];
  for (let lane = 0; lane < lanes; lane++) pairs.push(await bed.ca.leaf(`fuzz-${lane}`));
  const witness = await bed.online(await bed.ca.leaf('witness'));
  await witness.subscribeAsync('ack', { qos: 1 });
  witness.on('close', () => violated('the witness lost its connection'));
  const heard: string[] = [];
  witness.on('message', (topic, payload) => heard.push(`${topic} ${payload}`));

  const open = async (pair: TestPair): Promise<TLSSocket> => {
    const socket = tls.connect({
      ...{ host: '127.0.0.1', port: bed.broker.mqttPort, servername: 'localhost' },
      ...{ key: pair.key, cert: pair.cert, ca: bed.ca.ca },
    });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    return socket;
  };
  const attack = async (number: number, pair: TestPair): Promise<number> => {
    const random = new Random(seed + number);
    const connect = makeConnect(random);
    const first = random.chance(0.15) ? mutate(connect, random) : connect;
    const rest = Array.from({ length: random.int(1, 40) }, () => {
      const packet = makePacket(random);
      return random.chance(0.2) ? mutate(packet, random) : packet;
    });
    recent.push({ number, sent: [first, ...rest] });
    if (recent.length > remembered) recent.shift();
    const socket = await open(pair);
    const closed = once(socket, 'close');
    const answered = once(socket, 'data');
    socket.resume();
    socket.write(first);
    // What comes before CONNACK is held back by aedes, and dropped with the connection.
    if (first === connect) await Promise.race([answered, closed]);
    if (random.chance(0.5)) for (const packet of rest) socket.write(packet);
    else socket.write(Buffer.concat(rest));
    if (random.chance(0.1)) socket.destroy();
    else socket.end();
    const hangs = setTimeout(async () => {
      // On a machine that stood still for so long others get nothing either: only one that they overtake hangs.
      const obstacle = await stranger().catch((error: Error) => error);
      if (socket.closed) return;
      violated(`connection ${number} is not closed`, obstacle);
      socket.destroy();
    }, closesWithinMs);
    await closed;
    clearTimeout(hangs);
    return rest.length + 1;
  };
  /** Comes in, and goes in order. */
  const stranger = async () => {
    for (let turn = 0; turn < 3; turn++) {
      const client = await bed.online(await bed.ca.leaf('stranger'), { connectTimeout: 60_000 });
      await client.endAsync();
    }
  };
  const stillServes = async (text: string) => {
    const status = await bed.publish({ topic: 'devices/witness/ack', payload: text, qos: 1 });
    if (status !== 200) violated(`publishing to the witness gave ${status}`);
    await until('the witness to hear of it', () => heard.length > 0 || violation);
    if (heard.splice(0).some((message) => message !== `ack ${text}`))
      violated('the witness heard what was not for it');
  };

  let packets = 0;
  let connections = 0;
  try {
    const lane = async (pair: TestPair) => {
      while (!violation && goOn(packets)) {
        const sent = await attack(connections++, pair);
        packets += sent;
      }
    };
    await Promise.all(pairs.map(lane));
    await stillServes('still here');
    if (violation) throw violation;
    return { packets, connections };
  } finally {
    witness.removeAllListeners('close');
    await bed.close();
    await sink.close();
    process.off('uncaughtException', thrown).off('unhandledRejection', thrown);
  }
}
