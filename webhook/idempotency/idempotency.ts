/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): whoever does not know whether a POST arrived sends it again under the same
 * key, and it is done once. Kept for a day. What was refused is not kept: mended, it may be sent under the same key. A fault that nobody foresaw
 * may have come after the act (the database was gone when what had been made was read): its outcome is open.
 */
import { sql } from 'drizzle-orm';
import type { MiddlewareHandler } from 'hono';
import { sha256 } from '../auth/secrets.ts';
import type { Context } from '../context.ts';
import { type Db, isCollision, query } from '../db/query.ts';
import { AppError } from '../errors.ts';
import type { AppEnv } from '../http.ts';
import { seal, unseal } from './sealed.ts';

const keptHours = 24;
/** Longer than any request is worked on; who has not answered until then has died. */
const workS = 120;
const form = /^[\x21-\x7e]{8,255}$/;

interface Kept {
  request: string;
  status: number | null;
  answer: Buffer | Uint8Array | null;
  /** It is not being worked on any more. */
  stale: boolean;
}

/** Behind the guard, which says who is calling; in front of every POST. */
export function answerOnce(context: Pick<Context, 'db'>): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const key = c.req.header('idempotency-key');
    const caller = c.get('caller');
    if (key === undefined || c.req.method !== 'POST' || !caller) return next();
    if (!form.test(key)) {
      throw new AppError('invalid_request', 'Idempotency-Key must be 8 to 255 visible ASCII characters.');
    }
    const { db } = context;
    const owner = caller.userId ?? caller.name;
    const request = sha256(`POST ${c.req.url.replace(/^[^/]+\/\/[^/]+/, '')}\n${await c.req.text()}`);
    const kept = await begin(db, owner, key, request);
    if (kept) {
      const { status, body, type } = answerOf(kept, request, key, owner);
      const headers = { 'Idempotency-Replayed': 'true', ...(type && { 'Content-Type': type }) };
      return body ? c.body(body, status as 200, headers) : c.body(null, status as 204, headers);
    }
    await next();
    // Errors are answers here already.
    const { status, ok } = c.res;
    if (!ok) {
      const isRefused = status < 500 || c.error instanceof AppError || isCollision(c.error);
      return isRefused ? forget(db, owner, key) : leaveOpen(db, owner, key);
    }
    const body = await c.res.clone().text();
    const type = c.res.headers.get('content-type');
    const answer = seal(JSON.stringify({ body, type }), key, owner);
    await db.execute(sql`
      update idempotency_keys set status = ${status}, answer = ${answer}
      where caller = ${owner} and key_hash = ${sha256(key)}`);
  };
}

/** Null: the key is new, and this request is now its own. */
async function begin(db: Db, owner: string, key: string, request: string): Promise<Kept | null> {
  const hash = sha256(key);
  const mine = await query(
    db,
    sql`insert into idempotency_keys (caller, key_hash, request) values (${owner}, ${hash}, ${request})
        on conflict (caller, key_hash) do update set request = excluded.request, status = null, answer = null, started_at = now()
          where idempotency_keys.started_at < now() - make_interval(hours => ${keptHours})
        returning 1`,
  );
  if (mine.length > 0) return null;
  const [kept] = await query<Kept & Record<string, unknown>>(
    db,
    sql`select request, status, answer, started_at < now() - make_interval(secs => ${workS}) as stale
        from idempotency_keys where caller = ${owner} and key_hash = ${hash}`,
  );
  // It was refused, and forgotten, between the two.
  return kept ?? begin(db, owner, key, request);
}

function answerOf(kept: Kept, request: string, key: string, owner: string) {
  if (kept.request !== request) {
    throw new AppError('idempotency_key_reused', 'This Idempotency-Key was sent with another request.');
  }
  if (kept.status === null || kept.answer === null) {
    if (!kept.stale)
      throw new AppError(
        'request_in_progress',
        'The first request with this Idempotency-Key is being worked on.',
      );
    throw new AppError(
      'outcome_unknown',
      'Nobody knows what became of the first request with this Idempotency-Key: the copy that worked on it has died, or failed at the end. Look whether it was done; then take another key.',
    );
  }
  const opened = JSON.parse(unseal(Buffer.from(kept.answer), key, owner)) as {
    body: string;
    type: string | null;
  };
  return { ...opened, status: kept.status };
}

async function forget(db: Db, owner: string, key: string): Promise<void> {
  await db.execute(sql`delete from idempotency_keys where caller = ${owner} and key_hash = ${sha256(key)}`);
}

/** As of a copy that has died, and at once. */
async function leaveOpen(db: Db, owner: string, key: string): Promise<void> {
  await db.execute(sql`
    update idempotency_keys set started_at = started_at - make_interval(secs => ${workS})
    where caller = ${owner} and key_hash = ${sha256(key)}`);
}

export async function forgetOldKeys(db: Db): Promise<void> {
  await db.execute(
    sql`delete from idempotency_keys where started_at < now() - make_interval(hours => ${keptHours})`,
  );
}
