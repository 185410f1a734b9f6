/**
 * Client of EMQX's HTTP API (v5.8), and of the stand-in's part of it: publishing in bulk, who is connected, kicking.
 * Connections are kept alive; what is transient is retried with jitter for a bounded time.
 */
import http from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';

export interface PublishMessage {
  /** As the broker knows it: `devices/<id>/…`. */
  topic: string;
  payload: string;
  qos: 0 | 1;
  messageExpirySeconds?: number;
}
/**
 * routed: there was a subscription (also an offline session's); no_subscriber: nobody, the message is gone; refused: this
 * message can never be published; failed: the broker did not take it, it may be sent again.
 */
export type PublishOutcome =
  | { kind: 'routed' }
  | { kind: 'no_subscriber' }
  | { kind: 'refused'; reason: string }
  | { kind: 'failed'; reason: string };

export interface BrokerClient {
  clientid: string;
  connected: boolean;
  /** ms since 1970 */
  connectedAt: number | null;
}

export type EmqxErrorCode = 'broker_unreachable' | 'api_key_refused' | 'broker_refused' | 'answer_unexpected';
export class EmqxError extends Error {
  override readonly name = 'EmqxError';
  readonly code: EmqxErrorCode;
  constructor(code: EmqxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface EmqxApi {
  /**
   * One outcome for each message, in order. Splits by count and bytes. Throws EmqxError only when nothing at all could be
   * given to the broker; once a part has gone through, the parts behind it answer `failed` instead.
   */
  publishBulk(messages: PublishMessage[]): Promise<PublishOutcome[]>;
  /** Everybody whom the broker knows, page by page; with `connected`, only those who are or are not. */
  listClients(options?: { connected?: boolean }): Promise<BrokerClient[]>;
  /** Ends the connection and the session; false when there is no such client. */
  kick(clientId: string): Promise<boolean>;
  status(): Promise<{ version: string; running: boolean }>;
  close(): void;
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
}

/** EMQX answers 500 above 8,000,000 bytes of body; about 1,000 messages a call is where its throughput levels off. */
const maxBatchBytes = 7_500_000;
const maxBatchMessages = 1_000;
const maxAttempts = 4;
const pageSize = 1_000;

interface Answer {
  status: number;
  body: unknown;
}

export function createEmqxApi(options: EmqxApiOptions): EmqxApi {
  const base = new URL(options.url);
  const secure = base.protocol === 'https:';
  const agent = new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 8 });
  const authorization = `Basic ${Buffer.from(`${options.key}:${options.secret}`).toString('base64')}`;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const retryForMs = options.retryForMs ?? 5_000;

