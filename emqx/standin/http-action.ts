/**
 * An HTTP action with EMQX's buffer and its rules for what is retried: 2xx is done; 429, 503 and broken connections are
 * tried three times at once and then once per resume interval until the request's time is up; all else is dropped.
 */
import http from 'node:http';
import https from 'node:https';
import { isSettings, type Settings } from '../schema.ts';
import { toBytes, toCount, toMilliseconds } from '../units.ts';
import type { Row } from './json.ts';
import { compileTemplate, wholeRow } from './template.ts';

interface Rendered {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer | null;
}
interface Request extends Rendered {
  bytes: number;
  expiresAt: number;
  sends: number;
  /** Tells the rule how its message ended. */
  done: (ok: boolean) => void;
}
type Outcome = 'ok' | 'retry' | 'broken' | 'unanswered' | 'refused';

const counters = {
  matched: 0,
  success: 0,
  failed: 0,
  late_reply: 0,
  retried: 0,
  dropped: 0,
  'dropped.expired': 0,
  'dropped.queue_full': 0,
  'dropped.other': 0,
  'dropped.resource_not_found': 0,
  'dropped.resource_stopped': 0,
  // Not counted here.
  ...{ received: 0, rate: 0, rate_last5m: 0, rate_max: 0 },
};
export type ActionMetrics = typeof counters & { inflight: number; queuing: number; queuing_bytes: number };

const attemptsAtOnce = 3;

export class HttpAction {
  /** Until the webhook refuses a connection; again when it takes one. */
  connected = true;
  private readonly counts = { ...counters };
  private readonly queue: Request[] = [];
  private queuedBytes = 0;
  private inflight = 0;
  /** Sent, not delivered, waiting for the next round; they keep their places in the window. */
  private readonly retries: Request[] = [];
  private resumeTimer: NodeJS.Timeout | null = null;
  private resuming = false;
  private closed = false;
  private readonly window: number;
  private readonly ttlMs: number;
  private readonly resumeMs: number;
  private readonly maxBytes: number;
  private readonly hangMs: number;
  private readonly base: URL;
  private readonly agent: http.Agent;
  private readonly connectMs: number;
  private readonly render: (row: Row) => Rendered;

  /** Settings with their defaults. EMQX closes a connection whose request was not answered for `hangMs` and sends it again, twice. */
  constructor(connector: Settings, action: Settings, hangMs = 20_000) {
    const options = action.resource_opts as Settings;
    this.window = toCount(options.inflight_window, 0);
    this.ttlMs = toMilliseconds(options.request_ttl, 0);
    this.resumeMs = toMilliseconds(options.resume_interval ?? options.health_check_interval, 0);
    this.maxBytes = toBytes(options.max_buffer_bytes, 0) * toCount(options.worker_pool_size, 0);
    this.connectMs = toMilliseconds(connector.connect_timeout, 0);
    this.hangMs = hangMs;
    this.base = new URL(String(connector.url));
    const maxSockets = toCount(connector.pool_size, 0) * Math.min(toCount(connector.enable_pipelining, 0), 8);
    this.agent = new (this.isSecure ? https : http).Agent({ keepAlive: true, maxSockets });
    this.render = renderer(connector, action.parameters as Settings, this.base);
  }

  send(row: Row, done: (ok: boolean) => void): void {
    this.counts.matched++;
    const rendered = this.render(row);
    const bytes = (rendered.body?.length ?? 0) + 256;
    this.queue.push({ ...rendered, bytes, expiresAt: Date.now() + this.ttlMs, sends: 0, done });
    this.queuedBytes += bytes;
    while (this.queuedBytes > this.maxBytes && this.queue.length > 0)
      this.drop(this.unqueue(), 'dropped.queue_full');
    this.pump();
  }

  metrics(): ActionMetrics {
    const { inflight, queue, queuedBytes } = this;
    return { ...this.counts, inflight, queuing: queue.length, queuing_bytes: queuedBytes };
  }

  reset(): void {
    Object.assign(this.counts, counters);
  }

  /** Drops what is queued and waits for nothing; connections are closed. */
  close(): void {
    this.closed = true;
    if (this.resumeTimer) clearTimeout(this.resumeTimer);
    this.queue.length = 0;
    this.agent.destroy();
  }

  private get isSecure(): boolean {
    return this.base.protocol === 'https:';
  }

  private pump(): void {
    while (
      !this.closed &&
      this.retries.length === 0 &&
      this.inflight < this.window &&
      this.queue.length > 0
    ) {
      const request = this.unqueue();
      if (request.expiresAt <= Date.now()) this.drop(request, 'dropped.expired');
      else {
        this.inflight++;
        void this.deliver(request);
      }
    }
  }

  private async deliver(request: Request): Promise<void> {
    const outcome = await this.attempt(request, ['retry', 'broken']);
    if (this.closed) return;
    if (!this.settle(request, outcome)) {
      this.retries.push(request);
      this.scheduleResume();
    }
    this.pump();
  }

  private scheduleResume(): void {
    if (this.resumeTimer || this.resuming || this.closed) return;
    this.resumeTimer = setTimeout(() => {
      this.resumeTimer = null;
      void this.resume();
    }, this.resumeMs);
  }

  /** Goes through what waits, oldest first, until one is refused again. */
  private async resume(): Promise<void> {
    this.dropExpired();
    this.resuming = true;
    const all = await this.resendWaiting();
    this.resuming = false;
    if (all) this.pump();
    else this.scheduleResume();
  }

