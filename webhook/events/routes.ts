import type { HttpBindings } from '@hono/node-server';
import { brokerEventSchema } from '#emqx/protocol.ts';
import { sameSecret } from '../auth/auth.ts';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { createRouter } from '../http.ts';
import { classify } from './classify.ts';
import { bury } from './dead-letters.ts';
import type { Ingest } from './ingest.ts';

/** A payload of 16 KiB as JSON text within JSON, every byte escaped, and the columns around it. */
const maxBodyBytes = 128 * 1024;
/** What is larger is not read to its end. */
const maxReadBytes = 1024 * 1024;

/**
 * `POST /emqx/events`, on the internal port: what the rules send. 204 only after the commit; 503 for what may pass (the broker sends
 * it again); 400 for what can never succeed, which is kept as a dead letter.
 */
export function eventRoutes(context: Context, ingest: Ingest) {
  return createRouter().post('/emqx/events', async (c) => {
    const bearer = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1];
    if (!bearer || !sameSecret(bearer, context.webhookToken)) {
      throw new AppError('token_invalid', 'The event came without the webhook token.');
    }
    const raw = await readText((c.env as HttpBindings).incoming);
    if (Buffer.byteLength(raw) > maxBodyBytes) throw await refuse(raw.slice(0, 1024), 'body too large');
    let json: unknown;
    try {
      json = JSON.parse(raw);
    } catch {
      throw await refuse(raw, 'not JSON');
    }
    const event = brokerEventSchema.safeParse(json);
    if (!event.success) {
      const issue = event.error.issues[0]!;
      throw await refuse(raw, `${issue.path.join('.') || 'event'}: ${issue.message}`);
    }
    const reject = await ingest.submit(classify(event.data), raw);
    if (reject) {
      throw new AppError('event_rejected', `${reject.code}: ${reject.detail}`, {
        errors: [{ path: 'event', message: reject.code }],
      });
    }
    return c.body(null, 204);

    async function refuse(body: string, detail: string): Promise<AppError> {
      // What could not be kept must come again: the broker repeats a 503, never a 500.
      await bury(context.db, [{ code: 'event_malformed', detail, clientId: null, topic: null, body }]).catch(
        (cause: unknown) => {
          throw new AppError('database_unavailable', 'The database does not answer.', { cause });
        },
      );
      return new AppError('event_rejected', detail, {
        errors: [{ path: 'event', message: 'event_malformed' }],
      });
    }
  });
}

/** As Node brings it: a web Request with its stream and signal costs more than all the rest of an event's way through here. */
function readText(request: HttpBindings['incoming']): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxReadBytes) chunks.push(chunk);
      else reject(new AppError('body_too_large', `The body is larger than ${maxReadBytes} bytes.`));
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString()));
    request.on('error', (cause) => reject(new AppError('malformed_json', 'The body broke off.', { cause })));
    request.on('close', () => {
      if (!request.complete) reject(new AppError('malformed_json', 'The body broke off.'));
    });
  });
}
