import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { program } from '#deploy/lab/primitives/programs.js';
import { mergeObjects, parseHocon, readHocon, toPlain } from '../hocon.ts';
import { readRules } from '../rules.ts';
import { parseAcl } from '../standin/acl.ts';
import { startTestBed, type TestBed } from '../standin/test-broker.ts';
import { painter } from './output.ts';
import { render } from './render.ts';

const root = mkdtempSync(join(tmpdir(), 'render-'));
afterAll(() => rmSync(root, { recursive: true }));

async function run(name: string, flags: Record<string, string | boolean>): Promise<string> {
  const out = join(root, name);
  if (render.needs === 'files')
    await render.run({ dir: undefined, flags: { out, ...flags }, say: () => {}, paint: painter(false) });
  return out;
}

async function rendered(name: string, flags: Record<string, string | boolean>) {
  const out = await run(name, flags);
  return { out, conf: toPlain(readHocon(join(out, 'emqx.conf'))) as any };
}

test('where the package has left its own files, what everybody knows is replaced, and others cannot read what is secret', async () => {
  const out = join(root, 'over-the-package');
  mkdirSync(out);
  for (const file of ['emqx.conf', 'api_keys'])
    writeFileSync(join(out, file), 'flota:of-the-test\n', { mode: 0o644 });
  // As EMQX's package has it, and as our own file does before it is rendered.
  for (const cookie of ['emqxsecretcookie', 'replace-me']) {
    writeFileSync(
      join(out, 'emqx.conf'),
      `node.cookie = "${cookie}"\ndashboard.default_password = "public"\n`,
    );
    const { conf } = await rendered('over-the-package', {});
    expect(conf.node.cookie).toMatch(/^[\w-]{32}$/);
    expect(conf.dashboard.default_password).toMatch(/^[\w-]{24}a1$/);
    for (const file of ['emqx.conf', 'api_keys']) expect(statSync(join(out, file)).mode & 0o077).toBe(0);
  }
});

/** What EMQX 5.8 opens by itself; its configuration is laid over this. */
const defaults = `
listeners.tcp.default { enable = true, bind = "0.0.0.0:1883" }
listeners.ws.default { enable = true, bind = "0.0.0.0:8083" }
listeners.ssl.default { enable = true, bind = "0.0.0.0:8883", ssl_options { verify = verify_none, fail_if_no_peer_cert = false } }
listeners.wss.default { enable = true, bind = "0.0.0.0:8084", ssl_options { verify = verify_none, fail_if_no_peer_cert = false } }
`;

describe.each([
  ['native', {}],
  ['container', { container: true }],
])('render for %s', (name, flags) => {
  test('leaves no listener open that does not demand a certificate', async () => {
    const { out } = await rendered(name, flags);
    const whole = toPlain(mergeObjects(parseHocon(defaults), readHocon(join(out, 'emqx.conf')))) as any;
    const open: string[] = [];
    for (const [kind, listeners] of Object.entries<any>(whole.listeners))
      for (const [id, listener] of Object.entries<any>(listeners)) {
        if (listener.enable === false) continue;
        open.push(`${kind}:${id}`);
        expect(kind).toBe('ssl');
        expect(listener.ssl_options).toMatchObject({ verify: 'verify_peer', fail_if_no_peer_cert: true });
      }
    expect(open).toEqual(['ssl:default']);
    expect(whole.gateway).toBeUndefined();
    expect(Object.keys(whole.dashboard.listeners)).toEqual(['http']);
  });

  test('names files that are there, and certificates in one directory', async () => {
    const { out, conf } = await rendered(name, flags);
    const etc = name === 'container' ? '/opt/emqx/etc' : out;
    expect(conf.listeners.ssl.default.ssl_options).toMatchObject({
      keyfile: `${etc}/certs/key.pem`,
      certfile: `${etc}/certs/cert.pem`,
      cacertfile: `${etc}/certs/ca.pem`,
    });
    expect(conf.api_key.bootstrap_file).toBe(`${etc}/api_keys`);
    expect(conf.authorization).toMatchObject({ no_match: 'deny', sources: [{ path: `${etc}/acl.conf` }] });
    expect(readdirSync(out).sort()).toEqual(['acl.conf', 'api_keys', 'emqx.conf']);
    const acl = parseAcl(readFileSync(join(out, 'acl.conf'), 'utf8'));
    expect(acl({ clientid: 'd' }, 'publish', 'log')).toBe(true);
    expect(acl({ clientid: 'd' }, 'subscribe', '#')).toBe(false);
  });
});

test('secrets are made once, are not the examples, and are for their owner only', async () => {
  const first = await rendered('twice', {});
  const key = readFileSync(join(first.out, 'api_keys'), 'utf8');
  expect(key).toMatch(/^[\w-]+:[\w-]{20,}\n$/);
  const second = await rendered('twice', { 'mqtt-port': '9883', 'api-bind': '10.0.0.1:1', nodes: 'emqx@n1' });
  expect(readFileSync(join(first.out, 'api_keys'), 'utf8')).toBe(key);
  expect(second.conf.node).toMatchObject({ cookie: first.conf.node.cookie, name: 'emqx@n1' });
  expect(second.conf.listeners.ssl.default.bind).toBe('0.0.0.0:9883');
  expect(second.conf.dashboard.listeners.http.bind).toBe('10.0.0.1:1');
  expect(JSON.stringify(second.conf)).not.toContain('replace-me');
  for (const file of ['api_keys', 'emqx.conf']) expect(statSync(join(first.out, file)).mode & 0o077).toBe(0);
});

