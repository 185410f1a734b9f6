/**
 * `POST /emqx/events`, on the internal port: what the rules send. 204 only after the commit; 503 for what may pass (the broker sends
 * it again). What can never succeed is 202 where a dead letter keeps it, and 400 where a flood made it one too many: EMQX counts all
 * but 2xx as failed, so its count of failed is of what nobody has.
 *
 * Plain `node:http`, beside the app: its Request, Response, router and middleware cost more than all the rest of an event's way.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { brokerEventSchema } from '#emqx/protocol.ts';
import { answerError, type ErrorAnswer } from '../answer-error.ts';
import { secretCheck } from '../auth/secrets.ts';
import type { Context } from '../context.ts';
import { refuseSecondHost } from '../edge.ts';
import { AppError } from '../errors.ts';
import { classify, type Input, type Reject } from './classify.ts';
import type { Ingest } from './ingest.ts';

export const eventPath = '/emqx/events';
/** A payload of 16 KiB as JSON text within JSON, every byte escaped, and the columns around it. */
const maxBodyBytes = 128 * 1024;
const listener = { listener: 'internal' };

/** Returns whether the request was one for it; then it is answered. */
export type Receiver = (request: IncomingMessage, response: ServerResponse) => boolean;

export function createReceiver(context: Context, ingest: Ingest): Receiver {
  const { log, metrics } = context;
  const isOurs = secretCheck(context.webhookToken);
  const answered = new Map<number, Record<string, string>>();
  const note = (status: number, start: number) => {
    let labels = answered.get(status);
    if (!labels) {
      labels = { ...listener, method: 'POST', route: eventPath, status: String(status) };
      answered.set(status, labels);
    }
    metrics.count('flota_http_requests_total', labels);
    metrics.observe('flota_http_request_seconds', (performance.now() - start) / 1000, listener);
  };
  /** What a connection has shown once is compared with itself from then on: that takes no hash. */
  const shown = new WeakMap<Socket, string>();
  const vouch = ({ socket, headers: { authorization = '' } }: IncomingMessage) => {
    if (shown.get(socket) === authorization) return;
    const bearer = /^Bearer (.+)$/.exec(authorization)?.[1];
    if (!bearer || !isOurs(bearer))
      throw new AppError('token_invalid', 'The event came without the webhook token.');
    shown.set(socket, authorization);
  };
  return (request, response) => {
    if (request.method !== 'POST' || request.url?.split('?', 1)[0] !== eventPath) return false;
    const start = performance.now();
    void receive(vouch, ingest, request)
      .catch((error) => answerError(error, log, { method: 'POST', path: eventPath }))
      .then(({ status, headers, body }) => {
        const length = body && { 'Content-Length': Buffer.byteLength(body) };
        response.writeHead(status, { 'X-Content-Type-Options': 'nosniff', ...headers, ...length });
        response.end(body);
        note(status, start);
      });
    return true;
  };
}

const committed: ErrorAnswer = { status: 204, headers: {}, body: '' };

async function receive(
  vouch: (request: IncomingMessage) => void,
  ingest: Ingest,
  request: IncomingMessage,
): Promise<ErrorAnswer> {
  refuseSecondHost(request);
  vouch(request);
  const { text, bytes } = await readText(request);
  // Of what is too large to be a row, the beginning shows what it was.
  const kept = bytes > maxBodyBytes ? text.slice(0, 1024) : text;
  const input = bytes > maxBodyBytes ? malformed('body too large') : read(text);
  const refusal = await ingest.submit(input, kept);
  if (!refusal) return committed;
  const detail = `${refusal.code}: ${refusal.detail}`;
  const errors = [{ path: 'event', message: refusal.code }];
  if (!refusal.kept) throw new AppError('event_rejected', detail, { errors });
  const body = JSON.stringify({ code: 'event_rejected', detail, errors });
  return { status: 202, headers: { 'Content-Type': 'application/json' }, body };
}

function read(text: string): Input {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return malformed('not JSON');
  }
  const event = brokerEventSchema.safeParse(json);
  if (event.success) return classify(event.data);
  const issue = event.error.issues[0]!;
  return malformed(`${issue.path.join('.') || 'event'}: ${issue.message}`);
}

function malformed(detail: string): Reject {
  return { kind: 'reject', code: 'event_malformed', detail, clientId: null, topic: null };
}

function readText(request: IncomingMessage): Promise<{ text: string; bytes: number }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes - chunk.length <= maxBodyBytes) chunks.push(chunk);
    });
    request.on('end', () =>
      resolve({ text: (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString(), bytes }),
    );
    const brokeOff = (cause?: unknown) =>
      reject(new AppError('malformed_json', 'The body broke off.', { cause }));
    request.on('error', brokeOff);
    request.on('close', () => request.complete || brokeOff());
  });
}
