import { type ChildProcess, execFile, execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { spawnGuarded } from '../lab/primitives/guard.ts';
import { listen } from '../lab/primitives/listen.ts';
import { program } from '../lab/primitives/programs.js';
import { until } from '../lab/primitives/until.ts';
import { unwrap } from '../lab/rest.ts';
import { type Gate, startGate } from '../lab/system/gate.ts';
import { startTestSystem, type TestSystem } from '../lab/testing.ts';

const entrypoint = fileURLToPath(new URL('./entrypoint', import.meta.url));
/** In place of EMQX: mutual TLS with the files, which it reads again for every connection. */
const fakeEmqx = `
const { readFileSync } = require('node:fs'), tls = require('node:tls');
const dir = process.argv[1], read = (name) => readFileSync(dir + '/' + name);
const context = () => ({ key: read('key.pem'), cert: read('cert.pem'), ca: read('ca.pem') });
const server = tls.createServer({ ...context(), requestCert: true }, (socket) => socket.end());
server.prependListener('connection', () => server.setSecureContext({ ...context(), requestCert: true }));
server.on('tlsClientError', () => {});
server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));
process.on('SIGTERM', () => { console.log('stopping'); setTimeout(() => process.exit(7), 50); });
`;
const certificateDays = 365;
const containerNames = ['10.1.2.3', 'emqx-0', 'fd00::7'];

let system: TestSystem;
let proxy: Gate;
let root: string;
let caRoot: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  system = await startTestSystem();
  proxy = await startGate(system.stack.url);
  root = mkdtempSync(join(tmpdir(), 'flota-entrypoint-'));
  caRoot = join(root, 'root.pem');
  writeFileSync(
    caRoot,
    `${system.stack.trust.split('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----\n`,
  );
});
afterEach(async () => {
  for (const child of running) {
    process.kill(-child.pid!, 'SIGKILL');
    await once(child, 'close');
  }
  await proxy.fail('none');
});
// Each boot is dozens of small programs, and a machine at half speed takes twenty seconds for some of these.
vi.setConfig({ testTimeout: 120_000 });
afterAll(async () => {
  await proxy?.close();
  await system?.close();
});

async function newToken(names = [...containerNames, 'mqtt.example.org']): Promise<string> {
  const { token } = await unwrap(
    system.rest.api.certificates.tokens.$post({
      json: { profile: 'broker', commonName: 'emqx', names, lifetimeMs: 600_000 },
    }),
  );
  return token;
}

interface Run {
  dir: string;
  child: ChildProcess;
  says(): string;
  port(): Promise<number>;
  exit: Promise<number | null>;
}

function start(
  dir: string,
  environment: Record<string, string>,
  command?: string[],
  without: string[] = [],
): Run {
  mkdirSync(dir, { recursive: true });
  const defaults = Object.entries({
    FLOTA_URL: proxy.url,
    EMQX_DASHBOARD__DEFAULT_PASSWORD: 'of-the-test-1',
    CA_ROOT: caRoot,
    EMQX_CERT_DIR: dir,
    EMQX_CONTAINER_NAMES: containerNames.join(' '),
    EMQX_PUBLIC_NAMES: 'mqtt.example.org',
  }).filter(([name]) => !without.includes(name));
  const child = spawnGuarded('dash', [entrypoint, ...(command ?? [process.execPath, '-e', fakeEmqx, dir])], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...Object.fromEntries(defaults), ...environment },
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream!.on('data', (data) => (output += data));
  const exit = new Promise<number | null>((resolve) =>
    child.once('close', (code) => {
      running.delete(child);
      resolve(code);
    }),
  );
  return {
    dir,
    child,
    exit,
    says: () => output,
    port: async () =>
      Number(
        /port (\d+)/.exec(
          await until(
            () => output,
            (text) => /port \d+\n/.test(text),
          ),
        )![1],
      ),
  };
}

const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
const serialIn = (dir: string) => openssl('x509', '-noout', '-serial', '-in', join(dir, 'cert.pem')).trim();

/** Key, certificate and trust are whole and belong together. */
function checkPair(dir: string): void {
  const cert = join(dir, 'cert.pem');
  expect(openssl('verify', '-CAfile', caRoot, '-untrusted', cert, cert)).toContain('OK');
  expect(openssl('x509', '-noout', '-pubkey', '-in', cert)).toBe(
    openssl('pkey', '-pubout', '-in', join(dir, 'key.pem')),
  );
  expect(statSync(join(dir, 'key.pem')).mode & 0o777).toBe(0o600);
}

