import { generateKeyPairSync } from 'node:crypto';
import { request } from 'node:https';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { type LocalAuthority, openAuthority } from './authority.ts';
import { type AuthorityConnection, connectAuthority } from './client.ts';
import { type IssuedKeyPair, issueKeyPair, makeRequest } from './key-pair.ts';
import { type CaService, startService } from './server.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

let work: Workspace;
let authority: LocalAuthority;
let service: CaService;
let webhook: IssuedKeyPair;
let connection: AuthorityConnection;
let ca: string;

beforeAll(async () => {
  work = await openWorkspace();
  authority = await openAuthority({ dir: join(work.dir, 'ca') });
  const options = {
    authority,
    host: '127.0.0.1',
    port: 0,
    names: ['localhost', '127.0.0.1'],
    callers: ['webhook.flota', 'node.flota'],
  };
  service = await startService(options);
  webhook = await issueKeyPair(authority, { profile: 'service', commonName: 'webhook.flota' });
  const trust = await authority.trust();
  ca = trust.root + trust.issuing;
  connection = connectWith(webhook);
});

afterAll(async () => {
  connection.close();
  await service.close();
  await work.remove();
});

function connectWith(pair: IssuedKeyPair, url = `https://127.0.0.1:${service.port}`, timeoutMs?: number) {
  return connectAuthority({ url, key: pair.key, cert: pair.certificate + pair.chain, ca, timeoutMs });
}

const csrFor = (name: string) =>
  makeRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, name);

/** A request that our own client would not send. */
function raw(method: string, path: string, body?: string) {
  return new Promise<{ status: number; type: string; sniff: unknown; body: Record<string, unknown> }>(
    (resolve, reject) => {
      const tls = { key: webhook.key, cert: webhook.certificate + webhook.chain, ca };
      const outgoing = request(
        { host: '127.0.0.1', port: service.port, method, path, ...tls, agent: false },
        async (incoming) => {
          let text = '';
          for await (const chunk of incoming) text += chunk;
          resolve({
            status: incoming.statusCode ?? 0,
            type: incoming.headers['content-type'] ?? '',
            sniff: incoming.headers['x-content-type-options'],
            body: JSON.parse(text),
          });
        },
      );
      outgoing.on('error', reject).end(body);
    },
  );
}

describe('the private service', () => {
  it('witnesses the audit log', async () => {
    expect(await connection.witnessed()).toBeNull();
    const head = await connection.witness({ id: 1, hash: 'a'.repeat(64) });
    expect(await connection.witnessed()).toEqual(head);
    await expect(connection.witness({ id: 0, hash: 'a'.repeat(64) })).rejects.toMatchObject({
      code: 'head_conflict',
    });
    await expect(connection.witness({ id: 2, hash: 'no hash' })).rejects.toMatchObject({
      code: 'request_invalid',
    });
  });

  it('issues, tells whom to trust, revokes and publishes the CRL over mTLS', async () => {
    const issued = await connection.issue({ csr: csrFor('dev-1'), profile: 'device', commonName: 'dev-1' });
    expect(issued.commonName).toBe('dev-1');
    expect(await connection.trust()).toEqual(await authority.trust());
    expect(await connection.revoke(issued.serial, 'keyCompromise')).toMatchObject({ serial: issued.serial });
    expect(await connection.crl()).toBe(await authority.crl());
  });

  it('answers the same errors as the authority in process', async () => {
    const wrongName = connection.issue({ csr: csrFor('dev-1'), profile: 'device', commonName: 'dev-2' });
    await expect(wrongName).rejects.toMatchObject({ name: 'CaError', code: 'csr_name_mismatch' });
    await expect(connection.revoke('00AA', 'unspecified')).rejects.toMatchObject({
      code: 'certificate_unknown',
    });
  });

  it('answers nobody but the named services', async () => {
    const callers = await Promise.all([
      issueKeyPair(authority, { profile: 'device', commonName: 'webhook' }),
      issueKeyPair(authority, { profile: 'service', commonName: 'other.flota' }),
      // A TLS client like them, and under a name that is on the list.
      issueKeyPair(authority, {
        profile: 'broker-node',
        commonName: 'node.flota',
        names: ['emqx-0.example'],
      }),
    ]);
    // One that is for servers only does not get as far as a word.
    const names = ['webhook.flota'];
    const broker = await issueKeyPair(authority, { profile: 'broker', commonName: 'webhook.flota', names });
    await expect(connectWith(broker).trust()).rejects.toMatchObject({ code: 'ca_unavailable' });
    for (const pair of callers) {
      const caller = connectWith(pair);
      await expect(caller.trust()).rejects.toMatchObject({ code: 'not_allowed' });
      caller.close();
    }
  });

  it('makes no node of a broker cluster for anybody: what runs on a node obeys the others', async () => {
    const csr = makeRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'node.x', [
      'x.example',
    ]);
    const attempt = connection.issue({
      csr,
      profile: 'broker-node',
      commonName: 'node.x',
      names: ['x.example'],
    });
    await expect(attempt).rejects.toMatchObject({ code: 'request_invalid' });
    const host = { csr, commonName: 'node.x', names: ['x.example'] };
    await expect(connection.issue({ ...host, profile: 'service' })).rejects.toMatchObject({
      code: 'name_invalid',
    });
  });

  it('answers a revoked service no more, not even on an open connection', async () => {
    const pair = await issueKeyPair(authority, { profile: 'service', commonName: 'webhook.flota' });
    const caller = connectWith(pair);
    await caller.trust();
    await authority.revoke(pair.serial, 'superseded');
    await expect(caller.trust()).rejects.toMatchObject({ code: 'not_allowed' });
    caller.close();
  });

  it('answers nobody without a certificate of ours', async () => {
    const foreign = await openAuthority({ dir: join(work.dir, 'foreign') });
    const pair = await issueKeyPair(foreign, { profile: 'service', commonName: 'webhook.flota' });
    const caller = connectWith(pair);
    await expect(caller.trust()).rejects.toMatchObject({ code: 'ca_unavailable' });
    caller.close();
  });

  it.each([
    ['not JSON', '{', 422],
    ['not what is expected', '{"csr": 1}', 422],
    ['with unknown fields', '{"csr": "", "profile": "device", "commonName": "x", "extra": 1}', 422],
    ['too long', `"${'x'.repeat(70_000)}"`, 422],
  ])('refuses a body that is %s with a problem document', async (_, body, status) => {
    const answer = await raw('POST', '/issue', body);
    expect([answer.status, answer.type]).toEqual([status, 'application/problem+json']);
    expect(answer.body).toMatchObject({ type: 'about:blank', code: 'request_invalid', status });
  });

  it('knows no other paths', async () => {
    const sniff = 'nosniff';
    expect(await raw('GET', '/issue')).toMatchObject({ status: 404, sniff, body: { code: 'not_found' } });
    expect(await raw('GET', '/constructor')).toMatchObject({ status: 404 });
    expect(await raw('GET', '/healthz')).toMatchObject({ status: 200, sniff });
  });
});

