/** A deployment's targets on the model: made when it resolves or somebody joins, tallied for its rollout. */
import { mainComponent } from '#emqx/protocol.ts';
import { nothing, type Tally, wakesAt } from '../deployments/rollout.ts';
import { isActive } from '../deployments/states.ts';
import { dealWaves, isSilent, isUnreached, type SeenTarget } from './invariants.ts';
import type { DeploymentRow, DeviceRow, Store, TargetRow, Transaction } from './store.ts';

export const closedMs = 15 * 60_000;

/** Makes the targets: what runs the image already, or something that it may not replace, is skipped. */
export function resolve(tx: Transaction, row: DeploymentRow) {
  const ids = matching(tx, row);
  const gets = ids.filter((id) => !isSkipped(tx, row, id));
  const { gates, waves } = dealWaves(row, gets.length);
  for (const id of ids) addTarget(tx, row, id, gets.includes(id) ? waves[gets.indexOf(id)]! : -1);
  if (gates.length === 0) gates.push(row.rollout.policy.waves.at(-1)!);
  return gates;
}

/** Who matches by now gets a target too; answers how many there are, and how many of them get the image. */
export function join(tx: Transaction, row: DeploymentRow, wave: number): { fresh: number; pending: number } {
  const fresh = matching(tx, row).filter((id) => !tx.get('targets', `${row.id}/${id}`));
  const gets = fresh.filter((id) => !isSkipped(tx, row, id));
  for (const id of fresh) addTarget(tx, row, id, gets.includes(id) ? wave : -1);
  return { fresh: fresh.length, pending: gets.length };
}

function matching(tx: Transaction, row: DeploymentRow): string[] {
  const { component } = row.image;
  const has = (d: DeviceRow) => component === mainComponent || d.running[component] !== undefined;
  return [...tx.scan('devices')]
    .flatMap(([id, d]) => (d.matches.includes(row.id) && has(d) ? [id] : []))
    .sort();
}

function isSkipped(tx: Transaction, { image }: DeploymentRow, id: string): boolean {
  const runs = tx.get('devices', id)!.running[image.component];
  return runs !== undefined && (runs.sha256 === image.sha256 || runs.securityVersion > image.securityVersion);
}

/** A wave of -1: skipped. */
function addTarget(tx: Transaction, row: DeploymentRow, deviceId: string, wave: number): void {
  tx.set('targets', `${row.id}/${deviceId}`, {
    deploymentId: row.id,
    deviceId,
    component: row.image.component,
    sha256: row.image.sha256,
    version: '1',
    policy: row.rollout.policy,
    totalBytes: row.image.size,
    state: wave < 0 ? 'skipped' : 'pending',
    attempt: 0,
    attemptsForgiven: 0,
    cancelRequested: false,
    receivedBytes: 0,
    bytesPerSecond: null,
    error: null,
    stats: null,
    nextAttemptAt: null,
    deadlineAt: null,
    wave,
  });
}

/** A device has come to match something: whatever takes late joiners looks for them. */
export function markJoinable(tx: Transaction, store: Store): void {
  for (const [id, { rollout }] of tx.scan('deployments')) {
    if (rollout.finishedAt === null && rollout.policy.lateJoinersMs !== null)
      tx.set('marks', store.nextId(), { deploymentId: id, joins: true });
  }
}

export function nextLook(
  rollout: DeploymentRow['rollout'],
  tallies: Tally[],
  seen: TargetRow[],
  opensAt: number | null,
  now: number,
) {
  const times = [wakesAt(rollout, tallies, now)];
  if (rollout.state === 'running' && opensAt !== null) times.push(Math.min(opensAt, now + closedMs));
  else if (rollout.state === 'running') {
    const pending = seen.filter((t) => t.state === 'pending');
    for (const t of pending)
      if (t.nextAttemptAt !== null && t.nextAttemptAt > now) times.push(t.nextAttemptAt);
    if (pending.length) times.push(now + 10_000);
  }
  const known = times.filter((t) => t !== null);
  return known.length ? Math.min(...known) : null;
}

export function tallyUp(targets: SeenTarget[], isOverdue: boolean): Tally[] {
  const tallies: Tally[] = [];
  for (const t of targets) {
    if (t.wave < 0) continue;
    while (tallies.length <= t.wave) tallies.push({ ...nothing });
    const tally = tallies[t.wave]!;
    if (isSilent(t)) tally.silent++;
    if (isOverdue && isUnreached(t)) tally.unreached++;
    if (t.state === 'pending') tally.pending++;
    else if (isActive(t.state)) tally.active++;
    else if (t.state === 'succeeded') tally.succeeded++;
    else if (t.state === 'failed' || t.state === 'rolled_back') tally.failed++;
    else if (t.state === 'timed_out') tally.timedOut++;
    else tally.left++;
  }
  return tallies;
}

export function targetsOf(tx: Transaction, id: string): SeenTarget[] {
  return [...tx.scan('targets')]
    .map(([, t]) => ({ ...t, reachable: tx.get('devices', t.deviceId)!.reachable }))
    .filter((t) => t.deploymentId === id);
}

export function targetsIn(store: Store, id: string): SeenTarget[] {
  return [...store.tables.targets.values()]
    .filter((t) => t.deploymentId === id)
    .map((t) => ({ ...t, reachable: store.tables.devices.get(t.deviceId)!.reachable }));
}
