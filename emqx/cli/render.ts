/** `render`: the files of a real broker, from emqx/conf. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeAt, parseHocon, toPlain } from '../hocon.ts';
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
key and a cookie that DIR already has are kept; else the key is BROKER_API_KEY and BROKER_API_SECRET, or made up.`,
  options: {
    out: { type: 'string', about: 'the directory to write (needed)' },
    container: {
      type: 'boolean',
      about: "paths inside EMQX's image, and the API on all of the container's addresses",
    },
    certs: { type: 'string', about: 'directory of the certificates, as the broker sees it (<etc>/certs)' },
    'mqtt-port': { type: 'string', about: 'of the listener with client certificates (8883)' },
    'api-bind': {
      type: 'string',
      about: 'of dashboard and HTTP API (127.0.0.1:18083; with --container 0.0.0.0:18083)',
    },
    'crl-url': {
      type: 'string',
      about: 'http address of the CRL that the certificates name: revoked ones are refused at the handshake',
    },
    node: { type: 'string', about: 'name of the node (emqx@127.0.0.1)' },
  },
  needs: 'files',
  async run({ flags, say }) {
    if (!flags.out) throw new CliError('render needs --out DIR');
    const out = resolve(String(flags.out));
    const etc = flags.container ? imageDir : out;
    const certs = String(flags.certs ?? `${etc}/certs`);
    const port = Number(flags['mqtt-port'] ?? 8883);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new CliError('--mqtt-port needs a port');
    const ssl = 'listeners.ssl.default';
    const before = kept(join(out, 'emqx.conf'), 'dashboard.default_password');
    // As 5.8 wants it: 8 to 64 characters, letters and digits. It reads no file:// here (5.9 does).
    const password = before ?? `${randomBytes(18).toString('base64url')}a1`;
    const values: Record<string, string> = {
      'node.name': String(flags.node ?? 'emqx@127.0.0.1'),
      'node.cookie': kept(join(out, 'emqx.conf'), 'node.cookie') ?? randomBytes(24).toString('base64url'),
      'node.data_dir': flags.container ? '/opt/emqx/data' : join(out, 'data'),
      [`${ssl}.bind`]: `0.0.0.0:${port}`,
      [`${ssl}.ssl_options.keyfile`]: `${certs}/key.pem`,
      [`${ssl}.ssl_options.certfile`]: `${certs}/cert.pem`,
      [`${ssl}.ssl_options.cacertfile`]: `${certs}/ca.pem`,
      'dashboard.listeners.http.bind': String(
        flags['api-bind'] ?? (flags.container ? '0.0.0.0:18083' : '127.0.0.1:18083'),
      ),
      'api_key.bootstrap_file': `${etc}/api_keys`,
      'dashboard.default_password': password,
    };
    let text = readFileSync(join(confDir, 'emqx.conf'), 'utf8');
    const edits = Object.entries(values).map(([path, value]) => ({ path: path.split('.'), value }));
    text = editText(text, parseHocon(text, 'emqx.conf'), [], edits);
    text = text
      .replace('"etc/acl.conf"', JSON.stringify(`${etc}/acl.conf`))
      .replace('  ## Replace it: EMQX_NODE__COOKIE.\n', '');
    if (flags['crl-url']) {
      if (!/^http:\/\/./.test(String(flags['crl-url'])))
        throw new CliError('--crl-url: EMQX 5.8 fetches CRLs over http only');
      text = text.replace('# enable_crl_check = true', 'enable_crl_check = true');
    }
    mkdirSync(out, { recursive: true });
    const acl = readFileSync(join(confDir, 'acl.conf'), 'utf8');
    writeFileSync(join(out, 'emqx.conf'), text, { mode: 0o600 });
    writeFileSync(join(out, 'acl.conf'), acl);
    const keyFile = join(out, 'api_keys');
    if (!existsSync(keyFile))
      writeFileSync(keyFile, `${readApiKey() ?? `flota:${randomBytes(24).toString('base64url')}`}\n`, {
        mode: 0o600,
      });
    say(`${out}: emqx.conf, acl.conf, api_keys (one key:secret a line)`);
    if (!before) say(`dashboard: admin ${password} (shown once; it is in emqx.conf, for its owner only)`);
    say(`certificates: ${certs}/key.pem, cert.pem, ca.pem`);
    say(
      'then: BROKER_API_URL=… BROKER_API_KEY=… BROKER_API_SECRET=… WEBHOOK_URL=… WEBHOOK_TOKEN=… npm run emqx -- apply',
    );
    return 0;
  },
};

/** A value that an earlier render has written. */
function kept(file: string, path: string): string | null {
  if (!existsSync(file)) return null;
  const node = nodeAt(parseHocon(readFileSync(file, 'utf8'), file), ...path.split('.'));
  return node ? String(toPlain(node)) : null;
}