it('tells its log when the issuing CA ends soon, and has a CRL from the start', async () => {
  const dir = join(work.dir, 'ending');
  const nineYearsAgo = Date.now() - 9 * 365 * 86_400_000;
  await openAuthority({ dir, now: () => nineYearsAgo });
  const ending = await openAuthority({ dir });
  const lines: [string, string, unknown][] = [];
  const log = (level: string, message: string, fields: unknown) => lines.push([level, message, fields]);
  const options = { host: '127.0.0.1', port: 0, names: ['127.0.0.1'], callers: ['webhook.flota'] };
  await (await startService({ ...options, authority: ending, log })).close();
  expect(lines).toEqual([['error', 'the issuing CA ends soon', { days: expect.any(Number) }]]);
  expect(await ending.metrics()).toMatch(/flota_ca_crl_age_seconds\{crl="crl.pem"\} \d{1,2}\n/);
});

describe('the client', () => {
  it('says ca_unavailable when nobody listens or nobody answers', async () => {
    const silent = createServer((socket) => socket.resume());
    const port = await listen(silent);
    const waiting = connectWith(webhook, `https://127.0.0.1:${port}`, 100);
    await expect(waiting.trust()).rejects.toMatchObject({ code: 'ca_unavailable', message: /100 ms/ });
    waiting.close();
    await new Promise((resolve) => silent.close(resolve));
    const alone = connectWith(webhook, `https://127.0.0.1:${port}`);
    await expect(alone.trust()).rejects.toMatchObject({ code: 'ca_unavailable' });
    alone.close();
  });

  it('survives a restart of the service between two calls', async () => {
    const options = { authority, host: '127.0.0.1', names: ['127.0.0.1'], callers: ['webhook.flota'] };
    const first = await startService({ ...options, port: 0 });
    const caller = connectWith(webhook, `https://127.0.0.1:${first.port}`);
    await caller.trust();
    const mute = connect(first.port, '127.0.0.1').on('error', () => undefined);
    await new Promise((resolve) => mute.once('connect', resolve));
    const started = performance.now();
    await first.close();
    // Node keeps a connection that is idle for five.
    expect(performance.now() - started).toBeLessThan(4_000);
    const second = await startService({ ...options, port: first.port });
    await caller.trust();
    caller.close();
    await second.close();
  });
});