  private async resendWaiting(): Promise<boolean> {
    for (let request = this.retries[0]; request; request = this.retries[0]) {
      if (request.expiresAt <= Date.now()) {
        this.inflight--;
        this.drop(request, 'dropped.expired');
      } else {
        const outcome = await this.attempt(request, ['broken']);
        if (this.closed || !this.settle(request, outcome, true)) return false;
      }
      this.retries.shift();
    }
    this.dropExpired();
    return true;
  }

  private dropExpired(): void {
    while (this.queue[0] && this.queue[0].expiresAt <= Date.now())
      this.drop(this.unqueue(), 'dropped.expired');
  }

  /** Counts an end; false when it is not one. An answer after the request's time is a late reply, whatever it says. */
  private settle(request: Request, outcome: Outcome, resent = false): boolean {
    const late = request.expiresAt <= Date.now();
    const again = outcome === 'retry' || outcome === 'broken';
    if (again && !late) return false;
    this.inflight--;
    if (again) {
      this.drop(request, 'dropped.expired');
      return true;
    }
    const ok = !late && outcome === 'ok';
    if (late || outcome === 'unanswered') this.counts.late_reply++;
    else this.counts[ok ? 'success' : 'failed']++;
    if (ok && resent) this.counts.retried++;
    request.done(ok);
    return true;
  }

  /** Up to three times at once while it ends in one of these ways; one that is not answered is sent at most three times in all. */
  private async attempt(request: Request, repeat: Outcome[]): Promise<Outcome> {
    for (let tries = 1; ; tries++) {
      let outcome: Outcome;
      do {
        request.sends++;
        outcome = await this.exchange(request);
      } while (outcome === 'unanswered' && request.sends < attemptsAtOnce && !this.closed);
      if (this.closed || tries === attemptsAtOnce || !repeat.includes(outcome)) return outcome;
    }
  }

  private exchange({ method, path, headers, body }: Request): Promise<Outcome> {
    return new Promise((resolve) => {
      let sent: http.ClientRequest;
      try {
        sent = (this.isSecure ? https : http).request(this.base, {
          method,
          path,
          headers,
          agent: this.agent,
        });
      } catch {
        // A path or header that HTTP cannot carry.
        resolve('refused');
        return;
      }
      let timedOut = false;
      const hang = setTimeout(() => {
        timedOut = true;
        sent.destroy();
      }, this.hangMs);
      const end = (outcome: Outcome) => {
        clearTimeout(hang);
        resolve(outcome);
      };
      sent.on('socket', (socket) => {
        if (!socket.connecting) return;
        const slow = setTimeout(() => sent.destroy(), this.connectMs);
        socket.once('connect', () => clearTimeout(slow)).once('close', () => clearTimeout(slow));
      });
      sent.on('response', (response) => {
        const { statusCode: status = 0 } = response;
        this.connected = true;
        const outcome =
          status >= 200 && status < 300 ? 'ok' : status === 429 || status === 503 ? 'retry' : 'refused';
        response.resume();
        response.once('end', () => end(outcome)).once('error', () => end('broken'));
      });
      sent.once('error', ({ code }: NodeJS.ErrnoException) => {
        this.connected = code !== 'ECONNREFUSED' && code !== 'ENOTFOUND';
        if (timedOut) end('unanswered');
        else end(code === 'ENOTFOUND' || code?.startsWith('ERR_TLS') ? 'refused' : 'broken');
      });
      sent.end(body ?? undefined);
    });
  }

  private unqueue(): Request {
    const request = this.queue.shift()!;
    this.queuedBytes -= request.bytes;
    return request;
  }

  private drop(request: Request, why: 'dropped.expired' | 'dropped.queue_full'): void {
    this.counts.dropped++;
    this.counts[why]++;
    request.done(false);
  }
}

/** Throws TemplateError. */
export function renderer(connector: Settings, parameters: Settings, base: URL): (row: Row) => Rendered {
  const method = String(parameters.method).toUpperCase();
  const path = compileTemplate(String(parameters.path ?? ''));
  const body = /^(GET|DELETE)$/.test(method) ? null : compileTemplate(String(parameters.body ?? wholeRow));
  const headers = Object.entries({
    ...{ 'content-type': 'application/json', 'keep-alive': 'timeout=5', 'cache-control': 'no-cache' },
    ...named(connector.headers),
    ...named(parameters.headers),
  }).map(([name, value]) => [compileTemplate(name), compileTemplate(value)] as const);
  const prefix = base.pathname.replace(/\/$/, '');
  return (row) => {
    const content = body?.(row) ?? null;
    const filled = Object.fromEntries(
      headers.map(([name, value]) => [String(name(row)), String(value(row))]),
    );
    if (content) filled['content-length'] = String(content.length);
    const below = String(path(row)).replace(/^\//, '');
    return {
      method,
      path: below === '' ? prefix || '/' : `${prefix}/${below}`,
      headers: filled,
      body: content,
    };
  };
}

function named(headers: unknown): Record<string, string> {
  const entries = Object.entries(isSettings(headers) ? headers : {});
  return Object.fromEntries(
    entries.map(([name, value]) => [name.includes('${') ? name : name.toLowerCase(), String(value)]),
  );
}
