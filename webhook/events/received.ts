/** The memory that makes critical messages count once. */
import { lt, sql } from 'drizzle-orm';
import { type Db, query } from '../db/query.ts';
import { receivedMessages } from './table.ts';

export interface Received {
  deviceId: string;
  messageId: string;
  digest: string;
}

export type Verdict = 'new' | 'duplicate' | 'id_reused';

/** Stores what is new and says of each message, positionally, whether it is new, a repeat, or another message under a used id. */
export async function remember(db: Db, messages: Received[]): Promise<Verdict[]> {
  const first = new Map<string, Received>();
  for (const m of messages) if (!first.has(key(m))) first.set(key(m), m);
  const rows = [...first.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const inserted = await query<{ deviceId: string; messageId: string }>(
    db,
    sql`insert into received_messages (device_id, message_id, digest)
        select "deviceId", "messageId", digest from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
          as v("deviceId" text, "messageId" text, digest text)
        on conflict do nothing returning device_id as "deviceId", message_id as "messageId"`,
  );
  const fresh = new Set(inserted.map(key));
  const known = await findDigests(
    db,
    [...first.values()].filter((m) => !fresh.has(key(m))),
  );
  return messages.map((m) => {
    const k = key(m);
    if (fresh.has(k) && first.get(k) === m) return 'new';
    const stored = known.get(k) ?? first.get(k)!.digest;
    return stored === m.digest ? 'duplicate' : 'id_reused';
  });
}

/** A device re-sends until it is acked; a message that old is never sent again. */
const keepDays = 30;

export async function forgetOldMessages(db: Db): Promise<void> {
  await db
    .delete(receivedMessages)
    .where(lt(receivedMessages.receivedAt, sql`now() - make_interval(days => ${keepDays})`));
}

async function findDigests(db: Db, messages: Received[]): Promise<Map<string, string>> {
  if (messages.length === 0) return new Map();
  const keys = JSON.stringify(messages.map(({ deviceId, messageId }) => ({ d: deviceId, m: messageId })));
  const rows = await query<{ deviceId: string; messageId: string; digest: string }>(
    db,
    sql`select r.device_id as "deviceId", r.message_id as "messageId", r.digest
        from received_messages r
        join jsonb_to_recordset(${keys}::jsonb) as k(d text, m text) on r.device_id = k.d and r.message_id = k.m`,
  );
  return new Map(rows.map((r) => [key(r), r.digest]));
}

function key(m: { deviceId: string; messageId: string }): string {
  return `${m.deviceId}/${m.messageId}`;
}
