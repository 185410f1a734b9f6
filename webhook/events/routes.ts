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
    const raw = await c.req.text();
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