/** The serial that a TLS client is shown under a public name. */
async function handshake(port: number): Promise<string> {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    servername: 'mqtt.example.org',
    ca: system.stack.trust,
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

/** Whether anything of its process group still runs. */
function isLeft(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the broker boots with a certificate of its own', () => {
  it('whose names are those of the container and of the load balancer, and stops with EMQX on SIGTERM', async () => {
    const run = start(join(root, 'fresh'), { FLOTA_TOKEN: await newToken() });
    const port = await run.port();
    checkPair(run.dir);
    const names = openssl('x509', '-noout', '-ext', 'subjectAltName', '-in', join(run.dir, 'cert.pem'));
    for (const name of ['10.1.2.3', 'emqx-0', 'FD00:0:0:0:0:0:0:7', 'mqtt.example.org'])
      expect(names).toContain(`:${name}`);
    expect(`serial=${await handshake(port)}`).toBe(serialIn(run.dir));
    expect(readdirSync(run.dir).sort()).toEqual(['ca.pem', 'cert.pem', 'key.pem', 'names']);

    run.child.kill('SIGTERM');
    expect(await run.exit).toBe(7);
    expect(run.says()).toContain('stopping');
    // The kernel takes a moment to bury what has ended.
    await until(
      () => isLeft(run.child.pid!),
      (left) => !left,
    );
  });

  it('and trusts only CAs that the root has signed, whatever comes with the certificate', async () => {
    const rogue = [join(root, 'rogue.key'), join(root, 'rogue.pem')] as const;
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', '/CN=rogue'],
      '-keyout',
      rogue[0],
      '-out',
      rogue[1],
    );
    // Between the broker and the webhook there is plain HTTP.
    const between = createServer(async (request, response) => {
      const { authorization = '' } = request.headers;
      const body = await new Response(Readable.toWeb(request) as BodyInit).text();
      const headers = { authorization, 'content-type': 'application/json' };
      const answer = await fetch(`${system.stack.url}${request.url}`, { method: 'POST', headers, body });
      const { certificate, chain, ...rest } = (await answer.json()) as Record<string, string>;
      const more = `${chain}${certificate}${readFileSync(rogue[1], 'utf8')}`;
      response.end(JSON.stringify({ ...rest, certificate, chain: more }));
    });
    const url = `http://127.0.0.1:${await listen(between)}`;
    const run = start(join(root, 'between'), { FLOTA_URL: url, FLOTA_TOKEN: await newToken() }, ['true']);
    expect(await run.exit, run.says()).toBe(0);
    between.close();
    const trusted = readFileSync(join(run.dir, 'ca.pem'), 'utf8').match(
      /-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g,
    );
    expect(trusted!.map((pem) => new X509Certificate(pem).subject)).toEqual([
      expect.stringContaining('Root CA'),
      expect.stringContaining('Issuing CA'),
    ]);
  });

  it('and by default those that the machine itself gives', async () => {
    const words = (...args: string[]) => execFileSync('hostname', args, { encoding: 'utf8' }).split(/\s+/);
    const own = [...words(), ...words('-f'), ...words('-I')].filter(Boolean);
    const run = start(
      join(root, 'own-names'),
      { FLOTA_TOKEN: await newToken(own) },
      ['true'],
      ['EMQX_CONTAINER_NAMES', 'EMQX_PUBLIC_NAMES'],
    );
    expect(await run.exit, run.says()).toBe(0);
    checkPair(run.dir);
    expect(readFileSync(join(run.dir, 'names'), 'utf8').trim().split('\n').sort()).toEqual(
      [...new Set(own)].sort(),
    );
  });

  it('takes the token from a file, and shows it to nobody', async () => {
    const token = await newToken();
    const file = join(root, 'token');
    writeFileSync(file, `${token}\n`);
    const run = start(join(root, 'token-file'), { FLOTA_TOKEN_FILE: file }, ['sh', '-c', 'env; echo port 1']);
    expect(await run.exit).toBe(0);
    expect(run.says()).not.toContain(token);
  });

  it('takes its own of the tokens of all nodes, which is named like its host', async () => {
    const tokens = join(root, 'tokens');
    mkdirSync(tokens);
    writeFileSync(join(tokens, 'emqx-of-another-host'), 'of-another-host');
    const given = { FLOTA_TOKEN_DIR: tokens };
    const lacking = start(join(root, 'token-dir'), given, ['true']);
    expect(await lacking.exit).toBe(1);
    expect(lacking.says()).toContain('there is no certificate yet');
    // As deploy/helm gives them to the pods of a StatefulSet.
    const host = execFileSync('hostname', { encoding: 'utf8' }).trim();
    const names = [...containerNames, 'mqtt.example.org'].join();
    const made = await promisify(execFile)(
      process.execPath,
      [
        ...program(new URL('../helm/secrets.ts', import.meta.url)),
        ...['--broker-nodes', `${host},emqx-1`, '--names', names, '--url', system.stack.url],
      ],
      { env: { ...process.env, FLOTA_API_TOKEN: system.stack.apiToken } },
    );
    const [secret] = JSON.parse(made.stdout).items;
    expect(secret.metadata).toEqual({ name: 'flota-broker-tokens', namespace: 'flota' });
    expect(Object.keys(secret.data)).toEqual([host, 'emqx-1']);
    for (const [name, data] of Object.entries<string>(secret.data))
      writeFileSync(join(tokens, name), Buffer.from(data, 'base64'));
    const run = start(lacking.dir, given, ['true']);
    expect(await run.exit, run.says()).toBe(0);
    checkPair(run.dir);
  });

  it('and none with a name that the token does not permit: one line says which', async () => {
    const run = start(join(root, 'refused'), {
      FLOTA_TOKEN: await newToken(['emqx-0', '10.1.2.3', 'fd00::7']),
    });
    expect(await run.exit).toBe(1);
    expect(run.says()).toMatch(/^emqx-entrypoint: no certificate: .* 422: .*mqtt\.example\.org[^\n]*\n$/);
    expect(existsSync(join(run.dir, 'cert.pem'))).toBe(false);

    const corrected = start(run.dir, { FLOTA_TOKEN: await newToken() });
    await corrected.port();
    checkPair(run.dir);
  });

  it('lists what is wrong with its settings in one line', async () => {
    const run = start(join(root, 'bad'), {
      FLOTA_URL: 'webhook',
      EMQX_DASHBOARD__DEFAULT_PASSWORD: 'public',
      CA_ROOT: '/nowhere',
      EMQX_RENEW_BEFORE: '1d',
    });
    expect(await run.exit).toBe(1);
    expect(run.says()).toMatch(
      /^emqx-entrypoint: FLOTA_URL [^\n]*; CA_ROOT [^\n]*; EMQX_RENEW_BEFORE [^\n]*; EMQX_DASHBOARD__DEFAULT_PASSWORD [^\n]*\n$/,
    );
    for (const [given, left] of [
      [{}, ['EMQX_DASHBOARD__DEFAULT_PASSWORD']],
      [{ EMQX_DASHBOARD__DEFAULT_PASSWORD: 'replace-me' }, []],
    ] as const) {
      const open = start(join(root, 'open'), given, undefined, [...left]);
      expect(await open.exit).toBe(1);
      expect(open.says()).toMatch(/^emqx-entrypoint: EMQX_DASHBOARD__DEFAULT_PASSWORD must be [^\n]*\n$/);
    }
    const without = start(join(root, 'no-token'), {});
    expect(await without.exit).toBe(1);
    expect(without.says()).toMatch(/^emqx-entrypoint: there is no certificate yet: set FLOTA_TOKEN[^\n]*\n$/);
  });
});

