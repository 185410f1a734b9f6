/** What OpenSSL and mosquitto say of our certificates in real handshakes, against a listener that checks the leaf by our CRL, as EMQX does. */
import type { ChildProcess } from 'node:child_process';
import { connect as connectTo } from 'node:net';
import { join } from 'node:path';
import { generate, parser } from 'mqtt-packet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spawnGuarded } from '#deploy/lab/primitives/guard.ts';
import { holdPort } from '#deploy/lab/primitives/listen.ts';
import { openAuthority } from './authority.ts';
import { issueKeyPair } from './key-pair.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

let work: Workspace;
let listener: ChildProcess;
let port = '';

beforeAll(async () => {
  work = await openWorkspace();
  const dir = join(work.dir, 'ca');
  const crlUrl = 'http://127.0.0.1/crl.pem';
  const longAgo = Date.now() - 200 * 86_400_000;
  const past = await openAuthority({ dir, crlUrl, now: () => longAgo });
  const authority = await openAuthority({ dir, crlUrl });
  const foreign = await openAuthority({ dir: join(work.dir, 'foreign'), crlUrl });
  const device = async (name: string, of: typeof authority) => {
    const pair = await issueKeyPair(of, { profile: 'device', commonName: 'dev-1' });
    await work.file(`${name}.key`, pair.key);
    await work.file(`${name}.pem`, pair.certificate + pair.chain);
    return pair;
  };
  await device('good', authority);
  await device('expired', past);
  await device('foreign', foreign);
  const revoked = await device('revoked', authority);
  await authority.revoke(revoked.serial, 'keyCompromise');
  const p256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '9'];
  const files = ['-keyout', 'self-signed.key', '-out', 'self-signed.pem'];
  await work.openssl('req', '-x509', ...p256, '-subj', '/CN=dev-1', ...files);

  const own = await issueKeyPair(authority, { profile: 'broker', commonName: 'b', names: ['127.0.0.1'] });
  const { root, issuing } = await authority.trust();
  await work.file('own.key', own.key);
  await work.file('own.pem', own.certificate);
  await work.file('issuing.pem', issuing);
  await work.file('root.pem', root);
  await work.file('trust.pem', root + issuing);
  await work.file('crl.pem', await authority.crl());
  await listen();
});

afterAll(async () => {
  listener.kill();
  await work.remove();
});

/** s_server passes bytes between its standard streams and the connection: behind it is just enough of an MQTT broker. */
async function listen(): Promise<void> {
  const identity = ['-key', 'own.key', '-cert', 'own.pem', '-cert_chain', 'issuing.pem'];
  const trust = [
    '-CAfile',
    'trust.pem',
    '-CRL',
    'crl.pem',
    '-crl_check',
    '-Verify',
    '3',
    '-verify_return_error',
  ];
  // s_server cannot tell which port it was given.
  port = String(holdPort().port);
  const args = ['s_server', '-accept', `127.0.0.1:${port}`, ...identity, ...trust, '-no_ticket', '-quiet'];
  listener = spawnGuarded('openssl', args, { cwd: work.dir });
  let packets = parser();
  listener.stdout?.on('data', (chunk: Buffer) => {
    packets.parse(chunk);
  });
  const attach = () => {
    packets = parser();
    packets.on('packet', (packet) => {
      if (packet.cmd === 'connect') {
        listener.stdin?.write(generate({ cmd: 'connack', returnCode: 0, sessionPresent: false }));
      } else if (packet.cmd === 'publish' && packet.messageId !== undefined) {
        listener.stdin?.write(generate({ cmd: 'puback', messageId: packet.messageId }));
      }
    });
    packets.on('error', attach);
  };
  attach();
  while (!(await isOpen(port))) if (listener.exitCode !== null) throw new Error('openssl s_server has ended');
}

function run(
  command: string,
  args: string[],
  input?: Buffer,
): Promise<{ status: number | null; output: Buffer }> {
  return new Promise((resolve) => {
    const child = spawnGuarded(command, args, { cwd: work.dir });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      // The answer is here: nothing more is to come.
      if (input) child.kill();
    });
    child.stdin.on('error', () => undefined);
    if (input) child.stdin.write(input);
    child.on('close', (status) => resolve({ status, output: Buffer.concat(chunks) }));
  });
}

function isOpen(at: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTo(Number(at), '127.0.0.1');
    socket.once('connect', () => resolve(Boolean(socket.destroy())));
    socket.once('error', () => setImmediate(resolve, false));
  });
}

const connect = generate({
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clientId: 'dev-1',
  clean: true,
  keepalive: 30,
});

const clients = {
  async mosquitto_pub(version: string, name: string): Promise<string> {
    const files = ['--cafile', 'root.pem', '--cert', `${name}.pem`, '--key', `${name}.key`];
    const args = ['-h', '127.0.0.1', '-p', port, '--tls-version', version, '-i', 'dev-1', ...files];
    const { status } = await run('mosquitto_pub', [...args, '-q', '1', '-t', 'status/health', '-m', '{}']);
    return status === 0 ? 'accepted' : 'refused';
  },
  async s_client(version: string, name: string): Promise<string> {
    const files = [
      '-CAfile',
      'root.pem',
      '-cert',
      `${name}.pem`,
      '-cert_chain',
      `${name}.pem`,
      '-key',
      `${name}.key`,
    ];
    const flag = version === 'tlsv1.2' ? '-tls1_2' : '-tls1_3';
    const args = [
      's_client',
      '-connect',
      `127.0.0.1:${port}`,
      flag,
      '-quiet',
      '-verify_return_error',
      ...files,
    ];
    const { output } = await run('openssl', args, connect);
    return output.subarray(0, 2).equals(Buffer.of(0x20, 2)) ? 'accepted' : 'refused';
  },
};

describe.each(['tlsv1.2', 'tlsv1.3'])('a listener that checks the CRL, under %s', (version) => {
  it.each([
    ['good', 'accepted'],
    ['revoked', 'refused'],
    ['expired', 'refused'],
    ['foreign', 'refused'],
    ['self-signed', 'refused'],
  ])('with a certificate that is %s: %s', async (name, outcome) => {
    expect(await clients.mosquitto_pub(version, name)).toBe(outcome);
    expect(await clients.s_client(version, name)).toBe(outcome);
  });
});
