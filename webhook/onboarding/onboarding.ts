/** What somebody needs to bring a device of one's own in, and how far it has come: a reader of several features' tables. */
import { sql } from 'drizzle-orm';
import type { JSONWebKeySet } from 'jose';
import { readRoot } from '../certificates/certificates.ts';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/query.ts';
import { ensureKnown } from '../devices/known.ts';
import type { Reach } from '../devices/reach.ts';

export interface Surroundings {
  url: string;
  mqttUrl: string | null;
  root: string;
  keys: JSONWebKeySet;
  signs: boolean;
}

/** Addresses, certificates and keys that a device is given before its first connection; none of them is a secret. */
export async function readSurroundings(context: Context): Promise<Surroundings> {
  return {
    url: context.publicUrl,
    mqttUrl: context.mqttUrl ?? null,
    root: await readRoot(context),
    keys: context.trustedKeys,
    signs: context.signer !== null,
  };
}

export type FirstSteps = {
  certificate: boolean;
  connected: boolean;
  subscribed: boolean;
  message: boolean;
  update: boolean;
};

/** `subscribed` is as it is now; the others stay. Throws `not_found`. */
export async function readFirstSteps(db: Db, reach: Reach, id: string): Promise<FirstSteps> {
  await ensureKnown(db, reach, id);
  const [steps] = await query<FirstSteps>(
    db,
    sql`select
          exists (select from certificates where common_name = ${id} and profile = 'device') as "certificate",
          d.connected_at is not null as "connected", d.reachable as "subscribed",
          (exists (select from telemetry_sources where device_id = ${id})
            or exists (select from device_logs where device_id = ${id})
            or exists (select from received_messages where device_id = ${id})) as "message",
          exists (select from targets where device_id = ${id} and state = 'succeeded') as "update"
        from devices d where d.id = ${id}`,
  );
  return steps!;
}
