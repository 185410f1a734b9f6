/**
 * An HTTP action with EMQX's buffer and its rules for what is retried: 2xx is done; 429, 503 and broken connections are
 * tried three times at once and then once per resume interval until the request's time is up; all else is dropped.
 */
import http from 'node:http';
import https from 'node:https';
import { toBytes, toCount, toMilliseconds } from '../units.ts';
import type { Row } from './json.ts';
import { compileTemplate, type Template, wholeRow } from './template.ts';

type Settings = Record<string, unknown>;
interface Request {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer | null;
  bytes: number;
  expiresAt: number;
  sends: number;
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
};
export type ActionMetrics = typeof counters & { inflight: number; queuing: number; queuing_bytes: number };

/** EMQX closes a connection whose request was not answered for this long and sends the request again, twice. */
const hangMs = 20_000;
const attemptsAtOnce = 3;

export class HttpAction {
  private readonly counts = { ...counters };
  private readonly queue: Request[] = [];
  private queuedBytes = 0;
  private inflight = 0;
  /** Sent, not delivered, waiting for the next round; they keep their places in the window. */
  private retries: Request[] = [];
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
  private readonly render: (row: Row) => Omit<Request, 'done' | 'expiresAt' | 'sends'>;

  /** Throws TypeError where a setting cannot be read. */
  constructor(connector: Settings, action: Settings, hang = hangMs) {
    const options = (action.resource_opts ?? {}) as Settings;
    this.window = toCount(options.inflight_window, 100);
    this.ttlMs = toMilliseconds(options.request_ttl, 45_000);
    this.resumeMs = toMilliseconds(
      options.resume_interval,
      toMilliseconds(options.health_check_interval, 15_000),
    );
    this.maxBytes =
      toBytes(options.max_buffer_bytes, 256 * 1024 ** 2) * toCount(options.worker_pool_size, 16);
    this.connectMs = toMilliseconds(connector.connect_timeout, 15_000);
    this.hangMs = hang;
    this.base = new URL(String(connector.url));
    const pool = toCount(connector.pool_size, 8) * Math.min(toCount(connector.enable_pipelining, 100), 8);
    const secure = this.base.protocol === 'https:';
    this.agent = new (secure ? https : http).Agent({
      keepAlive: true,
      maxSockets: pool,
      maxFreeSockets: pool,
    });
    this.render = renderer(connector, (action.parameters ?? {}) as Settings, this.base);
  }

  /** `done` tells the rule how its message ended. */
  send(row: Row, done: (ok: boolean) => void): void {
    this.counts.matched++;
    const request: Request = { ...this.render(row), expiresAt: Date.now() + this.ttlMs, sends: 0, done };
    this.queue.push(request);
    this.queuedBytes += request.bytes;
    while (this.queuedBytes > this.maxBytes && this.queue.length > 0)
      this.drop(this.unqueue(), 'dropped.queue_full');
    this.pump();
  }

  metrics(): ActionMetrics {
    return {
      ...this.counts,
      inflight: this.inflight,
      queuing: this.queue.length,
      queuing_bytes: this.queuedBytes,
    };
  }

  reset(): void {
    Object.assign(this.counts, counters);
  }

  /** Drops what is queued and waits for nothing; connections are closed. */
  close(): void {
    this.closed = true;
    if (this.resumeTimer) clearTimeout(this.resumeTimer);
    this.queue.length = 0;
    this.retries.length = 0;
    this.agent.destroy();
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
    let outcome: Outcome = 'retry';
    for (let i = 0; i < attemptsAtOnce && (outcome === 'retry' || outcome === 'broken'); i++) {
      outcome = await this.attempt(request);
      if (this.closed) return;
    }
    if (!this.settle(request, outcome)) {
      this.retries.push(request);
      this.scheduleResume();
    }
    this.pump();
  }

  /** Goes through what waits, oldest first, until one is refused again. */
  private async resume(): Promise<void> {
    this.resuming = true;
    const goOn = await this.resendWaiting();
    this.resuming = false;
    if (this.closed) return;
    if (goOn) this.pump();
    else this.scheduleResume();
  }

  private async resendWaiting(): Promise<boolean> {
    const waiting = this.retries;
    while (waiting.length > 0) {
      const request = waiting[0]!;
      if (request.expiresAt <= Date.now()) {
        this.inflight--;
        this.drop(waiting.shift()!, 'dropped.expired');
        continue;
      }
      let outcome: Outcome = 'broken';
      for (let i = 0; i < attemptsAtOnce && outcome === 'broken'; i++) outcome = await this.attempt(request);
      if (this.closed || !this.settle(request, outcome, true)) return false;
      waiting.shift();
    }
    this.dropExpired();
    return true;
  }

