import type { HttpBindings } from '@hono/node-server';
import { brokerEventSchema } from '#emqx/protocol.ts';
import { sameSecret } from '../auth/auth.ts';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { createRouter } from '../http.ts';
import { classify, type Input, type Reject } from './classify.ts';
import type { Ingest } from './ingest.ts';

/** A payload of 16 KiB as JSON text within JSON, every byte escaped, and the columns around it. */
const maxBodyBytes = 128 * 1024;

/**
 * `POST /emqx/events`, on the internal port: what the rules send. 204 only after the commit; 503 for what may pass (the broker sends
 * it again). What can never succeed is 202 where a dead letter keeps it, and 400 where a flood made it one too many: EMQX counts all
 * but 2xx as failed, so its count of failed is of what nobody has.
 */
export function eventRoutes(context: Context, ingest: Ingest) {
  return createRouter().post('/emqx/events', async (c) => {
    const bearer = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1];
    if (!bearer || !sameSecret(bearer, context.webhookToken)) {
      throw new AppError('token_invalid', 'The event came without the webhook token.');
    }
    const { text, bytes } = await readText((c.env as HttpBindings).incoming);
    // Of what is too large to be a row, the beginning shows what it was.
    const kept = bytes > maxBodyBytes ? text.slice(0, 1024) : text;
    const input = bytes > maxBodyBytes ? malformed('body too large') : read(text);
    const refusal = await ingest.submit(input, kept);
    if (!refusal) return c.body(null, 204);
    const detail = `${refusal.code}: ${refusal.detail}`;
    const errors = [{ path: 'event', message: refusal.code }];
    if (!refusal.kept) throw new AppError('event_rejected', detail, { errors });
    return c.json({ code: 'event_rejected', detail, errors }, 202);
  });
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

/** As Node brings it: a web Request with its stream and signal costs more than all the rest of an event's way through here. */
function readText(request: HttpBindings['incoming']): Promise<{ text: string; bytes: number }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes - chunk.length <= maxBodyBytes) chunks.push(chunk);
    });
    request.on('end', () => resolve({ text: Buffer.concat(chunks).toString(), bytes }));
    request.on('error', (cause) => reject(new AppError('malformed_json', 'The body broke off.', { cause })));
    request.on('close', () => {
      if (!request.complete) reject(new AppError('malformed_json', 'The body broke off.'));
    });
  });
}
