import type { IncomingHttpHeaders } from 'node:http';
import https from 'node:https';

export interface RangeRequest {
  url: string;
  agent: https.Agent;
  /** First byte wanted, and the one after the last. */
  from: number;
  to: number;
  /** Bytes of the whole image, as the manifest says. */
  size: number;
  /** Ask for everything: some servers refuse a range that they could serve. */
  rangeless?: boolean;
  stallMs: number;
  signal: AbortSignal;
  /** Takes bytes in order, the first at `from`. What it throws ends the request as `storage`. */
  write(offset: number, data: Buffer): void;
}

export type RangeProblem =
  | 'aborted'
  | 'network'
  | 'stalled'
  | 'truncated'
  | 'url_refused'
  | 'missing'
  | 'unsatisfiable'
  | 'server'
  | 'wrong_size'
  | 'unexpected'
  | 'storage';

export interface RangeEnd {
  /** Null when all that was promised came. */
  problem: RangeProblem | null;
  detail?: string;
  status?: number;
  /** What `write` threw. */
  cause?: unknown;
  /** Bytes handed to `write`, and bytes that came but were not wanted. */
  wrote: number;
  skipped: number;
  retryAfterMs?: number;
}

type Plan = { start: number; end: number } | { problem: RangeProblem; detail: string };

/**
 * One GET of a part of an image. Never throws. Bytes that came before a problem are good and have been written, except
 * before `wrong_size`.
 */
export function fetchRange(request: RangeRequest): Promise<RangeEnd> {
  const { from, to, size, stallMs, signal } = request;
  if (signal.aborted) return Promise.resolve({ problem: 'aborted', wrote: 0, skipped: 0 });
  return new Promise((resolve) => {
    let wrote = 0;
    let skipped = 0;
    let status: number | undefined;
    let retryAfterMs: number | undefined;
    let settled = false;

    const req = https.get(request.url, {
      agent: request.agent,
      headers: {
        'accept-encoding': 'identity',
        ...(request.rangeless ? {} : { range: `bytes=${from}-${to - 1}` }),
      },
    });
    const finish = (problem: RangeProblem | null, detail?: string, cause?: unknown) => {
      if (settled) return;
      settled = true;
      clearTimeout(stall);
      signal.removeEventListener('abort', onAbort);
      if (problem) req.destroy();
      resolve({ problem, detail, status, cause, wrote, skipped, retryAfterMs });
    };
    const onAbort = () => finish('aborted');
    const stall = setTimeout(() => finish('stalled', `no byte for ${stallMs} ms`), stallMs);

    signal.addEventListener('abort', onAbort);
    req.on('error', (error) => finish(status === undefined ? 'network' : 'truncated', error.message));
    req.on('response', (response) => {
      status = response.statusCode ?? 0;
      retryAfterMs = readRetryAfter(response.headers);
      const plan = planResponse(status, response.headers, { from, to, size });
      if ('problem' in plan) return finish(plan.problem, plan.detail);
      let position = plan.start;
      response.on('data', (data: Buffer) => {
        if (settled) return;
        stall.refresh();
        const start = Math.max(0, Math.min(data.length, from - position));
        const end = Math.max(start, Math.min(data.length, plan.end - position));
        if (end > start) {
          try {
            request.write(position + start, data.subarray(start, end));
          } catch (error) {
            return finish('storage', (error as Error).message, error);
          }
        }
        wrote += end - start;
        skipped += data.length - (end - start);
        position += data.length;
        if (position > plan.end) {
          // More than was promised: the surplus is dropped, and the connection with it.
          finish(null, 'overlong body');
          req.destroy();
        }
      });
      response.on('end', () => {
        if (position >= plan.end) return finish(null);
        // A whole body of unknown length that ends properly but early is another body.
        if (status === 200) return finish('wrong_size', `${position} bytes instead of ${size}`);
        finish('truncated', `body ends at ${position}`);
      });
      response.on('error', (error) => finish('truncated', error.message));
      response.on('close', () => finish('truncated', 'connection closed'));
    });
  });
}

/** Which bytes of the image the body of this answer holds, or what is wrong with it. */
export function planResponse(
  status: number,
  headers: IncomingHttpHeaders,
  want: { from: number; to: number; size: number },
): Plan {
  const encoding = headers['content-encoding'];
  if ((status === 200 || status === 206) && encoding && encoding !== 'identity')
    return { problem: 'unexpected', detail: `content-encoding ${encoding}` };
  switch (status) {
    case 200: {
      const length = headers['content-length'];
      if (length !== undefined && Number(length) !== want.size)
        return { problem: 'wrong_size', detail: `${length} bytes instead of ${want.size}` };
      return { start: 0, end: want.size };
    }
    case 206: {
      // RFC 9110 §14.4; a multipart answer has no Content-Range of its own.
      const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
      if (!range) return { problem: 'unexpected', detail: '206 without a Content-Range' };
      const [start, last] = [Number(range[1]), Number(range[2])];
      if (range[3] !== '*' && Number(range[3]) !== want.size)
        return { problem: 'wrong_size', detail: `${range[3]} bytes instead of ${want.size}` };
      if (start !== want.from || last < start || last >= want.size)
        return { problem: 'unexpected', detail: `${range[0]} instead of ${want.from}-${want.to - 1}` };
      return { start, end: Math.min(last + 1, want.size) };
    }
    case 416: {
      const total = /^bytes \*\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
      return total !== undefined && Number(total) !== want.size
        ? { problem: 'wrong_size', detail: `${total} bytes instead of ${want.size}` }
        : { problem: 'unsatisfiable', detail: 'range not satisfiable' };
    }
    // S3 says 403 to an expired URL, and 400 when the credentials that signed it have expired.
    case 400:
    case 401:
    case 403:
      return { problem: 'url_refused', detail: `status ${status}` };
    case 404:
    case 410:
      return { problem: 'missing', detail: `status ${status}` };
    default:
      return status === 429 || status >= 500
        ? { problem: 'server', detail: `status ${status}` }
        : { problem: 'unexpected', detail: `status ${status}` };
  }
}

function readRetryAfter(headers: IncomingHttpHeaders): number | undefined {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
}
