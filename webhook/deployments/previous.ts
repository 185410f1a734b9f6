/** The way back from a bad image: which devices run it, and what they had before. */
import { sql } from 'drizzle-orm';
import { type Db, query } from '../db/query.ts';
import { maxDevices } from '../devices/chosen.ts';
import type { Reach } from '../devices/reach.ts';
import { get } from './views.ts';

export interface Previous {
  /** Null: nothing registered and signed is known to have run there. */
  firmware: { id: string; name: string; version: string } | null;
  /** Of the deployment's devices, those that attest its image now: at most as many as a selection can name. */
  devices: string[];
  total: number;
}

/**
 * What most of its devices ran when their targets were made. Where that was not noted (targets of before there were undos): what they had by
 * their last update before it, or run where they have not got it.
 */
export async function findPrevious(db: Db, reach: Reach, id: string): Promise<Previous> {
  const { firmware: bad } = await get(db, reach, id);
  const mine = sql`select t.device_id, t.component, t.ran, d.created_at, f.id as firmware, f.sha256, f.hardware
    from targets t join deployments d on d.id = t.deployment_id join firmwares f on f.id = d.firmware_id
    where t.deployment_id = ${id}::uuid and t.wave >= 0 and ${reach.holds(sql`t.device_id`)}`;
  const [firmware] = await query<{ id: string; name: string; version: string }>(
    db,
    sql`with mine as (${mine}),
        ran as (
          select f.id as firmware from mine m join firmwares f on f.sha256 = m.ran and f.component = m.component),
        updated as (
          select distinct on (m.device_id) d.firmware_id as firmware from mine m
          join targets t on t.device_id = m.device_id and t.component = m.component and t.state = 'succeeded'
          join deployments d on d.id = t.deployment_id and d.created_at < m.created_at and d.firmware_id <> m.firmware
          where m.ran is null
          order by m.device_id, d.created_at desc),
        running as (
          select f.id as firmware from mine m
          join components c on c.device_id = m.device_id and c.component = m.component and c.sha256 <> m.sha256
          join firmwares f on f.sha256 = c.sha256 and f.component = m.component
          where m.ran is null)
        select f.id, f.name, f.version from (select firmware from ran union all select firmware from updated union all select firmware from running) had
        join firmwares f on f.id = had.firmware
        where f.manifest is not null and f.hardware = ${bad.hardware} and f.component = ${bad.component}
        group by f.id order by count(*) desc, f.created_at desc limit 1`,
  );
  const running = sql`with mine as (${mine})
    select m.device_id as id from mine m
    join components c on c.device_id = m.device_id and c.component = m.component and c.sha256 = m.sha256`;
  const devices = await query<{ id: string; total: number }>(
    db,
    sql`select id, count(*) over ()::int as total from (${running}) r order by id limit ${maxDevices}`,
  );
  return {
    firmware: firmware ?? null,
    devices: devices.map((device) => device.id),
    total: devices[0]?.total ?? 0,
  };
}