test('the dashboard gets a password of its own, shown once, and never the default', async () => {
  const said: string[] = [];
  const out = join(root, 'dashboard');
  const again = async () => {
    if (render.needs === 'files')
      await render.run({
        dir: undefined,
        flags: { out },
        say: (line = '') => said.push(line),
        paint: painter(false),
      });
    return (toPlain(readHocon(join(out, 'emqx.conf'))) as any).dashboard.default_password as string;
  };
  const password = await again();
  expect(password).toMatch(/^[\w-]{20,64}$/);
  expect(password).not.toBe('public');
  expect(await again()).toBe(password);
  expect(said.filter((line) => line.includes(password))).toHaveLength(1);
});

test('several nodes share cookie, key and password, know each other, and keep their data where packages do', async () => {
  const names = ['emqx@10.0.0.1', 'emqx@10.0.0.2'];
  const nodes = async () => {
    await run('nodes', { nodes: names.join(',') });
    return names.map((name) => {
      const dir = join(root, 'nodes', name.split('@')[1]!);
      return {
        conf: toPlain(readHocon(join(dir, 'emqx.conf'))) as any,
        key: readFileSync(join(dir, 'api_keys'), 'utf8'),
      };
    });
  };
  const [one, two] = await nodes();
  expect([one!.conf.node.name, two!.conf.node.name]).toEqual(names);
  expect(two!.conf.node.cookie).toBe(one!.conf.node.cookie);
  expect(two!.conf.dashboard.default_password).toBe(one!.conf.dashboard.default_password);
  expect(two!.key).toBe(one!.key);
  expect(one!.conf.cluster).toEqual({ discovery_strategy: 'static', static: { seeds: names } });
  expect(one!.conf.node.data_dir).toBe('/var/lib/emqx');
  // A node that is added later gets what the others have.
  rmSync(join(root, 'nodes', '10.0.0.1'), { recursive: true });
  expect((await nodes())[0]!.conf.node.cookie).toBe(two!.conf.node.cookie);
});

test.each([
  ['manual', { discovery_strategy: 'manual' }],
  ['dns:emqx.internal', { discovery_strategy: 'dns', dns: { name: 'emqx.internal', record_type: 'a' } }],
  [
    'k8s:flota/emqx-headless',
    { discovery_strategy: 'k8s', k8s: { namespace: 'flota', service_name: 'emqx-headless' } },
  ],
])('nodes find each other by %s', async (discovery, cluster) => {
  expect((await rendered(`by-${discovery.split(':')[0]}`, { discovery })).conf.cluster).toMatchObject(
    cluster,
  );
});

test.each([
  [{ nodes: 'emqx' }, /"emqx" is not name@host/],
  [{ nodes: 'a@h,b@h' }, /a host of its own/],
  [{ discovery: 'gossip' }, /--discovery is static/],
  [{ user: 'nobody-of-that-name' }, /--user: /],
])('%j is one clear line', async (flags, message) => {
  await expect(rendered('bad', flags)).rejects.toThrow(message);
});

test('CRL checking is on where the address is given, and only http is taken', async () => {
  const off = await rendered('crl-off', {});
  expect(off.conf.listeners.ssl.default.ssl_options.enable_crl_check).toBeUndefined();
  const on = await rendered('crl-on', { 'crl-url': 'http://crl.example.org/crl.pem' });
  expect(on.conf.listeners.ssl.default.ssl_options.enable_crl_check).toBe(true);
  expect(on.conf.crl_cache.refresh_interval).toBe('1m');
  await expect(rendered('crl-https', { 'crl-url': 'https://crl.example.org/crl.pem' })).rejects.toThrow(
    /http only/,
  );
});

describe('npm run emqx', () => {
  let bed: TestBed;
  beforeAll(async () => {
    bed = await startTestBed({});
  });
  afterAll(() => bed.close());
  const cli = fileURLToPath(new URL('../cli.ts', import.meta.url));
  const run = async (args: string[], env: Record<string, string> = {}) => {
    const clean = { PATH: process.env.PATH!, FLOTA_DATA: root, ...env };
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [...program(cli), ...args], {
        env: clean,
      });
      return { code: 0, stdout, stderr: '' };
    } catch (error) {
      return error as { code: number; stdout: string; stderr: string };
    }
  };

  test('finds a local broker with the secrets of npm start, and exits 2 where there is a difference', async () => {
    writeFileSync(join(root, 'secrets.json'), '{"emqxKey":"key","emqxSecret":"secret","webhookToken":"t"}');
    const env = { BROKER_API_PORT: String(bed.broker.apiPort) };
    expect(await run(['plan'], env)).toMatchObject({
      code: 2,
      stdout: expect.stringContaining(`${readRules().sources.length} to create`),
    });
    expect(await run(['apply'], env)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('created rule log'),
    });
    expect(await run(['plan'], env)).toMatchObject({ code: 0 });
    // They are for this machine: no other is sent them.
    expect(await run(['plan'], { BROKER_API_URL: 'http://192.0.2.1:18083' })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^emqx: BROKER_API_KEY and BROKER_API_SECRET are not set\n$/),
    });
  });

  test('has --help, and one line for what is wrong', async () => {
    const [help, plan, unknown, option, out] = await Promise.all([
      run(['--help']),
      run(['plan', '--help']),
      run(['nope']),
      run(['apply', '--nope']),
      run(['render']),
    ]);
    expect(help).toMatchObject({ code: 0, stdout: expect.stringMatching(/plan[\s\S]*apply[\s\S]*render/) });
    expect(plan).toMatchObject({ code: 0, stdout: expect.stringContaining('exit 2') });
    for (const bad of [unknown, option, out])
      expect(bad).toMatchObject({ code: 1, stderr: expect.stringMatching(/^emqx: [^\n]+\n$/) });
  });
});
