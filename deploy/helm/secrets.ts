/**
 * The Secrets of a release, from what `deploy/compose/prepare.ts` has made in --state and --ca: prints them as one list for
 * `kubectl apply -f -`. With --broker-nodes: one-time tokens of those nodes instead, from a Flota that runs; or, with --node-ca, what they need for
 * TLS between them.
 */
import '#deploy/lab/primitives/closed-pipe.ts';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { distributionOf } from '#emqx/cli/cluster.ts';
import { createRest, unwrap } from '../lab/rest.ts';

const help = `npx tsx deploy/helm/secrets.ts --state DIR --ca DIR [--release flota] [--namespace flota]
npx tsx deploy/helm/secrets.ts --broker-nodes emqx-0,emqx-1 --names mqtt.example.org --url https://flota.example.org   (FLOTA_API_TOKEN)
npx tsx deploy/helm/secrets.ts --broker-nodes emqx-0,emqx-1 --node-ca DIR [--headless emqx-headless]   (CA_PASSPHRASE)

Prints Secrets for \`kubectl apply -f -\`; deploy/helm/README.md says what comes before and after.
`;

interface Secret {
  name: string;
  files: Record<string, string | Buffer>;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}

async function run(args: string[]): Promise<number> {
  const text = { type: 'string' as const };
  const options = { state: text, ca: text, 'broker-nodes': text, names: text, url: text, 'node-ca': text };
  const { values } = parseArgs({
    args,
    options: {
      ...options,
      release: { ...text, default: 'flota' },
      namespace: { ...text, default: 'flota' },
      headless: { ...text, default: 'emqx-headless' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const need = (name: keyof typeof options): string => {
    const value = values[name];
    if (!value) throw new Error(`--${name}: is needed`);
    return value;
  };
  if (values.help) process.stdout.write(help);
  else {
    const name = nameOf(values.release);
    const hostOf = (node: string) => `${node}.${values.headless}.${values.namespace}.svc.cluster.local`;
    const secrets = values['node-ca']
      ? [await makeNodes(name, splitList(need('broker-nodes')).map(hostOf), values['node-ca'])]
      : values['broker-nodes']
        ? [await makeTokens(name, splitList(values['broker-nodes']), splitList(need('names')), need('url'))]
        : readSecrets(need('state'), need('ca'), name, values.namespace);
    process.stdout.write(`${JSON.stringify(toList(secrets, values.namespace), null, 2)}\n`);
  }
  return 0;
}

/** As the chart names everything (`flota.name` in its templates). */
function nameOf(release: string): string {
  return (release.includes('flota') ? release : `${release}-flota`).slice(0, 40).replace(/-$/, '');
}

function splitList(text: string): string[] {
  return text.split(',').map((item) => item.trim());
}

function readSecrets(state: string, ca: string, name: string, namespace: string): Secret[] {
  const read = (file: string) => {
    const path = join(state, file);
    if (!existsSync(path)) throw new Error(`${path} is not there: run deploy/compose/prepare.ts first`);
    return readFileSync(path);
  };
  if (/@database:5432\//.test(read('database_url').toString()))
    throw new Error(`${join(state, 'database_url')} still names compose's database: write your own into it`);
  const cookie = join(state, 'emqx_cookie');
  if (!existsSync(cookie)) writeFileSync(cookie, randomBytes(24).toString('base64url'), { mode: 0o400 });
  const files = (...names: string[]) => Object.fromEntries(names.map((file) => [file, read(file)]));
  const archive = execFileSync('tar', ['czf', '-', '-C', ca, '.'], { maxBuffer: 64 * 1024 * 1024 });
  // The limit of a Secret, less what base64 and the rest take.
  if (archive.length > 700_000)
    throw new Error(`${ca} is too large for a Secret: copy it to the volume (README.md)`);
  return [
    {
      name: `${name}-webhook`,
      files: files(
        ...['database_url', 'aws_credentials', 'emqx_api_secret', 'webhook_certificate', 'webhook_key'],
        ...['ca_trust', 'webhook_token', 'api_token', 'admin_password', 'firmware_keys'],
        // For `encryption.enabled`.
        'sealing_keys',
      ),
    },
    { name: `${name}-ca`, files: files('ca_passphrase') },
    { name: `${name}-ca-seed`, files: { 'ca.tar.gz': archive } },
    {
      name: `${name}-broker`,
      files: {
        ...files('ca_root'),
        api_keys: read('emqx_api_keys'),
        // The same, as EMQX's operator wants it.
        api_key: 'flota',
        api_secret: read('emqx_api_secret'),
      },
    },
    {
      // As variables: EMQX 5.8 reads neither the password nor the cookie from a file.
      name: `${name}-broker-env`,
      files: {
        EMQX_DASHBOARD__DEFAULT_PASSWORD: read('emqx_dashboard_password'),
        EMQX_NODE__COOKIE: readFileSync(cookie),
        FLOTA_URL: `http://${name}-webhook.${namespace}.svc:8080`,
        CA_ROOT: '/run/secrets/flota/ca_root',
        FLOTA_TOKEN_DIR: '/run/secrets/flota-tokens',
        // A pod's address is new each time; devices and load balancers use names.
        EMQX_CONTAINER_NAMES: '',
      },
    },
  ];
}

/** Each node makes its own key, so each needs a token. */
async function makeTokens(name: string, nodes: string[], names: string[], url: string): Promise<Secret> {
  const apiToken = process.env.FLOTA_API_TOKEN;
  if (!apiToken) throw new Error('FLOTA_API_TOKEN: is needed');
  const rest = createRest(url, apiToken);
  const files: Secret['files'] = {};
  for (const node of nodes) {
    const json = { profile: 'broker' as const, commonName: 'emqx', names };
    files[node] = (await unwrap(rest.api.certificates.tokens.$post({ json }))).token;
  }
  return { name: `${name}-broker-tokens`, files };
}

/** One certificate with the names of all nodes, by a CA that no device and no listener knows. */
async function makeNodes(name: string, hosts: string[], dir: string): Promise<Secret> {
  const authority = await openAuthority({ dir, passphrase: process.env.CA_PASSPHRASE });
  const request = { profile: 'broker-node' as const, commonName: `node.${name}`, names: hosts };
  const { key, certificate, chain } = await issueKeyPair(authority, request);
  const { root, issuing } = await authority.trust();
  const dist = distributionOf('/run/secrets/flota-nodes');
  const files = { 'key.pem': key, 'cert.pem': certificate + chain, 'ca.pem': root + issuing };
  return { name: `${name}-broker-nodes`, files: { ...files, 'ssl_dist.conf': dist } };
}

function toList(secrets: Secret[], namespace: string): object {
  return {
    apiVersion: 'v1',
    kind: 'List',
    items: secrets.map(({ name, files }) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace },
      type: 'Opaque',
      data: Object.fromEntries(
        Object.entries(files).map(([file, content]) => [file, Buffer.from(content).toString('base64')]),
      ),
    })),
  };
}
