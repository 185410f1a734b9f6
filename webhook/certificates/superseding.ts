/** Certificates that their device has left behind are revoked, so that a copy of an old key opens nothing. */
import { eq, sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/query.ts';
import * as presence from '../devices/presence.ts';
import { paced } from '../paced.ts';
import { revokeAll } from './revocation.ts';
import { findSuperseded, settleMs } from './superseding-rules.ts';
import { certificates } from './table.ts';

const everyMs = 10_000;
/** Of devices: after a storm of renewals the CRLs grow evenly, and not by thousands at once. */
const batch = 50;

/** Whose certificate was first seen within these minutes is looked at each time; everybody is when a copy starts, and every hour. */
const freshMinutes = 120;
const everybodyEveryMs = 3_600_000;

/** A step of `background.ts`. */
export const createSupersede = () => {
  let everybodyAt = performance.now();
  return paced({ everyMs }, async function supersede(context: Context) {
    const now = performance.now();
    const devices = await findCandidates(context.db, now < everybodyAt);
    // Once nobody is left.
    if (devices.length < batch && now >= everybodyAt) everybodyAt = now + everybodyEveryMs;
    let revoked = 0;
    for (const device of devices) revoked += await revokeSuperseded(context, device);
    if (revoked > 0) context.wake();
    return 'done';
  });
};

async function findCandidates(db: Db, onlyFresh: boolean): Promise<string[]> {
  const fresh = onlyFresh
    ? sql`and c.profile = 'device' and c.first_seen_at > now() - make_interval(mins => ${freshMinutes}::int)`
    : sql``;
  const rows = await query<{ id: string }>(
    db,
    sql`select distinct d.id from certificates o
        join devices d on d.id = o.common_name
        join certificates c on c.serial = d.certificate_serial and c.common_name = d.id
        where o.profile = 'device' and o.revoked_at is null and o.not_after > now() and o.issued_at < c.issued_at
          and c.revoked_at is null and c.first_seen_at <= now() - make_interval(secs => ${settleMs / 1000}) ${fresh}
        limit ${batch}`,
  );
  return rows.map(({ id }) => id);
}

/** The device's row is locked by a connect too: one with an old certificate came before, and then that is in use, or finds it revoked. */
function revokeSuperseded({ db }: Context, device: string): Promise<number> {
  return db.transaction(async (tx) => {
    await presence.lock(tx, [device]);
    const [connection] = await presence.listConnections(tx, [device]);
    const rows = await tx.select().from(certificates).where(eq(certificates.commonName, device));
    const held = rows
      .filter(({ profile, notAfter }) => profile === 'device' && notAfter.getTime() > Date.now())
      .map((row) => ({ ...row, revoked: row.revokedAt !== null }));
    const serials = findSuperseded(held, connection?.certificateSerial ?? null, Date.now());
    return serials.length > 0 ? revokeAll(tx, { device, serials }, 'superseded', 'system') : 0;
  });
}
