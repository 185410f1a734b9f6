/**
 * Secrets, CA, certificates and the broker's configuration for compose.yaml. What is there stays; certificates in their last two months
 * are made anew.
 */
import { randomBytes, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { openAuthority } from '#ca/authority.ts';
import { issueKeyPair, type KeyPairRequest } from '#ca/key-pair.ts';
import { render } from '#emqx/cli/render.ts';
import { makeKey, openKey } from '#firmware/signing/key.ts';
import { renderAlertmanager } from './alertmanager.ts';
import { readJob } from './config.ts';
import { runJob } from './job.ts';

const renewBeforeMs = 60 * 86_400_000;
/** Whom the image runs as. */
const containerUid = 1000;

await runJob(['state', 'ca'], async ({ state, ca }) => {
  const settings = readJob('prepare');
  const { FLOTA_HOST: host, CA_CRL_URL: crlUrl } = settings;
  mkdirSync(state, { recursive: true });
  chmodSync(state, 0o700);
  /** An empty one is what a full disk has left of it. */
  const keep = (name: string, make: () => string): string => {
    const path = join(state, name);
    if (!existsSync(path) || statSync(path).size === 0) put(path, make());
    return readFileSync(path, 'utf8').trim();
  };
  const secret = () => randomBytes(24).toString('base64url');

  const databasePassword = keep('database_password', secret);
  keep('database_url', () => `postgres://flota:${databasePassword}@database:5432/flota`);
  for (const name of [
    'webhook_token',
    'api_token',
    'grafana_password',
    'alarm_webhook_token',
    'alarm_smtp_password',
    'oidc_client_secret',
  ])
    keep(name, secret);
  // Empty: telemetry is in our database.
  keep('telemetry_database_url', () => '');
  keep('sealing_keys', () => randomBytes(32).toString('base64'));
  const adminPassword = keep('admin_password', () => randomBytes(12).toString('base64url'));
  const emqxSecret = keep('emqx_api_secret', secret);
  const dashboardIsNew = !existsSync(join(state, 'emqx_dashboard_password'));
  const dashboardPassword = keep('emqx_dashboard_password', makeDashboardPassword);

  const identities = keep('store_identities', () => {
    const credentials = [
      { accessKey: `FLOTA${randomBytes(8).toString('hex').toUpperCase()}`, secretKey: secret() },
    ];
    return JSON.stringify({
      identities: [{ name: 'flota', credentials, actions: ['Admin', 'Read', 'Write', 'List'] }],
    });
  });
  const { accessKey, secretKey } = JSON.parse(identities).identities[0].credentials[0];
  keep(
    'aws_credentials',
    () => `[default]\naws_access_key_id=${accessKey}\naws_secret_access_key=${secretKey}\n`,
  );

  const signing = await openKey(keep('firmware-signing-key.pem', makeKey));
  chmodSync(join(state, 'firmware-signing-key.pem'), 0o600);
  keep('firmware_keys', () => JSON.stringify(signing.publicKeys, null, 2));

  const authority = await openAuthority({ dir: ca, passphrase: keep('ca_passphrase', secret), crlUrl });
  const { root, issuing } = await authority.trust();
  put(join(state, 'ca_root'), root);
  put(join(state, 'ca_trust'), root + issuing);
  const certify = async (name: string, request: KeyPairRequest) => {
    const path = join(state, `${name}_certificate`);
    if (existsSync(path) && lastsFor(readFileSync(path, 'utf8'), request.names ?? [])) return;
    const pair = await issueKeyPair(authority, request);
    put(join(state, `${name}_key`), pair.key);
    put(path, pair.certificate + pair.chain);
  };
  await certify('webhook', { profile: 'service', commonName: 'webhook.flota' });
  await certify('edge', { profile: 'broker', commonName: 'edge', names: [host, 'localhost', 'proxy'] });
  if (process.getuid?.() === 0) giveAway(ca);

  const emqx = join(state, 'emqx');
  mkdirSync(emqx, { recursive: true });
  put(join(emqx, 'api_keys'), `flota:${emqxSecret}\n`);
  await renderBroker(emqx);
  for (const [from, to] of [
    ['emqx.conf', 'emqx_conf'],
    ['acl.conf', 'emqx_acl'],
    ['api_keys', 'emqx_api_keys'],
  ] as const)
    put(join(state, to), readFileSync(join(emqx, from), 'utf8'));

  process.stdout.write(`prepared for ${host}\nlogin: admin@flota.local  ${adminPassword}\n`);
  if (dashboardIsNew) process.stdout.write(`broker's dashboard, shown once: admin  ${dashboardPassword}\n`);
  // In place: what Docker has mounted is the file and not its name.
  put(join(state, 'alertmanager'), renderAlertmanager(settings));
  if (!settings.FLOTA_ALARM_EMAIL && !settings.FLOTA_ALARM_WEBHOOK)
    process.stdout.write('alarms reach nobody: set FLOTA_ALARM_EMAIL or FLOTA_ALARM_WEBHOOK (README.md)\n');
  process.stdout.write('move state/firmware-signing-key.pem to a safe place: nothing here needs it to run\n');
});

/** EMQX asks for letters and digits, and ignores one that has not both. */
function makeDashboardPassword(): string {
  return `${randomBytes(18).toString('base64url')}a1`;
}

async function renderBroker(out: string): Promise<void> {
  if (render.needs !== 'files') throw new Error('render must not need a broker');
  await render.run({
    dir: undefined,
    flags: { out, container: true },
    say: () => {},
    paint: (_, text) => text,
  });
}

/** Readable to all, for each container has another user; the directory lets nobody else in. */
function put(path: string, content: string): void {
  if (existsSync(path)) chmodSync(path, 0o600);
  writeFileSync(path, content);
  chmodSync(path, 0o444);
}

function lastsFor(pem: string, names: string[]): boolean {
  if (pem === '') return false;
  const certificate = new X509Certificate(pem);
  const valid = Date.parse(certificate.validTo) - Date.now() > renewBeforeMs;
  return valid && names.every((name) => certificate.checkHost(name) ?? certificate.checkIP(name));
}

function giveAway(dir: string): void {
  chownSync(dir, containerUid, containerUid);
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true }))
    chownSync(join(entry.parentPath, entry.name), containerUid, containerUid);
}