  private scheduleResume(): void {
    if (this.resumeTimer || this.resuming || this.closed) return;
    this.resumeTimer = setTimeout(() => {
      this.resumeTimer = null;
      this.dropExpired();
      void this.resume();
    }, this.resumeMs);
  }

  private dropExpired(): void {
    const now = Date.now();
    while (this.queue[0] && this.queue[0].expiresAt <= now) this.drop(this.unqueue(), 'dropped.expired');
  }

  /** Counts an end; false when it is not one. An answer after the request's time is a late reply, whatever it says. */
  private settle(request: Request, outcome: Outcome, resent = false): boolean {
    const late = request.expiresAt <= Date.now();
    if ((outcome === 'retry' || outcome === 'broken') && !late) return false;
    this.inflight--;
    if (outcome === 'retry' || outcome === 'broken') {
      this.drop(request, 'dropped.expired');
      return true;
    }
    if (late || outcome === 'unanswered') this.counts.late_reply++;
    else if (outcome === 'ok') {
      this.counts.success++;
      if (resent) this.counts.retried++;
    } else this.counts.failed++;
    request.done(!late && outcome === 'ok');
    return true;
  }

  private async attempt(request: Request): Promise<Outcome> {
    for (;;) {
      request.sends++;
      const outcome = await this.exchange(request);
      if (outcome !== 'unanswered' || request.sends >= attemptsAtOnce || this.closed) return outcome;
    }
  }

  private exchange({ method, path, headers, body }: Request): Promise<Outcome> {
    return new Promise((resolve) => {
      let timedOut = false;
      let sent: http.ClientRequest;
      try {
        const module = this.base.protocol === 'https:' ? https : http;
        sent = module.request(this.base, { method, path, headers, agent: this.agent });
      } catch {
        // A path or header that HTTP cannot carry.
        resolve('refused');
        return;
      }
      const give = setTimeout(() => {
        timedOut = true;
        sent.destroy();
      }, this.hangMs);
      const end = (outcome: Outcome) => {
        clearTimeout(give);
        resolve(outcome);
      };
      sent.on('socket', (socket) => {
        if (!socket.connecting) return;
        const slow = setTimeout(() => sent.destroy(), this.connectMs);
        socket.once('connect', () => clearTimeout(slow)).once('close', () => clearTimeout(slow));
      });
      sent.on('response', (response) => {
        const status = response.statusCode ?? 0;
        const outcome: Outcome =
          status >= 200 && status < 300 ? 'ok' : status === 429 || status === 503 ? 'retry' : 'refused';
        response.resume();
        response.once('end', () => end(outcome)).once('error', () => end('broken'));
      });
      sent.once('error', (error: NodeJS.ErrnoException) => {
        if (timedOut) end('unanswered');
        else end(error.code === 'ENOTFOUND' || error.code?.startsWith('ERR_TLS') ? 'refused' : 'broken');
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

function renderer(connector: Settings, parameters: Settings, base: URL) {
  const method = String(parameters.method ?? 'post').toUpperCase();
  const path = compileTemplate(String(parameters.path ?? ''));
  const body = compileTemplate(parameters.body === undefined ? wholeRow : String(parameters.body));
  const bodyless = method === 'GET' || method === 'DELETE';
  const headers: [Template, Template][] = Object.entries({
    'content-type': 'application/json',
    'keep-alive': 'timeout=5',
    'cache-control': 'no-cache',
    ...lowerCase(connector.headers),
    ...lowerCase(parameters.headers),
  }).map(([name, value]) => [compileTemplate(name), compileTemplate(value)]);
  const prefix = base.pathname.replace(/\/$/, '');
  return (row: Row) => {
    const content = bodyless ? null : body(row);
    const filled: Record<string, string> = {};
    for (const [name, value] of headers) filled[String(name(row))] = String(value(row));
    if (content) filled['content-length'] = String(content.length);
    const below = String(path(row)).replace(/^\//, '');
    return {
      method,
      path: below === '' ? prefix || '/' : `${prefix}/${below}`,
      headers: filled,
      body: content,
      bytes: (content?.length ?? 0) + 256,
    };
  };
}

function lowerCase(headers: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries((headers ?? {}) as Record<string, unknown>).map(([name, value]) => [
      name.includes('${') ? name : name.toLowerCase(),
      String(value),
    ]),
  );
}
