/**
 * TLS between nodes as `render --node-tls` writes it, in Erlang's own distribution, which is EMQX's; and a node's certificate at the listener
 * for devices. Attacked with every other certificate there is.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls, { type TLSSocket } from 'node:tls';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalAuthority, openAuthority } from '#ca/authority.ts';
import type { ProfileName } from '#ca/client.ts';
import { type IssuedKeyPair, issueKeyPair } from '#ca/key-pair.ts';
import { painter } from '#emqx/cli/output.ts';
import { render } from '#emqx/cli/render.ts';
import { readHocon, toPlain } from '#emqx/hocon.ts';
import { type Broker, startBroker } from '#emqx/standin/broker.ts';
import { acl } from '#emqx/standin/test-broker.ts';
import { spawnGuarded } from '../lab/primitives/guard.ts';
import { holdPort } from '../lab/primitives/listen.ts';
import { until } from '../lab/primitives/until.ts';

const dir = mkdtempSync(join(tmpdir(), 'flota-nodes-'));
const running = new Set<ChildProcess>();
let nodes: LocalAuthority;
let fleet: LocalAuthority;
let broker: Broker;

async function rendered(name: string, flags: Record<string, string | boolean>) {
  const said: string[] = [];
  if (render.needs !== 'files') throw new Error('render must not need a broker');
  const given = { out: join(dir, name), ...flags };
  await render.run({
    dir: undefined,
    flags: given,
    say: (line = '') => said.push(line),
    paint: painter(false),
  });
  return { out: given.out, said: said.join('\n') };
}

/** What a node has of `render`, with this certificate in the place that it names; the trust is the nodes' CA in any case. */
async function nodeWith(name: string, pair: IssuedKeyPair, trustOf = nodes): Promise<string> {
  const { out } = await rendered(name, { 'node-tls': true, nodes: 'emqx@localhost', discovery: 'manual' });
  const certs = join(out, 'node-certs');
  mkdirSync(certs);
  const { root, issuing } = await trustOf.trust();
  writeFileSync(join(certs, 'key.pem'), pair.key, { mode: 0o600 });
  writeFileSync(join(certs, 'cert.pem'), pair.certificate + pair.chain);
  writeFileSync(join(certs, 'ca.pem'), root + issuing);
  return join(out, 'ssl_dist.conf');
}

const issue = (authority: LocalAuthority, profile: ProfileName, commonName: string, names: string[] = []) =>
  issueKeyPair(authority, { profile, commonName, names });

/** Without epmd, which would go on after the test: every node's port is this one. */
function erl(conf: string, name: string, port: number, ...more: string[]) {
  const args = [
    ...['-noshell', '-proto_dist', 'inet_tls', '-ssl_dist_optfile', conf, '-sname', `${name}@localhost`],
    ...['-setcookie', 'same', '-start_epmd', 'false', '-erl_epmd_port', String(port)],
    // On a busy machine a handshake takes longer than the usual seven seconds.
    ...['-kernel', 'inet_dist_use_interface', '{127,0,0,1}', 'net_setuptime', '60', ...more],
  ];
  const env = { ...process.env, HOME: dir };
  const child = spawnGuarded('erl', args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  running.add(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream!.on('data', (chunk) => (said += chunk));
  const ended = new Promise<string>((resolve) => child.once('close', () => resolve(said)));
  return { says: () => said, ended };
}

/** What a node that is called emqx@localhost is asked, as often as given; it prints pong or pang each time. */
const ping = (times: number) =>
  `[io:format("~p ", [net_adm:ping('emqx@localhost')]) || _ <- lists:seq(1, ${times})], halt().`;
const withoutListening = ['-dist_listen', 'false'];

/** In TLS 1.2 a handshake ends when both have accepted each other. */
const inOneGo = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
const identity = (pair: IssuedKeyPair) => ({ key: pair.key, cert: pair.certificate + pair.chain });

function knock(port: number, pair: IssuedKeyPair | null): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      ...{ port, host: '127.0.0.1', rejectUnauthorized: false, ...inOneGo },
      ...(pair && identity(pair)),
    });
    const end = (outcome: string) => {
      resolve(outcome);
      socket.destroy();
    };
    socket.once('secureConnect', () => end('let in'));
    socket.once('error', () => end('refused'));
    socket.once('close', () => end('refused'));
  });
}

beforeAll(async () => {
  nodes = await openAuthority({ dir: join(dir, 'ca-nodes') });
  fleet = await openAuthority({ dir: join(dir, 'ca') });
  const own = await issue(fleet, 'broker', 'emqx', ['localhost']);
  const { root, issuing } = await fleet.trust();
  broker = await startBroker({
    ...{ host: '127.0.0.1', mqttPort: 0, apiPort: 0, acl, config: {}, apiKey: 'key', apiSecret: 'secret' },
    tls: { key: own.key, cert: own.certificate + own.chain, ca: root + issuing },
  });
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await broker?.close();
  rmSync(dir, { recursive: true, force: true });
});

