/** Which devices run an image that has something: by what they attest, never by what was sent to them. */
import { type SQL, sql } from 'drizzle-orm';
import { Order, type Paging, readPage } from '../db/keyset.ts';
import { type Db, query } from '../db/query.ts';
import type { Reach } from '../devices/reach.ts';
import { runningCounts } from '../devices/tallies.ts';

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
 * The one place where devices are chosen for all lists of here: `d` is the device, `c` what it attests, `f` the firmware.
 */
function running(reach: Reach, firmwares: SQL): SQL {
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
  const [{ rows, next }, total] = await Promise.all([
    readPage(byDevice, paging, (behind = sql`true`, limit, offset) =>
      query<ExposedDevice & { reportedAt: Date | string; key: string[] }>(
        db,
        sql`select ${byDevice.key} as key, d.id, d.name, (select r.name from regions r where r.id = d.region_id) as region, c.component, c.version,
          f.id as "firmwareId", d.online, c.reported_at as "reportedAt"
        from ${from} and ${behind} order by c.device_id, c.component limit ${limit} offset ${offset}`,
      ),
    ),
    countDevices(db, reach, firmwareIds),
  ]);
  const items = rows.map((one) => ({ ...one, reportedAt: new Date(one.reportedAt).toISOString() }));
  return { items, total, next };
}

/** Of one component a device runs one image, so that sums tell devices; of several, one device may have more than one of them. */
async function countDevices(db: Db, reach: Reach, firmwareIds: string[]): Promise<number> {
  const [row] = await query<{ n: number; components: number; images: string[] }>(
    db,
    sql`select coalesce(sum(r.devices), 0)::int as n, count(distinct f.component)::int as components, json_agg(f.image) as images
        from (select distinct component, sha256, ${imageOf('f')} as image from firmwares f where id in (${among(firmwareIds)})) f
        left join (${runningCounts(reach)}) r on r.component = f.component and r.sha256 = f.sha256`,
  );
  return row!.components > 1 ? (await countTogether(db, reach, [row!.images]))[0]! : row!.n;
}

export const imageOf = (row: string): SQL => sql.raw(`(${row}.component || '/' || ${row}.sha256)`);

/** How many devices run any of each set of images. A fleet runs few combinations: those are compared, not the devices. */
export async function countTogether(db: Db, reach: Reach, sets: string[][]): Promise<number[]> {
  if (sets.length === 0) return [];
  const rows = await query<{ n: number }>(
    db,
    sql`with sets as materialized (
          select nth, array(select jsonb_array_elements_text(one)) as images
          from jsonb_array_elements(${JSON.stringify(sets)}::jsonb) with ordinality s(one, nth)),
        running as (
          select array_agg(${imageOf('c')}) as images from components c join devices d on d.id = c.device_id
          where c.sha256 in (select split_part(unnest(images), '/', 2) from sets) and ${reach.on('d')} group by c.device_id),
        combinations as materialized (select images, count(*) as n from running group by images)
        select coalesce(sum(c.n), 0)::int as n from sets s left join combinations c on c.images && s.images group by s.nth order by s.nth`,
  );
  return rows.map(({ n }) => n);
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
    sql`select f.id, sum(r.devices)::int as n from firmwares f
        join (${runningCounts(reach)}) r on r.component = f.component and r.sha256 = f.sha256
        where f.id in (${among(firmwareIds)}) group by f.id`,
  );
  return new Map(rows.map(({ id, n }) => [id, n]));
}
