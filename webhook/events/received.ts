/** The memory that makes critical messages count once. */
import { sql } from 'drizzle-orm';
import { type Db, query } from '../db/query.ts';

export interface Received {
  deviceId: string;
  messageId: string;
  digest: string;
}

export type Verdict = 'new' | 'duplicate' | 'id_reused';

/** The devices must be locked, so that no other copy remembers the same meanwhile. Stores what is new and says of each message, positionally, whether it is new, a repeat, or another message under a used id. */
export async function remember(db: Db, messages: Received[]): Promise<Verdict[]> {
  const first = new Map<string, Received>();
  for (const m of messages) if (!first.has(key(m))) first.set(key(m), m);
  const rows = [...first.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const inserted = await query<{ deviceId: string; messageId: string }>(
    db,
    sql`insert into received_messages (device_id, message_id, digest)
        select "deviceId", "messageId", digest from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
          as v("deviceId" text, "messageId" text, digest text)
        where not exists (
          select from received_messages r where r.device_id = v."deviceId" and r.message_id = v."messageId")
        returning device_id as "deviceId", message_id as "messageId"`,
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
