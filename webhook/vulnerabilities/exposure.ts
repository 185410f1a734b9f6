/** Which devices run an image that has something: by what they attest, never by what was sent to them. */
import { type SQL, sql } from 'drizzle-orm';
import { Order, type Paging, readPage } from '../db/keyset.ts';
import { type Db, query } from '../db/query.ts';
import type { Reach } from '../devices/reach.ts';

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
 * The one place where devices are chosen for all lists and counts of here: `d` is the device, `c` what it attests, `f` the firmware.
 */
export function running(reach: Reach, firmwares: SQL): SQL {
  return sql`components c join firmwares f on f.sha256 = c.sha256 and f.component = c.component
    join devices d on d.id = c.device_id where f.id in (${firmwares}) and ${reach.on('d')}`;
}

const among = (ids: string[]) => sql`select unnest(${`{${ids.join(',')}}`}::uuid[])`;

const byDevice = new Order('exposed devices', [
  { by: sql`c.device_id`, type: 'text', descends: false },
  { by: sql`c.component`, type: 'text', descends: false },
]);

/** By id; `total` counts a device once, whatever of it is concerned. */
export async function listDevices(
  db: Db,
  reach: Reach,
  firmwareIds: string[],
  paging: Paging,
): Promise<{ items: ExposedDevice[]; total: number; next: string | null }> {
  if (firmwareIds.length === 0) return { items: [], total: 0, next: null };
  const from = running(reach, among(firmwareIds));
  const [{ rows, next }, [count]] = await Promise.all([
    readPage(byDevice, paging, (behind = sql`true`, limit, offset) =>
      query<ExposedDevice & { reportedAt: Date | string; key: string[] }>(
        db,
        sql`select ${byDevice.key} as key, d.id, d.name, (select r.name from regions r where r.id = d.region_id) as region, c.component, c.version,
          f.id as "firmwareId", d.online, c.reported_at as "reportedAt"
        from ${from} and ${behind} order by c.device_id, c.component limit ${limit} offset ${offset}`,
      ),
    ),
    query<{ total: number }>(
      db, // Grouped by hash: a distinct count would sort a hundred thousand texts by the rules of a language.
      sql`select count(*)::int as total from (select c.device_id from ${from} group by c.device_id) counted`,
    ),
  ]);
  const items = rows.map((one) => ({ ...one, reportedAt: new Date(one.reportedAt).toISOString() }));
  return { items, total: count!.total, next };
}

/** How many devices run each; those that nobody runs are left out. */
export async function countByFirmware(
  db: Db,
  reach: Reach,
  firmwareIds: string[],
): Promise<Map<string, number>> {
  if (firmwareIds.length === 0) return new Map();
  const rows = await query<{ id: string; n: number }>(
    db,
    sql`select f.id, count(*)::int as n from ${running(reach, among(firmwareIds))} group by f.id`,
  );
  return new Map(rows.map(({ id, n }) => [id, n]));
}
