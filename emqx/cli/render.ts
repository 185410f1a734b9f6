/** `render`: the files of a real broker, from emqx/conf. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { putSecret } from '#deploy/lab/primitives/secret-file.ts';
import { knownPasswords } from '../default-password.ts';
import { nodeAt, parseHocon, toPlain } from '../hocon.ts';
import { clusterOf, distributionOf, hostOf, readNodeNames, requireDnsNames } from './cluster.ts';
import type { Command } from './command.ts';
import { editText } from './edit.ts';
import { CliError } from './output.ts';
import { readApiKey } from './settings.ts';

const confDir = fileURLToPath(new URL('../conf/', import.meta.url));
/** Where EMQX's image has its files. */
const imageDir = '/opt/emqx/etc';

export const render: Command = {
  summary: 'writes emqx.conf, acl.conf and the API-key file of a real broker',
  help: `For a native EMQX, whose etc/emqx.conf and etc/acl.conf these files replace, or, with --container, for EMQX's image with them
mounted in ${imageDir} (readable by its user, uid 1000). The certificates are expected in --certs: key.pem, cert.pem (leaf and issuing CA) and ca.pem. An API
key and a cookie that DIR already has are kept; else the key is BROKER_API_KEY and BROKER_API_SECRET, or made up. With several --nodes there is
a folder for each, by its host, with the same cookie, key and dashboard password. Between them goes TLS with --node-tls, else use a private network.
The nodes' certificates then come from a CA of their own (npm run ca -- init --dir ca-nodes), which no device has one of: what render prints makes them.`,
  options: {
    out: { type: 'string', about: 'the directory to write (needed)' },
    container: {
      type: 'boolean',
      about: "paths inside EMQX's image, and the API on all of the container's addresses",
    },
    certs: { type: 'string', about: 'directory of the certificates, as the broker sees it (<etc>/certs)' },
    data: { type: 'string', about: "the broker's data directory (/var/lib/emqx, as packages have it)" },
    user: {
      type: 'string',
      about: 'who the broker runs as, and so owns the files (emqx, where root renders)',
    },
    'mqtt-port': { type: 'string', about: 'of the listener with client certificates (8883)' },
    'api-bind': {
      type: 'string',
      about: 'of dashboard and HTTP API (127.0.0.1:18083; with --container 0.0.0.0:18083)',
    },
    'crl-url': {
      type: 'string',
      about: 'http address of the CRL that the certificates name: revoked ones are refused at the handshake',
    },
    nodes: { type: 'string', about: 'names of all nodes (emqx@127.0.0.1): emqx@10.0.0.1,emqx@10.0.0.2' },
    'node-tls': {
      type: 'boolean',
      about: 'TLS between the nodes, with certificates in <etc>/node-certs (key.pem, cert.pem, ca.pem)',
    },
    discovery: {
      type: 'string',
      about: 'how nodes find each other: static (these --nodes), manual, dns:NAME or k8s:NAMESPACE/SERVICE',
    },
  },
  needs: 'files',
  async run({ flags, say }) {
    if (!flags.out) throw new CliError('render needs --out DIR');
    const out = resolve(String(flags.out));
    const port = Number(flags['mqtt-port'] ?? 8883);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new CliError('--mqtt-port needs a port');
    if (flags['crl-url'] && !/^http:\/\/./.test(String(flags['crl-url'])))
      throw new CliError('--crl-url: EMQX before 6.2 fetches CRLs over http only');
    const nodes = readNodeNames(String(flags.nodes ?? 'emqx@127.0.0.1'));
    const joined = Boolean(flags.discovery) || nodes.length > 1;
    if (flags['node-tls'] && !joined)
      throw new CliError('--node-tls is between nodes: give --nodes or --discovery');
    if (flags['node-tls']) requireDnsNames(nodes);
    const dirs = nodes.map((name) => (nodes.length > 1 ? join(out, hostOf(name)) : out));
    const owner = readOwner(flags.user);
    const secrets = keptOrMade(dirs);
    const acl = readFileSync(join(confDir, 'acl.conf'), 'utf8');
    for (const [i, dir] of dirs.entries()) {
      mkdirSync(dir, { recursive: true });
      const etc = flags.container ? imageDir : dir;
      const certs = String(flags.certs ?? `${etc}/certs`);
      const nodeCerts = flags['node-tls'] ? `${etc}/node-certs` : null;
      const cluster = joined ? clusterOf(String(flags.discovery ?? 'static'), nodes, nodeCerts) : '';
      const ssl = 'listeners.ssl.default';
      const values = {
        'node.name': nodes[i]!,
        'node.cookie': secrets.cookie,
        'node.data_dir': String(flags.data ?? (flags.container ? '/opt/emqx/data' : '/var/lib/emqx')),
        [`${ssl}.bind`]: `0.0.0.0:${port}`,
        [`${ssl}.ssl_options.keyfile`]: `${certs}/key.pem`,
        [`${ssl}.ssl_options.certfile`]: `${certs}/cert.pem`,
        [`${ssl}.ssl_options.cacertfile`]: `${certs}/ca.pem`,
        'dashboard.listeners.http.bind': String(
          flags['api-bind'] ?? (flags.container ? '0.0.0.0:18083' : '127.0.0.1:18083'),
        ),
        'api_key.bootstrap_file': `${etc}/api_keys`,
        'dashboard.default_password': secrets.password,
      };
      putSecret(join(dir, 'emqx.conf'), confOf(values, etc, Boolean(flags['crl-url'])) + cluster);
      writeFileSync(join(dir, 'acl.conf'), acl);
      putSecret(join(dir, 'api_keys'), secrets.apiKeys);
      const written = ['emqx.conf', 'acl.conf', 'api_keys'];
      if (nodeCerts) {
        writeFileSync(join(dir, 'ssl_dist.conf'), distributionOf(nodeCerts));
        written.push('ssl_dist.conf');
      }
      for (const name of owner ? written : []) chownSync(join(dir, name), owner!.uid, owner!.gid);
      say(
        `${dir}: emqx.conf, acl.conf, api_keys (one key:secret a line); certificates: ${certs}/key.pem, cert.pem, ca.pem`,
      );
    }
    if (flags['node-tls']) {
      say('certificates of the nodes, from a CA of their own (npm run ca -- init --dir ca-nodes):');
      for (const [i, name] of nodes.entries())
        say(
          `  npm run ca -- issue --dir ca-nodes --profile broker-node --name node.${hostOf(name)} --names ${hostOf(name)} --out ${dirs[i]}/node-certs`,
        );
    }
    if (!secrets.kept)
      say(`dashboard: admin ${secrets.password} (shown once; it is in emqx.conf, for its owner only)`);
    say(
      'then: BROKER_API_URL=… BROKER_API_KEY=… BROKER_API_SECRET=… WEBHOOK_URL=… WEBHOOK_TOKEN=… npm run emqx -- apply',
    );
    return 0;
  },
};

