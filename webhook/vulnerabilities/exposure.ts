/** Which devices run an image that has something: by what they attest, never by what was sent to them. */
import { type SQL, sql } from 'drizzle-orm';
import { type Db, query } from '../db/query.ts';

export interface ExposedDevice extends Record<string, unknown> {
  id: string;
  name: string;
  region: string | null;
  component: string;
  version: string;
  firmwareId: string;
  online: boolean;
  reportedAt: string;
}

/**
 * The one place where devices are chosen for all lists and counts of here: `d` is the device, `c` what it attests, `f` the firmware. A
 * condition on `d` added here holds everywhere.
 */
function running(firmwares: SQL): SQL {
  return sql`components c join firmwares f on f.sha256 = c.sha256 and f.component = c.component
    join devices d on d.id = c.device_id where f.id in (${firmwares})`;
}

const list = (ids: string[]): SQL => sql`select unnest(${`{${ids.join(',')}}`}::uuid[])`;

/** By id; `total` counts a device once, whatever of it is concerned. */
export async function listDevices(
  db: Db,
  firmwareIds: string[],
  { limit, offset }: { limit: number; offset: number },
): Promise<{ items: ExposedDevice[]; total: number }> {
  if (firmwareIds.length === 0) return { items: [], total: 0 };
  const from = running(list(firmwareIds));
  const [items, [count]] = await Promise.all([
    query<ExposedDevice & { reportedAt: Date | string }>(
      db,
      sql`select d.id, d.name, (select r.name from regions r where r.id = d.region_id) as region, c.component, c.version,
          f.id as "firmwareId", d.online, c.reported_at as "reportedAt"
        from ${from} order by d.id, c.component limit ${limit} offset ${offset}`,
    ),
    query<{ total: number }>(db, sql`select count(distinct d.id)::int as total from ${from}`),
  ]);
  const dated = items.map((one) => ({ ...one, reportedAt: new Date(one.reportedAt).toISOString() }));
  return { items: dated, total: count!.total };
}

/** How many devices run each; those that nobody runs are left out. */
export async function countByFirmware(db: Db, firmwareIds: string[]): Promise<Map<string, number>> {
  if (firmwareIds.length === 0) return new Map();
  const rows = await query<{ id: string; n: number }>(
    db,
    sql`select f.id, count(*)::int as n from ${running(list(firmwareIds))} group by f.id`,
  );
  return new Map(rows.map(({ id, n }) => [id, n]));
}
