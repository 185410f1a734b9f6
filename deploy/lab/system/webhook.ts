/** A copy of the webhook: here, on the parts that are handed to it, or as the program that production runs. */
import { join } from 'node:path';
import type { CertificateAuthority } from '#ca/client.ts';
import type { SigningKey } from '#firmware/signing/key.ts';
import type { ObjectStoreSettings } from '#webhook/firmware/objects.ts';
import { startWebhook, type WebhookOptions, type WebhookParts } from '#webhook/server.ts';
import type { EmqxAccess } from './broker.ts';
import { createHere, createProcess, type Part } from './part.ts';
import { issueIdentity, type Site } from './site.ts';

export function createCopyHere(parts: WebhookParts, options: WebhookOptions): Part {
  return createHere('webhook', () => startWebhook(parts, options));
}

export interface CopySettings {
  program: string[];
  url: string;
  databaseUrl: string;
  objects: ObjectStoreSettings & { credentials: { accessKeyId: string; secretAccessKey: string } };
  emqx: EmqxAccess;
  caUrl: string;
  trust: string;
  authority: CertificateAuthority;
  signing: SigningKey;
  webhookToken: string;
  apiToken: string;
}

/** Environment and files as deploy/compose gives them to it. */
export async function createCopies(
  site: Site,
  settings: CopySettings,
  ports: { http: number; internal: number }[],
): Promise<Part[]> {
  const { file } = site;
  const { objects, emqx } = settings;
  const client = await issueIdentity(settings.authority, 'service', 'webhook.flota');
  const { accessKeyId, secretAccessKey } = objects.credentials;
  const credentials = `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`;
  const environment = {
    PUBLIC_URL: settings.url,
    TRUSTED_PROXIES: '1',
    // Each is a process, to be killed or stopped as such.
    WEBHOOK_WORKERS: '1',
    DATABASE_URL_FILE: file('database_url', settings.databaseUrl),
    S3_ENDPOINT: objects.endpoint!,
    S3_PUBLIC_URL: objects.publicUrl!,
    S3_DEVICE_URL: objects.deviceUrl!,
    S3_BUCKET: objects.bucket,
    AWS_SHARED_CREDENTIALS_FILE: file('aws_credentials', credentials),
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    BROKER_API_URL: emqx.url,
    BROKER_API_KEY: emqx.key,
    BROKER_API_SECRET_FILE: file('emqx_secret', emqx.secret),
    CA_URL: settings.caUrl,
    CA_CLIENT_CERT: file('webhook.pem', client.cert),
    CA_CLIENT_KEY: file('webhook.key', client.key),
    CA_ROOT: file('root.pem', settings.trust),
    WEBHOOK_TOKEN_FILE: file('webhook_token', `${settings.webhookToken}\n`),
    FLOTA_API_TOKEN_FILE: file('api_token', settings.apiToken),
    FIRMWARE_KEYS: file('keys.json', JSON.stringify(settings.signing.publicKeys)),
  };
  return ports.map(({ http, internal }, i) =>
    createProcess({
      name: `webhook ${i + 1}`,
      command: process.execPath,
      args: settings.program,
      env: { ...site.env, ...environment, PORT: String(http), INTERNAL_PORT: String(internal) },
      logFile: join(site.dir, `webhook-${i + 1}.log`),
      ready: async () => (await fetch(`http://127.0.0.1:${http}/readyz`)).ok,
    }),
  );
}
