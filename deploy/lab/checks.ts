/** What must hold when everything is healed and has had time to settle; each problem is a line. */
import { sql } from 'drizzle-orm';
import { type Db, query } from '#webhook/db/query.ts';
import { isOpen, type TargetState } from '#webhook/deployments/states.ts';
import type { Fleet } from './fleet/devices.ts';

/** Nothing was refused, nor said twice with different words. */
export async function findLetters(db: Db): Promise<string[]> {
  const letters = await query<{ code: string; n: number }>(
    db,
    sql`select code, count(*)::int as n from dead_letters group by code`,
  );
  return letters.map(({ code, n }) => `${n} dead letters: ${code}`);
}

/** No target is open, no deployment runs, no command waits to be sent. */
export async function findStuck(db: Db): Promise<string[]> {
  const targets = await query<{ device: string; state: TargetState }>(
    db,
    sql`select device_id as device, state from targets`,
  );
  const stuck = targets
    .filter((target) => isOpen(target.state))
    .map((target) => `${target.device}: a target is still ${target.state}`);
  const commands = await query<{ topic: string; n: number; due: string }>(
    db,
    sql`select topic, count(*)::int as n,
          case when min(send_at) is null then 'parked' else 'due in ' || (min(send_at) - clock_timestamp())::text end as due
        from outbox group by topic`,
  );
  for (const { topic, n, due } of commands)
    stuck.push(`${n} commands are still in the outbox: ${topic}, ${due}`);
  const running = await query<{ id: string }>(db, sql`select id from deployments where state = 'running'`);
  return [...stuck, ...running.map(({ id }) => `deployment ${id} is still running`)];
}

/** No update ended twice. */
export async function findRepeated(db: Db): Promise<string[]> {
  const rows = await query<{ device: string; n: number }>(
    db,
    sql`select device_id as device, count(*)::int as n from target_events where state = 'succeeded'
        group by deployment_id, device_id having count(*) > 1`,
  );
  return rows.map(({ device, n }) => `${device}: one update succeeded ${n} times`);
}

/** What the database says a device runs is what it runs, and that is what its last successful update brought. */
export async function findDrift(db: Db, fleet: Fleet): Promise<string[]> {
  const rows = await query<{ device: string; sha256: string }>(
    db,
    sql`select device_id as device, sha256 from components`,
  );
  const known = new Map(rows.map((row) => [row.device, row.sha256]));
  const targets = await query<{ device: string; sha256: string }>(
    db,
    sql`select distinct on (t.device_id) t.device_id as device, f.sha256 from targets t join deployments d on d.id = t.deployment_id
        join firmwares f on f.id = d.firmware_id where t.state = 'succeeded' order by t.device_id, d.created_at desc`,
  );
  const updated = new Map(targets.map((row) => [row.device, row.sha256]));
  return fleet.devices.flatMap((device) => {
    const { running, outboxMessages } = device.snapshot();
    const problems: string[] = [];
    if (outboxMessages > 0) problems.push(`${device.id}: ${outboxMessages} messages were never acked`);
    if (running?.sha256 !== known.get(device.id))
      problems.push(`${device.id} runs something else than the database says`);
    if (updated.has(device.id) && running?.sha256 !== updated.get(device.id))
      problems.push(`${device.id} does not run its last successful update`);
    return problems;
  });
}
