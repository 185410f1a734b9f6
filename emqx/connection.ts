/** One broker's HTTP API: kept connections, jittered retries for a bounded time, and a circuit for when it is down. */
import http from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { createCircuit } from './circuit.ts';

export type EmqxErrorCode = 'broker_unreachable' | 'api_key_refused' | 'broker_refused' | 'answer_unexpected';
export class EmqxError extends Error {
  override readonly name = 'EmqxError';
  readonly code: EmqxErrorCode;
  constructor(code: EmqxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
export interface EmqxApiOptions {
  /** Without /api/v5: `http://127.0.0.1:18083`. */
  url: string;
  key: string;
  secret: string;
  /** For one request. */
  timeoutMs?: number;
  /** After this no further attempt begins. */
  retryForMs?: number;
  /** The first pause after a call that failed for good; each further one doubles it, up to the longest. */
  pauseMs?: number;
  maxPauseMs?: number;
}
export interface Answer {
  status: number;
  /** What the JSON says, or the text that it is instead. */
  body: unknown;
  text: string;
}
export interface Connection {
  /**
   * The last answer, whatever its status. Throws broker_unreachable (also without asking, while the broker is known to be
   * down) and api_key_refused.
   */
  call(method: string, path: string, body?: string): Promise<Answer>;
  close(): void;
}

const maxAttempts = 4;

export function openConnection(options: EmqxApiOptions): Connection {
  const base = new URL(options.url);
  const { request, Agent } = base.protocol === 'https:' ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const authorization = `Basic ${Buffer.from(`${options.key}:${options.secret}`).toString('base64')}`;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const retryForMs = options.retryForMs ?? 5_000;
  const circuit = createCircuit(options);
  const unreachable = (why: string, cause?: Error) =>
    new EmqxError('broker_unreachable', `cannot reach EMQX at ${base.host}: ${why}`, { cause });

  const once = (method: string, path: string, body?: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const content = body !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      };
      const sent = request(base, {
        agent,
        method,
        path: `${base.pathname.replace(/\/$/, '')}/api/v5${path}`,
        headers: { authorization, ...content },
      });
      const overall = setTimeout(
        () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      const fail = (cause: Error) => {
        clearTimeout(overall);
        reject(unreachable(cause.message || String((cause as NodeJS.ErrnoException).code), cause));
      };
      sent.on('error', fail);
      sent.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => {
          clearTimeout(overall);
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, text, body: parsed(text) });
        });
      });
      sent.end(body);
    });

  return {
    async call(method, path, body) {
      const entry = circuit.enter();
      if (typeof entry === 'object')
        throw unreachable(`it was down, and is asked again in ${Math.ceil(entry.waitMs / 1000)} s`);
      const attempts = entry === 'once' ? 1 : maxAttempts;
      const end = Date.now() + retryForMs;
      for (let attempt = 1; ; attempt++) {
        const answer = await once(method, path, body).catch((error: unknown) => {
          if (error instanceof EmqxError) return error;
          circuit.failed();
          throw error;
        });
        const transient =
          answer instanceof EmqxError ||
          // A list says what became of each message: sending those again that went through would double them.
          ((answer.status === 429 || answer.status === 503) && !Array.isArray(answer.body));
        const pauseMs = Math.random() * Math.min(100 * 2 ** attempt, 2_000);
        if (transient && attempt < attempts && Date.now() + pauseMs < end) {
          await delay(pauseMs);
          continue;
        }
        if (transient) circuit.failed();
        else circuit.succeeded();
        if (answer instanceof EmqxError) throw answer;
        if (answer.status === 401 || answer.status === 403)
          throw new EmqxError(
            'api_key_refused',
            `EMQX at ${base.host} refused the API key: ${reasonOf(answer)}`,
          );
        return answer;
      }
    },
    close: () => agent.destroy(),
  };
}

/** The broker's words, or its status. */
export function reasonOf({ status, body }: Answer): string {
  const { code, message } = (typeof body === 'object' && body !== null ? body : {}) as {
    code?: unknown;
    message?: unknown;
  };
  return [code, message].filter(Boolean).join(': ').slice(0, 300) || `status ${status}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
