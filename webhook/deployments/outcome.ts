/** Tells that a deployment waits for a second person, has halted or is complete, in the transaction in which it does. */
import { sql } from 'drizzle-orm';
import { type Db, query } from '../db/query.ts';
import * as firmware from '../firmware/firmware.ts';
import { tell } from '../notifications/events.ts';
import type { Selected } from './left-out.ts';
import { type Rollout, sum, type Tally } from './rollout.ts';
import { resolved } from './selection.ts';
import type { DeploymentRow } from './table.ts';

export async function tellOutcome(
  tx: Db,
  row: DeploymentRow,
  { state, halted, finishedAt }: Rollout,
  tallies: Tally[],
): Promise<void> {
  const hasHalted = state === 'halted' && row.state !== 'halted' && halted !== null;
  const isComplete = state === 'completed' && row.state !== 'completed';
  if (!hasHalted && !isComplete) return;
  const { name, version } = await firmware.get(tx, row.firmwareId);
  const about = { deployment: row.id, firmware: name, version };
  const regionIds = await regionsOf(tx, row.id);
  if (hasHalted) {
    const { reason, message, wave, at, figures } = halted;
    const key = `deployment_halted/${row.id}/${at}`;
    const data = { ...about, reason, detail: message, wave, figures };
    return tell(tx, [{ kind: 'deployment_halted', severity: 'critical', key, regionIds, data }]);
  }
  const counts = {
    succeeded: sum(tallies, (t) => t.succeeded),
    failed: sum(tallies, (t) => t.failed + t.timedOut),
    others: sum(tallies, (t) => t.left),
  };
  const key = `deployment_completed/${row.id}/${finishedAt}`;
  await tell(tx, [
    { kind: 'deployment_completed', severity: 'info', key, regionIds, data: { ...about, ...counts } },
  ]);
}

/** It waits for a second person. */
export async function tellWaiting(
  tx: Db,
  of: { id: string; image: firmware.Firmware; selection: Selected; by: string; devices: number },
): Promise<void> {
  const { id, image, by, devices } = of;
  const rows = await query<{ id: string }>(
    tx,
    sql`select distinct region_id as id from (${resolved(image, of.selection)}) r
        where reason is null and region_id is not null`,
  );
  const data = { deployment: id, firmware: image.name, version: image.version, by, devices };
  const regionIds = rows.map((row) => row.id);
  const key = `deployment_waiting/${id}`;
  await tell(tx, [{ kind: 'deployment_waiting', severity: 'warning', key, regionIds, data }]);
}

async function regionsOf(tx: Db, id: string): Promise<string[]> {
  const rows = await query<{ id: string }>(
    tx,
    sql`select distinct d.region_id as id from targets t join devices d on d.id = t.device_id
        where t.deployment_id = ${id} and d.region_id is not null`,
  );
  return rows.map((row) => row.id);
}