describe('when the webhook is away', () => {
  it('it waits with back-off, says so in one line each time, and goes on', async () => {
    await proxy.fail('refuse');
    const run = start(join(root, 'waits'), { FLOTA_TOKEN: await newToken(), EMQX_RETRY_MAX: '2' });
    await until(run.says, (text) => text.includes('next try in 2 s'));
    expect(run.says()).toMatch(
      /^(emqx-entrypoint: no certificate yet: Failed to connect [^\n]*; next try in \d s\n)+$/,
    );
    await proxy.fail(503);
    await until(run.says, (text) => text.includes('answers 503'));
    await proxy.fail('none');
    await run.port();
    checkPair(run.dir);
  });

  it('it obeys SIGTERM at once', async () => {
    await proxy.fail('hang');
    const before = proxy.failed;
    const run = start(join(root, 'impatient'), { FLOTA_TOKEN: await newToken() });
    await until(
      () => proxy.failed,
      (failed) => failed > before,
    );
    run.child.kill('SIGTERM');
    expect(await run.exit).toBe(143);
  });

  it('an answer that was lost is asked for again with the same request', async () => {
    await proxy.fail('lost_answer');
    const run = start(join(root, 'lost'), { FLOTA_TOKEN: await newToken() });
    await until(run.says, (text) => text.includes('next try'));
    await proxy.fail('none');
    await run.port();
    checkPair(run.dir);
  });

  it('a restart with the files in place asks nobody', async () => {
    const first = start(join(root, 'again'), { FLOTA_TOKEN: await newToken() });
    await first.port();
    process.kill(-first.child.pid!, 'SIGKILL');
    await first.exit;
    await proxy.fail('refuse');
    const second = start(first.dir, { EMQX_PUBLIC_NAMES: 'mqtt.example.org,new.example.org' });
    await second.port();
    expect(second.says()).toContain('the certificate does not name new.example.org (');
    checkPair(first.dir);
  });
});

