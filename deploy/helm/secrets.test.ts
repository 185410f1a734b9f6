/** What `secrets.ts` prints from what compose's `prepare` makes, and EMQX's values, beside what the chart and the broker expect. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { openAuthority } from '#ca/authority.ts';
import { nodeAt, parseHocon } from '#emqx/hocon.ts';

const here = fileURLToPath(new URL('./', import.meta.url));
const root = join(here, '../..');
const dir = mkdtempSync(join(tmpdir(), 'flota-helm-secrets-'));
const [state, ca] = [join(dir, 'state'), join(dir, 'ca')];
const script = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', ...args], {
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
}, 60_000);
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
    [...asked[1]!.trim().split(' '), asked[2]!].sort(),
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
}, 60_000);

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
