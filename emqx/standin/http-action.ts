/**
 * An HTTP action with EMQX's buffer and its rules for what is retried: 2xx is done; 429, 503 and broken connections are
 * tried three times at once and then once per resume interval until the request's time is up; all else is dropped.
 */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Row } from '../json.ts';
import { isSettings, type Settings } from '../schema.ts';
import { compileTemplate, wholeRow } from '../template.ts';
import { toBytes, toCount, toMilliseconds } from '../units.ts';

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
  private readonly waiting: Request[] = [];
  /** The next round, or the one that is underway. */
  private round: NodeJS.Timeout | null = null;
  private closed = false;
  private readonly window: number;
  private readonly ttlMs: number;
  private readonly resumeMs: number;
  private readonly maxBytes: number;
  private readonly hangMs: number;
  private readonly url: URL;
  private readonly client: typeof http | typeof https;
  private readonly agent: http.Agent;
  private readonly render: (row: Row) => Rendered;

  /** Settings with their defaults. EMQX closes a connection whose request was not answered for `hangMs` and sends it again, twice. */
  constructor(connector: Settings, action: Settings, hangMs = 20_000) {
    const options = action.resource_opts as Settings;
    this.window = toCount(options.inflight_window, 0);
    this.ttlMs = toMilliseconds(options.request_ttl, 0);
    this.resumeMs = toMilliseconds(options.resume_interval ?? options.health_check_interval, 0);
    this.maxBytes = toBytes(options.max_buffer_bytes, 0) * toCount(options.worker_pool_size, 0);
    this.hangMs = hangMs;
    this.url = new URL(String(connector.url));
    this.client = this.url.protocol === 'https:' ? https : http;
    const maxSockets = toCount(connector.pool_size, 0) * Math.min(toCount(connector.enable_pipelining, 0), 8);
    this.agent = new this.client.Agent({ keepAlive: true, maxSockets });
    this.render = renderer(connector, action.parameters as Settings, this.url);
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
    if (this.round) clearTimeout(this.round);
    this.queue.length = 0;
    this.agent.destroy();
  }

  private pump(): void {
    this.dropExpired();
    while (this.waiting.length === 0 && this.inflight < this.window && this.queue.length > 0) {
      this.inflight++;
      void this.deliver(this.unqueue());
    }
  }

  private async deliver(request: Request): Promise<void> {
    const outcome = await this.attempt(request, ['retry', 'broken']);
    if (this.closed) return;
    if (!this.settle(request, outcome)) {
      this.waiting.push(request);
      this.round ??= setTimeout(() => void this.resume(), this.resumeMs);
    }
    this.pump();
  }

  /** Goes through what waits, oldest first, until one is refused again. */
  private async resume(): Promise<void> {
    this.dropExpired();
    for (let request = this.waiting[0]; request; request = this.waiting[0]) {
      const isOver = request.expiresAt <= Date.now();
      const outcome = isOver ? 'retry' : await this.attempt(request, ['broken']);
      if (this.closed) return;
      if (!this.settle(request, outcome, true)) break;
      this.waiting.shift();
    }
    this.round = this.waiting.length > 0 ? setTimeout(() => void this.resume(), this.resumeMs) : null;
    this.pump();
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

  private async exchange({ method, path, headers, body }: Request): Promise<Outcome> {
    let timedOut = false;
    let hung: NodeJS.Timeout | undefined;
    try {
      const sent = this.client.request(this.url, { method, path, headers, agent: this.agent });
      hung = setTimeout(() => {
        timedOut = true;
        sent.destroy();
      }, this.hangMs);
      sent.end(body ?? undefined);
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      this.connected = true;
      const { statusCode: status = 0 } = response.resume();
      await once(response, 'end');
      return status >= 200 && status < 300 ? 'ok' : status === 429 || status === 503 ? 'retry' : 'refused';
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      this.connected = code !== 'ECONNREFUSED' && code !== 'ENOTFOUND';
      if (timedOut) return 'unanswered';
      // ERR_…: a path or header that HTTP cannot carry, or a certificate that is refused.
      return code === 'ENOTFOUND' || code.startsWith('ERR_') ? 'refused' : 'broken';
    } finally {
      clearTimeout(hung);
    }
  }

  private unqueue(): Request {
    const request = this.queue.shift()!;
    this.queuedBytes -= request.bytes;
    return request;
  }

  private dropExpired(): void {
    while (this.queue[0] && this.queue[0].expiresAt <= Date.now())
      this.drop(this.unqueue(), 'dropped.expired');
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
      ...{ method, headers: filled, body: content },
      path: below === '' ? prefix || '/' : `${prefix}/${below}`,
    };
  };
}

function named(headers: unknown): Record<string, string> {
  const entries = Object.entries(isSettings(headers) ? headers : {});
  return Object.fromEntries(
    entries.map(([name, value]) => [name.includes('${') ? name : name.toLowerCase(), String(value)]),
  );
}