describe('in time', () => {
  /** Due three seconds after it was issued. */
  const soon = { EMQX_RENEW_BEFORE: String(certificateDays * 86_400 - 3), EMQX_RETRY_MAX: '1' };

  it('it renews by its key, in place, with the names it has; clients see the new one, through an outage too', async () => {
    const run = start(join(root, 'renews'), { FLOTA_TOKEN: await newToken(), ...soon });
    const port = await run.port();
    const first = await handshake(port);
    const key = readFileSync(join(run.dir, 'key.pem'), 'utf8');
    await proxy.fail(503);
    await until(
      run.says,
      (text) => text.includes('certificate not renewed: ') && text.includes('answers 503'),
    );
    expect(await handshake(port)).toBe(first);
    await proxy.fail('none');
    await until(run.says, (text) => text.includes('certificate renewed until'));
    checkPair(run.dir);
    expect(await handshake(port)).not.toBe(first);
    expect(readFileSync(join(run.dir, 'key.pem'), 'utf8')).toBe(key);
    const names = openssl('x509', '-noout', '-ext', 'subjectAltName', '-in', join(run.dir, 'cert.pem'));
    for (const name of ['10.1.2.3', 'emqx-0', 'FD00:0:0:0:0:0:0:7', 'mqtt.example.org'])
      expect(names).toContain(`:${name}`);
  });

  it('nobody else renews for it: not another key, not more names, not what is no broker', async () => {
    const run = start(join(root, 'mine'), { FLOTA_TOKEN: await newToken() }, ['true']);
    await run.exit;
    const renews = serialIn(run.dir).replace('serial=', '');
    const post = async (csr: string, body: object = { renews }) => {
      const response = await fetch(`${system.stack.url}/api/issue_cert`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ csr, ...body }),
      });
      return { status: response.status, code: ((await response.json()) as { code?: string }).code };
    };
    const request = (key: string, san: string) =>
      openssl('req', '-new', '-key', key, '-subj', '/CN=emqx', '-addext', `subjectAltName=${san}`);
    const own = join(run.dir, 'key.pem');
    const stolen = join(root, 'stolen.pem');
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', stolen);

    expect(await post(request(own, 'DNS:emqx-0'))).toMatchObject({ status: 200 });
    expect(await post(request(stolen, 'DNS:emqx-0'))).toEqual({ status: 422, code: 'csr_key_mismatch' });
    expect(await post(request(own, 'DNS:evil.example.org'))).toEqual({
      status: 422,
      code: 'csr_name_refused',
    });
    expect(await post(request(own, 'DNS:emqx-0'), { renews: '0A'.repeat(16) })).toEqual({
      status: 401,
      code: 'token_invalid',
    });
    expect(await post(request(own, 'DNS:emqx-0'), {})).toEqual({ status: 401, code: 'token_invalid' });
  });
});

it('killed before any step that leaves a trace, it leaves no half files and goes on with the same token', async () => {
  const shims = join(root, 'shims');
  mkdirSync(shims);
  for (const command of ['mv', 'sync', 'curl']) {
    const real = execFileSync('sh', ['-c', `command -v ${command}`], { encoding: 'utf8' }).trim();
    const script = `#!/bin/sh\necho >>"$STEPS"; [ "$(wc -l <"$STEPS")" != "$KILL_AT" ] || kill -9 0\nexec ${real} "$@"\n`;
    writeFileSync(join(shims, command), script);
    chmodSync(join(shims, command), 0o755);
  }
  let killed = 0;
  for (let step = 1; ; step++) {
    const dir = join(root, `killed-${step}`);
    const token = { FLOTA_TOKEN: await newToken() };
    const shimmed = {
      PATH: `${shims}:${process.env.PATH}`,
      STEPS: join(root, `steps-${step}`),
      KILL_AT: String(step),
    };
    const run = start(dir, { ...token, ...shimmed }, ['true']);
    const code = await run.exit;
    const has = (name: string) => existsSync(join(dir, name));
    if (has('key.pem')) openssl('pkey', '-noout', '-in', join(dir, 'key.pem'));
    if (has('cert.pem')) checkPair(dir);
    if (has('request.csr')) openssl('req', '-noout', '-verify', '-in', join(dir, 'request.csr'));
    if (code === 0) break;
    killed++;
    const again = start(dir, token, ['true']);
    expect(await again.exit, again.says()).toBe(0);
    checkPair(dir);
    expect(readdirSync(dir).sort()).toEqual(['ca.pem', 'cert.pem', 'key.pem', 'names']);
  }
  expect(killed).toBeGreaterThanOrEqual(11);
}, 180_000);
