import type { JSONWebKeySet } from 'jose';
import type { RevokingAuthority } from '#ca/client.ts';
import type { EmqxApi } from '#emqx/api.ts';
import type { Inspector } from '#emqx/inspect.ts';
import type { OidcSettings } from './auth/oidc/settings.ts';
import type { Passwords } from './auth/password.ts';
import type { Symboliser } from './crashes/symbols.ts';
import type { Database } from './db/connect.ts';
import type { Db } from './db/query.ts';
import type { ObjectStore } from './firmware/objects.ts';
import type { MasterKeys } from './firmware/sealing/master-keys.ts';
import type { FirmwareSigner } from './firmware/signer.ts';
import type { createRouter } from './http.ts';
import type { Live } from './live/live.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics/metrics.ts';
import type { Snapshot } from './metrics/snapshot.ts';
import type { Courier } from './notifications/courier.ts';
import type { TelemetryElsewhere } from './telemetry/elsewhere.ts';

/** Everything that operations and routes need, wired once by `server.ts`. */
export interface Context {
  database: Database;
  db: Db;
  objects: ObjectStore;
  broker: EmqxApi;
  /** For the page about the broker. */
  inspector?: Inspector;
  /** EMQX's own dashboard; null where there is none (the stand-in). */
  dashboardUrl?: string | null;
  /** Where devices connect, `mqtts://host:port`; absent where the webhook was not told. */
  mqttUrl?: string | undefined;
  authority: RevokingAuthority;
  /** Null where manifests are signed elsewhere and brought in (`npm run firmware -- sign`). */
  signer: FirmwareSigner | null;
  /** Public firmware signing keys: a manifest brought in from outside must verify against one. */
  trustedKeys: JSONWebKeySet;
  /** What keys of encrypted firmware are kept under; absent: nothing can be encrypted. */
  masterKeys?: MasterKeys | null;
  live: Live;
  metrics: Metrics;
  /** What all workers of this copy have counted, given this one's; absent where it is the only one. */
  gatherMetrics?: (own: Snapshot) => Promise<Snapshot[]>;
  passwords: Passwords;
  /** What notifications are sent with. */
  courier: Courier;
  /** Reads ELFs for crash reports. */
  symboliser: Symboliser;
  /** Arguments of Node that run the maker of patches; absent: those of the one beside this program. */
  patchProgram?: string[];
  /** What sending a megabyte (10^6 bytes) to a device costs; absent: nobody has said. */
  transferPrice?: { perMegabyte: number; currency: string } | null;
  /** A device that was away for so long is told of; default 24. */
  silentHours?: number;
  /** Where measurements are read from when they are not in our database. */
  telemetry?: TelemetryElsewhere | null;
  log: Log;
  /** Tells this copy's background work that there is work. */
  wake: () => void;
  /** Aborted when this copy shuts down: long answers end. */
  closing: AbortSignal;
  webhookToken: string;
  apiToken: string | null;
  /** Single sign-on; absent where there is none. */
  oidc?: OidcSettings | undefined;
  /** Of one caller, by one copy; absent: as many as they like. */
  requestsPerMinute?: number | undefined;
  /** How long API tokens may live; absent: for ever. */
  tokenMaxDays?: number | undefined;
  /** How many proxies of ours stand in front; default 0. */
  proxies?: number;
  /** Where admins reach the console; its origin is the one that may change things by cookie. */
  publicUrl: string;
  /** Built console to serve at `/`, or null. */
  consoleDir: string | null;
  /** Routes of who starts this copy: `npm start` has control over its virtual devices; absent in production. */
  localRoutes?: (context: Context) => ReturnType<typeof createRouter>;
}