function confOf(values: Record<string, string>, etc: string, checksCrl: boolean): string {
  const text = readFileSync(join(confDir, 'emqx.conf'), 'utf8');
  const edits = Object.entries(values).map(([path, value]) => ({ path: path.split('.'), value }));
  const edited = editText(text, parseHocon(text, 'emqx.conf'), [], edits)
    .replace('"etc/acl.conf"', JSON.stringify(`${etc}/acl.conf`))
    .replace('  ## Replace it: EMQX_NODE__COOKIE.\n', '');
  return checksCrl ? edited.replace('# enable_crl_check = true', 'enable_crl_check = true') : edited;
}

/** Files are for their owner only, and the broker must read them; null: they stay with who renders. */
function readOwner(user: unknown): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) {
    if (user) throw new CliError('--user: only root can give files to somebody else');
    return null;
  }
  const id = (flag: string) =>
    Number(execFileSync('id', [flag, String(user ?? 'emqx')], { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    if (user) throw new CliError(`--user: there is no ${String(user)} here`);
    return null;
  }
}

interface Secrets {
  cookie: string;
  password: string;
  apiKeys: string;
  /** The password was there before. */
  kept: boolean;
}

/** One for all nodes: those that an earlier render has left with any of them. */
function keptOrMade(dirs: string[]): Secrets {
  const conf = dirs.map((dir) => join(dir, 'emqx.conf'));
  const find = (path: string) => conf.map((file) => kept(file, path)).find((value) => value !== null);
  const keys = dirs.map((dir) => join(dir, 'api_keys')).find((file) => existsSync(file));
  const password = find('dashboard.default_password');
  return {
    cookie: find('node.cookie') ?? randomBytes(24).toString('base64url'),
    // As 5.8 wants it: 8 to 64 characters, letters and digits. It reads no file:// here (5.9 does).
    password: password ?? `${randomBytes(18).toString('base64url')}a1`,
    apiKeys: keys
      ? readFileSync(keys, 'utf8')
      : `${readApiKey() ?? `flota:${randomBytes(24).toString('base64url')}`}\n`,
    kept: password !== undefined,
  };
}

/** Of EMQX's own files, and of ours as they are before they are rendered. */
const everybodyKnows = ['emqxsecretcookie', ...knownPasswords];

/** A value that an earlier render has written. */
function kept(file: string, path: string): string | null {
  if (!existsSync(file)) return null;
  const node = nodeAt(parseHocon(readFileSync(file, 'utf8'), file), ...path.split('.'));
  const value = node ? String(toPlain(node)) : null;
  return value === null || everybodyKnows.includes(value) ? null : value;
}
