/** Which devices of a deployment can boot what they ran before, as far as the server knows; each looks for itself before it does. */
import { type SQL, sql } from 'drizzle-orm';
import { sqlList } from '../db/query.ts';
import { devices } from '../devices/table.ts';
import type { Firmware } from '../firmware/firmware.ts';
import { activeStates } from './states.ts';

/**
 * Those that the deployment has updated and that still run its image, and those that are, or may be, at work on it: the order waits until
 * they have ended, and one that has not got the image has nothing to do then. As (id, reachable, region_id, reason), like `resolved`. The
 * other slot holds what ran before (or, until the image boots, what runs), unless a later deployment has begun to write there.
 */
export function undoable(previous: Pick<Firmware, 'sha256' | 'securityVersion'>, undoes: string): SQL {
  return sql`
    select ${devices.id} as id, ${devices.reachable} as reachable, ${devices.regionId} as region_id,
      case when not c.undo then 'no_undo'
           when case when c.sha256 = f.sha256 then coalesce(c.previous_sha256, t.ran) else c.sha256 end
             is distinct from ${previous.sha256} then 'other_previous'
           when c.security_version > ${previous.securityVersion}::int then 'downgrade'
           when exists (
             select 1 from targets o join deployments n on n.id = o.deployment_id and n.undoes is null
             where o.device_id = t.device_id and o.component = t.component and o.attempt > 0
               and (n.created_at, n.id) > (u.created_at, u.id)) then 'slot_overwritten' end as reason
    from targets t join deployments u on u.id = t.deployment_id join firmwares f on f.id = u.firmware_id
      join ${devices} on ${devices.id} = t.device_id
      join components c on c.device_id = t.device_id and c.component = t.component
    where t.deployment_id = ${undoes}::uuid and (
      (t.state = 'succeeded' and c.sha256 = f.sha256) or t.state in ${sqlList([...activeStates, 'timed_out'])}
      or (t.state = 'pending' and t.error_code = 'timed_out'))`;
}
