import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, createServer, type SecureVersion, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { openAuthority } from './authority.ts';
import { issueKeyPair } from './key-pair.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

type Pair = { key: string; cert: string };
let work: Workspace;
let server: Server;
let port: number;
let root: string;
const clients: Record<string, Pair> = {};

beforeAll(async () => {
  work = await openWorkspace();
  const dir = join(work.dir, 'ca');
  const longAgo = Date.now() - 200 * 86_400_000;
  const past = await openAuthority({ dir, now: () => longAgo });
  const authority = await openAuthority({ dir });
  const foreign = await openAuthority({ dir: join(work.dir, 'foreign') });
  const trust = await authority.trust();
  root = trust.root;
  const device = async (of: typeof authority): Promise<Pair> => {
    const pair = await issueKeyPair(of, { profile: 'device', commonName: 'dev-1' });
    return { key: pair.key, cert: pair.certificate + pair.chain };
  };
  Object.assign(clients, {
    ours: await device(authority),
    expired: await device(past),
    foreign: await device(foreign),
  });
  const selfSigned = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '9',
  ];
  await work.openssl(...selfSigned, '-subj', '/CN=dev-1', '-keyout', 'self.key', '-out', 'self.pem');
  const read = (file: string) => readFile(join(work.dir, file), 'utf8');
  clients['self-signed'] = { key: await read('self.key'), cert: await read('self.pem') };
  for (const [profile, commonName] of [
    ['broker', 'dev-1'],
    ['service', 'webhook.flota'],
  ] as const) {
    const pair = await issueKeyPair(authority, { profile, commonName, names: ['localhost'] });
    clients[profile] = { key: pair.key, cert: pair.certificate + pair.chain };
  }
  for (const [name, pair] of Object.entries(clients)) {
    await work.file(`${name}.key`, pair.key);
    await work.file(`${name}.pem`, pair.cert);
  }
  await work.file('root.pem', root);

  const own = await issueKeyPair(authority, {
    profile: 'broker',
    commonName: 'broker',
    names: ['localhost'],
  });
  server = createServer(
    {
      key: own.key,
      cert: own.certificate + own.chain,
      ca: trust.root + trust.issuing,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
    },
    // Under TLS 1.3 a client learns of its refusal only after its own handshake: so it waits for a word from us.
    (socket) =>
      socket.on('error', () => undefined).end(`welcome ${socket.getPeerCertificate().subject.CN}\n`),
  );
  port = await listen(server);
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await work.remove();
});

function handshake(version: SecureVersion, pair: Pair | undefined): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const options = {
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: root,
      minVersion: version,
      maxVersion: version,
    };
    connect({ ...options, ...pair })
      .on('data', (chunk) => (heard += chunk))
      .on('error', () => undefined)
      .on('close', () => resolve(heard.trim() || 'refused'));
  });
}

function sClient(version: string, name: string): Promise<string> {
  return new Promise((resolve) => {
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, version, '-servername', 'localhost', '-quiet'];
    const files = [
      '-CAfile',
      'root.pem',
      '-verify_return_error',
      '-cert',
      `${name}.pem`,
      '-cert_chain',
      `${name}.pem`,
    ];
    const child = spawn('openssl', [...args, ...files, '-key', `${name}.key`], { cwd: work.dir });
    let heard = '';
    child.stdout.on('data', (chunk) => (heard += chunk));
    child.on('close', () => resolve(heard.trim() || 'refused'));
  });
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('mutual %s', (version) => {
  const flag = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3';

  it('succeeds with our certificate', async () => {
    expect(await handshake(version, clients.ours)).toBe('welcome dev-1');
    expect(await sClient(flag, 'ours')).toBe('welcome dev-1');
  });

  it.each(['expired', 'foreign', 'self-signed'])('fails with a certificate that is %s', async (name) => {
    expect(await handshake(version, clients[name])).toBe('refused');
    expect(await sClient(flag, name)).toBe('refused');
  });

  it("fails with a broker's certificate, which is for servers, and succeeds with a service's", async () => {
    for (const attempt of [handshake(version, clients.broker), sClient(flag, 'broker')])
      expect(await attempt).toBe('refused');
    expect(await handshake(version, clients.service)).toBe('welcome webhook.flota');
  });

  it('fails without a certificate, and when the client trusts another root', async () => {
    expect(await handshake(version, undefined)).toBe('refused');
    const { root: other } = await (await openAuthority({ dir: join(work.dir, 'foreign') })).trust();
    expect(await handshake(version, { ...clients.ours!, ca: other } as Pair)).toBe('refused');
  });
});
