/** Starts one copy of the webhook: both listeners and the background work; `close` ends all of them without losing anything. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInternalApp, createPublicApp } from './app.ts';
import { publishHead } from './audit/heads.ts';
import { ensureAdmin } from './auth/auth.ts';
import { createPasswords, type Passwords } from './auth/password.ts';
import { type Pauses, startBackground } from './background.ts';
import type { Context } from './context.ts';
import { createSymboliser, type Symboliser } from './crashes/symbols.ts';
import { watchNodes } from './devices/nodes.ts';
import { noticeReturn, type ReconcileTimes, reconcileTimes, startReconciler } from './devices/reconcile.ts';
import { createIngest } from './events/ingest.ts';
import { createReceiver, type Receiver } from './events/receiver.ts';
import { closeListener, openListener } from './listener.ts';
import { openLive } from './live/live.ts';
import type { Loop } from './loop.ts';
import { createMetrics, type Metrics } from './metrics/metrics.ts';
import { observeBroker, observeGroup, observeIngest } from './metrics/observed.ts';
import { type Courier, createCourier } from './notifications/courier.ts';
import { startNotifier } from './notifications/deliver.ts';
import { defaultRetention, type Retention, startSweeper } from './retention/retention.ts';

export type WebhookParts = Omit<
  Context,
  'db' | 'live' | 'metrics' | 'passwords' | 'courier' | 'symboliser' | 'wake' | 'closing' | 'publicUrl'
> & {
  /** Default: OWASP's setting of scrypt. */
  passwords?: Passwords;
  /** Default: no mail, and no network of our own. */
  courier?: Courier;
  symboliser?: Symboliser;
  metrics?: Metrics;
  /** Default: where this copy itself listens. */
  publicUrl: string | null;
};

export interface WebhookOptions {
  host: string;
  port: number;
  internalPort: number;
  /** This process is one of so many that are one copy, and has its share of what a copy may. Default: the only one. */
  workers?: number;
  admin: { email: string; password: string } | null;
  /** Of the background work. */
  pauses?: Pauses;
  reconcile?: ReconcileTimes;
  /** How long a request may take to come. Default: half a minute. */
  receiveMs?: number | undefined;
  /** Default: `defaultRetention`. */
  retention?: Retention;
}

export interface Webhook {
  port: number;
  internalPort: number;
  url: string;
  close(): Promise<void>;
}

/** Rejects with EADDRINUSE when a port is taken; then nothing is left running. The caller owns `parts` and closes them after. */
export async function startWebhook(parts: WebhookParts, options: WebhookOptions): Promise<Webhook> {
  const passwords = parts.passwords ?? createPasswords();
  const courier = parts.courier ?? createCourier({ allowedNetworks: [], mail: null });
  if (options.admin) await ensureAdmin(parts.database.db, passwords, options.admin);
  const live = await openLive(parts.database, parts.log);
  const metrics = parts.metrics ?? createMetrics();
  const { workers = 1 } = options;
  const closing = new AbortController();
  const context: Context = {
    ...parts,
    db: parts.database.db,
    requestsPerMinute: parts.requestsPerMinute && Math.ceil(parts.requestsPerMinute / workers),
    broker: noticeReturn(observeBroker(parts.broker, metrics), () => reconciler?.wake()),
    live,
    metrics,
    passwords,
    courier,
    symboliser: parts.symboliser ?? createSymboliser(),
    closing: closing.signal,
    publicUrl: parts.publicUrl ?? `http://localhost:${options.port}`,
    wake: () => background?.wake(),
  };
  let background: Loop | null = null;
  let reconciler: Loop | null = null;
  let nodes: Loop | null = null;
  let sweeper: Loop | null = null;
  let notifier: Loop | null = null;
  const ingest = observeIngest(
    createIngest(() => context, observeGroup(metrics), workers),
    metrics,
  );
  const servers: Server[] = [];
  const listen = async (app: { fetch: unknown }, port: number, receiver?: Receiver): Promise<number> => {
    const server = await openListener(app, parts.log, { ...options, port, ...(receiver && { receiver }) });
    servers.push(server);
    return (server.address() as AddressInfo).port;
  };

  async function close(): Promise<void> {
    closing.abort();
    const loops = [background, nodes, reconciler, sweeper, notifier];
    await Promise.all(loops.map((loop) => loop?.stop()));
    await ingest.stop();
    await Promise.all(servers.map(closeListener));
    // Nobody writes an entry any more.
    if (background) await publishHead(context);
    await live.close();
  }

  try {
    const port = await listen(createPublicApp(context, ingest), options.port);
    context.publicUrl = parts.publicUrl ?? `http://localhost:${port}`;
    const internalPort = await listen(
      createInternalApp(context),
      options.internalPort,
      createReceiver(context, ingest),
    );
    background = startBackground(() => context, options.pauses);
    const times = options.reconcile ?? reconcileTimes;
    reconciler = startReconciler(() => context, times);
    nodes = watchNodes(
      () => context,
      times.watchMs,
      () => reconciler?.wake(),
    );
    notifier = startNotifier(context, options.pauses);
    sweeper = startSweeper(context, options.retention ?? defaultRetention);
    return { port, internalPort, url: context.publicUrl, close };
  } catch (error) {
    await close();
    throw error;
  }
}