it('lets nodes in, and nobody with a certificate of the fleet, whatever it is for', async () => {
  const { port } = holdPort();
  const own = await issue(nodes, 'broker-node', 'node.localhost', ['localhost']);
  const node = erl(await nodeWith('listens', own), 'emqx', port, '-eval', 'io:format("up").');
  await until(node.says, (text) => text.includes('up'));
  const other = await issue(nodes, 'broker-node', 'node.b', ['b.example']);
  expect(await knock(port, other)).toBe('let in');
  const foreign = await openAuthority({ dir: join(dir, 'ca-other') });
  for (const [name, pair] of [
    ['device', await issue(fleet, 'device', 'dev-1')],
    ['service', await issue(fleet, 'service', 'webhook.flota', ['localhost'])],
    ['broker', await issue(fleet, 'broker', 'emqx', ['localhost'])],
    ['node of the fleet', await issue(fleet, 'broker-node', 'node.b', ['localhost'])],
    ['for servers only', await issue(nodes, 'broker', 'emqx', ['localhost'])],
    ['of another CA of that name', await issue(foreign, 'broker-node', 'node.b', ['localhost'])],
    ['none', null],
  ] as const)
    expect(await knock(port, pair), name).toBe('refused');
  // And past TLS they are a cluster.
  const guest = erl(await nodeWith('guest', other), 'guest', port, ...withoutListening, '-eval', ping(1));
  expect(await guest.ended).toContain('pong');
}, 120_000);

it('joins no node that another certificate poses as, or that is not the one it is called', async () => {
  const posing = [
    await issue(fleet, 'device', 'localhost'),
    await issue(fleet, 'broker', 'localhost', ['localhost']),
    await issue(fleet, 'broker-node', 'node.localhost', ['localhost']),
    await issue(nodes, 'broker-node', 'node.c', ['c.example']),
    // The one that is right, so that the others are not refused for another reason.
    await issue(nodes, 'broker-node', 'node.localhost', ['localhost']),
  ];
  const outcomes: string[] = [];
  const server = tls.createServer({ ...identity(posing[0]!), ...inOneGo });
  const next = (outcome: string, socket: TLSSocket) => {
    outcomes.push(outcome);
    const following = posing[outcomes.length];
    if (following) server.setSecureContext({ ...identity(following), ...inOneGo });
    socket.destroy();
  };
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    next('joined', socket);
  });
  server.on('tlsClientError', (_, socket) => next('refused', socket));
  const { port } = holdPort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const conf = await nodeWith('joins', await issue(nodes, 'broker-node', 'node.a', ['a.example']));
  const node = erl(conf, 'a', port, ...withoutListening, '-eval', ping(posing.length));
  expect(await node.ended).not.toContain('pong');
  server.close();
  expect(outcomes).toEqual(['refused', 'refused', 'refused', 'refused', 'joined']);
}, 120_000);

it('is for DNS names, for several nodes, and says how the certificates are made', async () => {
  const two = { nodes: 'emqx@a.example,emqx@b.example', 'node-tls': true };
  const { out, said } = await rendered('two', two);
  expect(said).toContain(
    `npm run ca -- issue --dir ca-nodes --profile broker-node --name node.b.example --names b.example --out ${out}/b.example/node-certs`,
  );
  const { cluster, rpc } = toPlain(readHocon(join(out, 'b.example/emqx.conf'))) as Record<string, object>;
  expect(cluster).toMatchObject({ discovery_strategy: 'static', proto_dist: 'inet_tls' });
  expect(rpc).toEqual({
    protocol: 'ssl',
    certfile: `${out}/b.example/node-certs/cert.pem`,
    keyfile: `${out}/b.example/node-certs/key.pem`,
    cacertfile: `${out}/b.example/node-certs/ca.pem`,
    insecure_fallback: false,
  });
  const container = await rendered('container', { ...two, container: true });
  expect(readFileSync(join(container.out, 'a.example/ssl_dist.conf'), 'utf8')).toContain(
    '"/opt/emqx/etc/node-certs/key.pem"',
  );
  await expect(rendered('addresses', { ...two, nodes: 'emqx@10.0.0.1,emqx@b.example' })).rejects.toThrow(
    '--node-tls: emqx@10.0.0.1 must be named by a DNS name',
  );
  await expect(rendered('one', { 'node-tls': true })).rejects.toThrow('--node-tls is between nodes');
  const plain = await rendered('plain', { nodes: two.nodes });
  expect(toPlain(readHocon(join(plain.out, 'a.example/emqx.conf')))).not.toHaveProperty('rpc');
});

it('a node is no device: of its own CA it does not get through TLS, of the fleet’s it may say and hear nothing', async () => {
  const { root, issuing } = await fleet.trust();
  const connect = (pair: IssuedKeyPair) => {
    const client = mqtt.connect(`mqtts://localhost:${broker.mqttPort}`, {
      ...{ ...identity(pair), ca: root + issuing, clientId: 'dev-1' },
      ...{ reconnectPeriod: 0, connectTimeout: 5_000, protocolVersion: 4 },
    });
    return new Promise<MqttClient>((resolve, reject) =>
      client
        .once('connect', () => resolve(client))
        .once('error', reject)
        .once('close', () => reject(new Error('closed'))),
    );
  };
  await expect(connect(await issue(nodes, 'broker-node', 'node.a', ['a.example']))).rejects.toThrow();
  const client = await connect(await issue(fleet, 'broker-node', 'node.a', ['a.example']));
  for (const topic of ['#', 'devices/dev-1/#', 'firmware/download/request', 'ack'])
    await expect(client.subscribeAsync(topic), topic).rejects.toThrow();
  client.end(true);
  for (const name of ['dev-1', 'node', 'node-a', 'emqx', 'node.', 'node..a', 'NODE.a'])
    await expect(issue(fleet, 'broker-node', name, ['a.example']), name).rejects.toMatchObject({
      name: 'CaError',
    });
  await expect(issue(fleet, 'service', 'node.a')).rejects.toMatchObject({ name: 'CaError' });
  await expect(issue(fleet, 'broker-node', 'node.a')).rejects.toMatchObject({ name: 'CaError' });
});