  const once = (method: string, path: string, body?: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const request = (secure ? https : http).request(base, {
        agent,
        method,
        path: `${base.pathname.replace(/\/$/, '')}/api/v5${path}`,
        headers: {
          authorization,
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        },
      });
      const overall = setTimeout(
        () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => {
          clearTimeout(overall);
          resolve({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(chunks)) });
        });
      });
      const fail = (cause: Error) => {
        clearTimeout(overall);
        reject(
          new EmqxError('broker_unreachable', `cannot reach EMQX at ${base.host}: ${cause.message}`, {
            cause,
          }),
        );
      };
      request.on('error', fail);
      request.end(body);
    });

  /** Retries what is transient; gives the last answer, or throws broker_unreachable or api_key_refused. */
  const call = async (method: string, path: string, body?: string): Promise<Answer> => {
    const end = Date.now() + retryForMs;
    for (let attempt = 1; ; attempt++) {
      const answer = await once(method, path, body).catch((error: EmqxError) => error);
      const transient =
        answer instanceof EmqxError ||
        // A list says what became of each message: sending those again that went through would double them.
        ((answer.status === 429 || answer.status === 503) && !Array.isArray(answer.body));
      const pauseMs = Math.random() * Math.min(100 * 2 ** attempt, 2_000);
      if (transient && attempt < maxAttempts && Date.now() + pauseMs < end) {
        await delay(pauseMs);
        continue;
      }
      if (answer instanceof EmqxError) throw answer;
      if (answer.status === 401 || answer.status === 403)
        throw new EmqxError('api_key_refused', `EMQX refused the API key: ${textOf(answer)}`);
      return answer;
    }
  };

  const publishBatch = async (batch: Batch): Promise<PublishOutcome[]> => {
    const answer = await call('POST', '/publish/bulk', `[${batch.texts.join(',')}]`);
    if (Array.isArray(answer.body)) {
      if (answer.body.length !== batch.texts.length)
        throw new EmqxError(
          'answer_unexpected',
          `${batch.texts.length} messages, ${answer.body.length} answers`,
        );
      return answer.body.map(outcomeOf);
    }
    if (answer.status === 400 && batch.texts.length > 1) {
      // One bad message refuses them all and nothing is sent: halves find it without harm to the others.
      const half = batch.texts.length >> 1;
      const outcomes: PublishOutcome[] = [];
      for (const texts of [batch.texts.slice(0, half), batch.texts.slice(half)])
        outcomes.push(...(await publishBatch({ texts })));
      return outcomes;
    }
    const kind = answer.status === 400 ? 'refused' : 'failed';
    return batch.texts.map(() => ({ kind, reason: textOf(answer) }));
  };

  return {
    async publishBulk(messages) {
      const outcomes: PublishOutcome[] = [];
      let broken: EmqxError | null = null;
      for (const batch of split(messages)) {
        if (broken) outcomes.push(...failed(batch, broken));
        else
          try {
            outcomes.push(...(await publishBatch(batch)));
          } catch (error) {
            if (!(error instanceof EmqxError) || outcomes.length === 0) throw error;
            broken = error;
            outcomes.push(...failed(batch, error));
          }
      }
      return outcomes;
    },
    async listClients({ connected } = {}) {
      const clients: BrokerClient[] = [];
      const state = connected === undefined ? '' : `&conn_state=${connected ? 'connected' : 'disconnected'}`;
      for (let page = 1; ; page++) {
        const answer = await call(
          'GET',
          `/clients?page=${page}&limit=${pageSize}&fields=clientid,connected,connected_at${state}`,
        );
        const { data, meta } = (answer.body ?? {}) as { data?: unknown; meta?: { hasnext?: boolean } };
        if (answer.status !== 200 || !Array.isArray(data)) throw refusal(answer);
        for (const { clientid, connected: on, connected_at } of data)
          clients.push({
            clientid,
            connected: on === true,
            connectedAt: connected_at ? Date.parse(connected_at) : null,
          });
        if (!meta?.hasnext) return clients;
      }
    },
    async kick(clientId) {
      const answer = await call('DELETE', `/clients/${encodeURIComponent(clientId)}`);
      if (answer.status === 404) return false;
      if (answer.status !== 204) throw refusal(answer);
      return true;
    },
    async status() {
      const answer = await call('GET', '/status?format=json');
      const { rel_vsn, app_status } = (answer.body ?? {}) as { rel_vsn?: string; app_status?: string };
      if (answer.status !== 200 || !rel_vsn) throw refusal(answer);
      return { version: rel_vsn.replace(/^v/, ''), running: app_status === 'running' };
    },
    close: () => agent.destroy(),
  };
}

interface Batch {
  texts: string[];
}

function* split(messages: PublishMessage[]): Generator<Batch> {
  let texts: string[] = [];
  let bytes = 2;
  for (const { topic, payload, qos, messageExpirySeconds } of messages) {
    const properties =
      messageExpirySeconds === undefined
        ? undefined
        : { message_expiry_interval: Math.max(1, Math.floor(messageExpirySeconds)) };
    const text = JSON.stringify({ topic, payload, qos, properties });
    const size = Buffer.byteLength(text) + 1;
    if (texts.length > 0 && (texts.length >= maxBatchMessages || bytes + size > maxBatchBytes)) {
      yield { texts };
      [texts, bytes] = [[], 2];
    }
    texts.push(text);
    bytes += size;
  }
  if (texts.length > 0) yield { texts };
}

function outcomeOf(answer: { id?: string; reason_code?: number; message?: string }): PublishOutcome {
  if (answer.id !== undefined) return { kind: 'routed' };
  if (answer.reason_code === 16) return { kind: 'no_subscriber' };
  return { kind: 'failed', reason: answer.message ?? `reason code ${answer.reason_code}` };
}

function failed({ texts }: Batch, error: EmqxError): PublishOutcome[] {
  return texts.map(() => ({ kind: 'failed', reason: error.message }));
}

function refusal(answer: Answer): EmqxError {
  return new EmqxError('broker_refused', `EMQX answered ${answer.status}: ${textOf(answer)}`);
}

function textOf({ status, body }: Answer): string {
  const { code, message } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  return [code, message].filter(Boolean).join(': ') || `HTTP ${status}`;
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
}
