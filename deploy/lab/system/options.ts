import type { BrokerConfig } from '#emqx/rules.ts';
import type { OidcSettings } from '#webhook/auth/oidc/settings.ts';
import type { Passwords } from '#webhook/auth/password.ts';
import type { Database } from '#webhook/db/connect.ts';
import type { ReconcileTimes } from '#webhook/devices/reconcile.ts';
import type { CdnSettings } from '#webhook/firmware/cdn.ts';
import type { ObjectStoreSettings } from '#webhook/firmware/objects.ts';
import type { Log } from '#webhook/log.ts';
import type { CourierSettings } from '#webhook/notifications/courier.ts';
import { defaultRetention, type Retention } from '#webhook/retention/retention.ts';
import type { WebhookParts } from '#webhook/server.ts';
import type { EmqxAccess } from './broker.ts';
import type { PartName } from './site.ts';

/** 0: one that the system chooses and keeps (Linux). */
export interface Ports {
  http: number;
  internal: number;
  mqtt: number;
  emqxApi: number;
  s3: number;
  s3Tls: number;
}

/** Where each part is: in this process unless `apart` names it, or a real one that is named by its address. */
export interface SystemOptions {
  /** Everything is kept below it. */
  dataDir: string;
  host: string;
  ports: Ports;
  /** PostgreSQL; null: PGlite in `dataDir`, which only a webhook in this process can use. */
  databaseUrl: string | null;
  /** Opens another one, for a webhook in this process. */
  openDatabase?: (() => Promise<Database>) | undefined;
  /** The real things that replace a part of ours. */
  s3: ObjectStoreSettings | null;
  cdn: CdnSettings | null;
  emqx: EmqxAccess | null;
  ca: { url: string; cert: string; key: string; ca: string } | null;
  /** Where our own CA is kept; default: in `dataDir`. */
  authority?: { dir: string; passphrase?: string };
  /** Of a real EMQX. */
  dashboardUrl: string | null;

  publicUrl: string | null;
  /** How many proxies of ours stand in front. */
  proxies: number;
  /** Of one caller of the API; null: as many as they like. */
  requestsPerMinute: number | null;
  /** Single sign-on. */
  oidc: OidcSettings | null;
  adminEmail: string;
  /** null: made, and kept in `dataDir`. */
  adminPassword: string | null;
  apiToken: string | null;
  /** Default: at the cost that production has. */
  passwords?: Passwords;
  retention: Retention;
  /** What notifications are sent with; default: no mail, and no network of our own. */
  courier?: CourierSettings;
  silentHours?: number;
  /** How long API tokens may live; absent: for ever. */
  tokenMaxDays?: number | undefined;
  /** What a megabyte to a device costs; default: nobody has said. */
  transferPrice?: { perMegabyte: number; currency: string } | null;
  /** How long device certificates live; null: the CA's default. */
  deviceCertificateSeconds: number | null;
  /** How often the stand-in fetches the CRL again. */
  crlRefreshMs: number;
  log: Log;
  /** Routes beside the webhook's own. */
  localRoutes?: WebhookParts['localRoutes'];

  /** Processes of their own, which can be killed. A webhook that is one needs `ca` to be one, and a `databaseUrl`. */
  apart: PartName[];
  /** Arguments of Node for those that production runs; default: from source. */
  programs?: { webhook: string[]; ca: string[] };
  /** Environment of the processes beside ours. */
  env?: Record<string, string>;
  /** Of the webhook when it is apart: with nginx and the proxy file of deploy/compose in front. */
  copies: number;
  /** A proxy between broker and webhook that can be told to fail; `host` is where the broker reaches it. A real EMQX is configured to use it. */
  gate: { host: string } | null;
  /** Shorter intervals for short runs. */
  tune?: (config: BrokerConfig) => void;
  actionHangMs?: number;
  reconcile?: ReconcileTimes;
}

/** What `npm start` has without options, on ports that the system chooses. */
export const defaultOptions: Omit<SystemOptions, 'dataDir'> = {
  host: '127.0.0.1',
  ports: { http: 0, internal: 0, mqtt: 0, emqxApi: 0, s3: 0, s3Tls: 0 },
  databaseUrl: null,
  s3: null,
  cdn: null,
  emqx: null,
  ca: null,
  dashboardUrl: null,
  publicUrl: null,
  proxies: 0,
  requestsPerMinute: null,
  oidc: null,
  adminEmail: 'admin@flota.local',
  adminPassword: null,
  apiToken: null,
  retention: defaultRetention,
  deviceCertificateSeconds: null,
  crlRefreshMs: 10_000,
  log: () => {},
  apart: [],
  copies: 1,
  gate: null,
};
