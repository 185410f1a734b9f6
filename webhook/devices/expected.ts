/** What successful updates have left on devices: a device that attests another image later has drifted. */
import { sql } from 'drizzle-orm';
import { at } from '../db/clock.ts';
import { type Db, query } from '../db/query.ts';
import type { Reach } from './reach.ts';
import { type components, hasDrifted } from './table.ts';

interface Success {
  deviceId: string;
  component: string;
  version: string;
  sha256: string;
}

/**
 * They must have been reported by now. A success that is heard late changes nothing where a newer one stands: that device attests what
 * the newer one left.
 */
export async function expect(db: Db, successes: Success[], now: number): Promise<void> {
  if (successes.length === 0) return;
  const rows = successes.map(({ deviceId, component, version, sha256 }) => ({
    d: deviceId,
    c: component,
    version,
    sha256,
  }));
  await db.execute(sql`
    update components c set expected_sha256 = v.sha256, expected_version = v.version, expected_at = ${at(now)}
    from (
      select v.* from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v(d text, c text, version text, sha256 text)
      join components o on o.device_id = v.d and o.component = v.c
      where o.sha256 = v.sha256 or o.sha256 is distinct from o.expected_sha256
      order by v.d, v.c for no key update of o) v
    where c.device_id = v.d and c.component = v.c`);
}

export async function countDrifted(db: Db, reach: Reach): Promise<number> {
  const [row] = await query<{ n: number }>(
    db,
    sql`select count(distinct device_id)::int as n from components where ${hasDrifted} and ${reach.holds(sql`device_id`)}`,
  );
  return row!.n;
}

export function toExpected({ expectedSha256, expectedVersion, expectedAt }: typeof components.$inferSelect) {
  if (expectedSha256 === null || expectedVersion === null || expectedAt === null) return null;
  return { version: expectedVersion, sha256: expectedSha256, at: expectedAt.toISOString() };
}
