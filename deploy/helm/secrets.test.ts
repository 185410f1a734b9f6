/** What `secrets.ts` prints from what compose's `prepare` makes, and EMQX's values, beside what the chart and the broker expect. */

import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { openAuthority } from '#ca/authority.ts';
import { clusterOf, distributionOf } from '#emqx/cli/cluster.ts';
import { nodeAt, parseHocon, toPlain } from '#emqx/hocon.ts';
import { program } from '../lab/primitives/programs.js';

const here = fileURLToPath(new URL('./', import.meta.url));
const root = join(here, '../..');
const dir = mkdtempSync(join(tmpdir(), 'flota-helm-secrets-'));
const [state, ca] = [join(dir, 'state'), join(dir, 'ca')];
const script = (file: string, ...args: string[]) =>
  spawnSync(process.execPath, [...program(join(root, file)), ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
const print = (...args: string[]) => script('deploy/helm/secrets.ts', '--state', state, '--ca', ca, ...args);
const read = (path: string) => readFileSync(join(root, path), 'utf8');

let secrets: Record<string, Record<string, string>>;

beforeAll(() => {
  mkdirSync(state);
  const prepared = script('deploy/compose/prepare.ts', '--state', state, '--ca', ca);
  expect(prepared.status, prepared.stderr).toBe(0);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it("refuses compose's own database, and what prepare has not made", () => {
  expect(print()).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining("still names compose's database"),
  });
  expect(script('deploy/helm/secrets.ts', '--state', dir, '--ca', ca).stderr).toContain(
    'database_url is not there: run deploy/compose/prepare.ts first',
  );
  expect(script('deploy/helm/secrets.ts').stderr).toBe('--state: is needed\n');
});

it('prints every Secret that the chart and the values of EMQX name, with every file that they mount', async () => {
  rmSync(join(state, 'database_url'), { force: true });
  writeFileSync(join(state, 'database_url'), 'postgres://flota:x@db.example.org:5432/flota');
  const { status, stdout, stderr } = print('--namespace', 'ota');
  expect(status, stderr).toBe(0);
  const { items } = JSON.parse(stdout);
  secrets = Object.fromEntries(
    items.map((one: { metadata: { name: string }; data: Record<string, string> }) => [
      one.metadata.name,
      Object.fromEntries(
        Object.entries(one.data).map(([name, data]) => [
          name,
          Buffer.from(data, 'base64').toString('latin1'),
        ]),
      ),
    ]),
  );
  expect(items.every((one: { metadata: object }) => 'namespace' in one.metadata)).toBe(true);
  const others = JSON.parse(print('--release', 'prod').stdout).items;
  expect(others.map((one: { metadata: { name: string } }) => one.metadata.name)).toContain(
    'prod-flota-ca-seed',
  );
  const asked = /define "flota.webhookFiles" -\}\}\n([^{]+)\{\{.*?(aws_credentials)/s.exec(
    read('deploy/helm/flota/templates/_names.tpl'),
  )!;
  expect(Object.keys(secrets['flota-webhook']!).sort()).toEqual(
    // The last is for whoever turns encryption on.
    [...asked[1]!.trim().split(' '), asked[2]!, 'sealing_keys'].sort(),
  );
  expect(secrets['flota-ca']).toEqual({ ca_passphrase: readFileSync(join(state, 'ca_passphrase'), 'utf8') });

  const env = secrets['flota-broker-env']!;
  expect(env).toMatchObject({
    FLOTA_URL: 'http://flota-webhook.ota.svc:8080',
    CA_ROOT: '/run/secrets/flota/ca_root',
    FLOTA_TOKEN_DIR: '/run/secrets/flota-tokens',
  });
  expect(env.EMQX_NODE__COOKIE).toMatch(/^[\w-]{32}$/);
  expect(JSON.parse(print('--namespace', 'ota').stdout), 'the cookie stays').toEqual(JSON.parse(stdout));
  const broker = secrets['flota-broker']!;
  expect(broker.api_keys).toBe(`${broker.api_key}:${broker.api_secret}\n`);

  const values = parse(read('deploy/helm/emqx/values.yaml'));
  const operator = parse(read('deploy/helm/emqx/operator.yaml')).spec.coreTemplate.spec;
  for (const { extraVolumes, extraVolumeMounts } of [values, operator]) {
    expect(extraVolumes[0].secret.secretName).toBe('flota-broker');
    expect(extraVolumes[1].secret).toMatchObject({ secretName: 'flota-broker-tokens', optional: true });
    expect(extraVolumeMounts.map((one: { mountPath: string }) => one.mountPath)).toEqual([
      '/run/secrets/flota',
      env.FLOTA_TOKEN_DIR,
    ]);
  }
  expect(values.envFromSecret).toBe('flota-broker-env');
  expect(operator.envFrom).toEqual([{ secretRef: { name: 'flota-broker-env' } }]);
  expect(values.emqxConfig.EMQX_API_KEY__BOOTSTRAP_FILE).toBe('/run/secrets/flota/api_keys');

  // What is in the archive is the CA that signed the webhook's certificate.
  const copy = join(dir, 'copy');
  mkdirSync(copy);
  execFileSync('tar', ['xzf', '-', '-C', copy], {
    input: Buffer.from(secrets['flota-ca-seed']!['ca.tar.gz']!, 'latin1'),
  });
  const authority = await openAuthority({ dir: copy, passphrase: secrets['flota-ca']!.ca_passphrase! });
  const trust = await authority.trust();
  expect(secrets['flota-webhook']!.ca_trust).toBe(trust.root + trust.issuing);
});

it('between nodes: the Secret has what the values mount, and they say what `render --node-tls` does', async () => {
  const nodeCa = join(dir, 'ca-nodes');
  const made = script('ca/cli.ts', 'init', '--dir', nodeCa);
  expect(made.status, made.stderr).toBe(0);
  const nodes = ['--broker-nodes', 'emqx-0,emqx-1', '--node-ca', nodeCa];
  const { status, stdout, stderr } = script('deploy/helm/secrets.ts', ...nodes, '--namespace', 'ota');
  expect(status, stderr).toBe(0);
  const { items } = JSON.parse(stdout);
  expect(items).toHaveLength(1);
  const values = parse(read('deploy/helm/emqx/values.yaml'));
  const { emqxConfig, ...lists } = parse(read('deploy/helm/emqx/node-tls.yaml'));
  for (const list of ['extraVolumes', 'extraVolumeMounts'])
    expect(lists[list].slice(0, -1), list).toEqual(values[list]);
  expect(lists.extraVolumes.at(-1).secret.secretName).toBe(items[0].metadata.name);
  const at = lists.extraVolumeMounts.at(-1).mountPath;

  const file = (name: string) => Buffer.from(items[0].data[name], 'base64').toString();
  expect(Object.keys(items[0].data).sort()).toEqual(['ca.pem', 'cert.pem', 'key.pem', 'ssl_dist.conf']);
  expect(file('ssl_dist.conf')).toBe(distributionOf(at));
  const certificate = new X509Certificate(file('cert.pem'));
  expect(certificate.subjectAltName?.split(', ')).toEqual(
    [0, 1].map((i) => `DNS:emqx-${i}.emqx-headless.ota.svc.cluster.local`),
  );
  expect(certificate.checkPrivateKey(createPrivateKey(file('key.pem')))).toBe(true);
  writeFileSync(join(dir, 'node.pem'), file('cert.pem'));
  writeFileSync(join(dir, 'node-ca.pem'), file('ca.pem'));
  for (const purpose of ['sslserver', 'sslclient'])
    execFileSync('openssl', [
      ...['verify', '-purpose', purpose, '-CAfile', join(dir, 'node-ca.pem'), join(dir, 'node.pem')],
    ]);

  const conf = toPlain(parseHocon(clusterOf('manual', [], at), 'cluster')) as Record<string, object>;
  const asVariables = (root: string, settings: object) =>
    Object.entries(settings).map(([name, value]) => [`EMQX_${root}__${name.toUpperCase()}`, String(value)]);
  const { discovery_strategy: _, ...cluster } = conf.cluster as Record<string, unknown>;
  expect(emqxConfig).toEqual({
    ...Object.fromEntries([...asVariables('CLUSTER', cluster), ...asVariables('RPC', conf.rpc!)]),
    EMQX_SSL_DIST_OPTFILE: `${at}/ssl_dist.conf`,
  });
});

it("sets by EMQX's variables only what emqx.conf has, and none of it is a secret", () => {
  const conf = parseHocon(read('emqx/conf/emqx.conf'), 'emqx.conf');
  const { emqxConfig } = parse(read('deploy/helm/emqx/values.yaml'));
  const { spec } = parse(read('deploy/helm/emqx/operator.yaml'));
  const operators = Object.fromEntries(
    spec.coreTemplate.spec.env.map((one: { name: string; value: string }) => [one.name, one.value]),
  );
  const ofTheEntrypoint = ['EMQX_CERT_DIR', 'EMQX_PUBLIC_NAMES'];
  for (const [name, value] of [...Object.entries(emqxConfig), ...Object.entries(operators)]) {
    if (ofTheEntrypoint.includes(name)) continue;
    const path = name
      .replace(/^EMQX_/, '')
      .toLowerCase()
      .split('__');
    expect(nodeAt(conf, ...path), name).toBeDefined();
    if (/PASSWORD|SECRET|COOKIE/.test(name)) expect(value, name).toBe(null);
  }
  // The chart's own default is `public`.
  expect(emqxConfig).toHaveProperty('EMQX_DASHBOARD__DEFAULT_PASSWORD', null);
  // What the chart has beside it is the same.
  for (const [name, value] of Object.entries(operators)) expect(emqxConfig[name], name).toBe(value);
  expect(spec.config.data.trimEnd()).toBe(read('emqx/conf/emqx.conf').trimEnd());
});
