/** What a look starts, and what it gives up because a newer deployment has overtaken it: `starts.ts` of the webhook on the model. */
import type { RolloutAction } from '../deployments/rollout.ts';
import { isActive } from '../deployments/states.ts';
import { isOpen as isWindowOpen, nextOpening } from '../deployments/window.ts';
import type { Connection } from './connection.ts';
import type { Fold } from './fold.ts';
import type { DeploymentRow, Transaction } from './store.ts';
import { closedMs } from './targets.ts';

const sweepEveryMs = 10_000;

/** What a look has found besides the rollout's own state. */
export interface Look {
  soonAt: number | null;
  opensAt: number | null;
  sweptAt: number | null;
}

/** Answers the keys of what was started; null when the window is closed, 'lost' when another copy has started the same device. */
export function* startTargets(
  connection: Connection,
  tx: Transaction,
  fold: Fold,
  row: DeploymentRow,
  action: RolloutAction & { type: 'dispatch' },
  look: Look,
  now: number,
): Generator<void, string[] | null | 'lost', void> {
  const { machines } = connection.surroundings;
  const { window } = row.rollout.policy;
  if (window && machines.keepsWindows) {
    const zones = new Set([...tx.scan('devices')].map(([, d]) => d.timeZone));
    const openings = [...zones].map((zone) => nextOpening(window, zone, now) ?? now + closedMs);
    if (openings.every((at) => at > now)) {
      look.opensAt = Math.min(...openings);
      return null;
    }
  }
  const sweep = () => {
    if (!machines.leavesOvertaken) return;
    if (supersede(connection, tx, fold, row) > 0) look.soonAt = now;
    look.sweptAt = now;
  };
  if (look.sweptAt === null) sweep();
  yield;
  const startable = listStartable(connection, tx, row, action.upToWave, now).slice(0, action.limit);
  for (const key of startable) {
    const { deviceId, component } = tx.get('targets', key)!;
    // The unique index: whoever comes second waits, and finds it taken.
    yield* connection.lock(tx, `active:${deviceId}/${component}`);
    const taken = [...tx.scan('targets')].some(
      ([other, t]) =>
        other !== key && t.deviceId === deviceId && t.component === component && isActive(t.state),
    );
    if (taken) return 'lost';
    fold.apply(key, { type: 'dispatch' }, now);
  }
  if (startable.length) look.soonAt ??= now + (startable.length === action.limit ? 0 : 500);
  if (startable.length < action.limit && now - (look.sweptAt ?? 0) >= sweepEveryMs) sweep();
  return startable;
}

function supersede(connection: Connection, tx: Transaction, fold: Fold, row: DeploymentRow): number {
  let superseded = 0;
  const all = [...tx.scan('targets')];
  const { keepsComponentsApart } = connection.surroundings.machines;
  for (const [key, t] of all) {
    if (t.state !== 'pending') continue;
    const mine = tx.get('deployments', t.deploymentId)!;
    const overtaken = all.some(([, o]) => {
      if (o.deviceId !== t.deviceId || (t.deploymentId !== row.id && o.deploymentId !== row.id)) return false;
      if (o.component !== t.component && keepsComponentsApart) return false;
      const newer = tx.get('deployments', o.deploymentId)!;
      if (newer.order <= mine.order) return false;
      return (
        isActive(o.state) ||
        o.state === 'succeeded' ||
        (o.state === 'pending' && newer.rollout.state === 'running')
      );
    });
    if (!overtaken || !tx.lock(`target:${key}`)) continue;
    fold.apply(key, { type: 'supersede' });
    superseded++;
  }
  return superseded;
}

function listStartable(
  connection: Connection,
  tx: Transaction,
  row: DeploymentRow,
  upToWave: number,
  now: number,
): string[] {
  const all = [...tx.scan('targets')];
  const mine = all.filter(([, t]) => {
    if (t.deploymentId !== row.id || t.state !== 'pending' || t.wave > upToWave) return false;
    const device = tx.get('devices', t.deviceId)!;
    if ((t.nextAttemptAt ?? 0) > now || !device.reachable) return false;
    const { window } = row.rollout.policy;
    if (
      window &&
      connection.surroundings.machines.keepsWindows &&
      !isWindowOpen(window, device.timeZone, now)
    )
      return false;
    return !all.some(([, o]) => {
      if (o.deviceId !== t.deviceId || o.deploymentId === row.id) return false;
      if (isActive(o.state)) return true;
      if (!connection.surroundings.machines.leavesOvertaken || o.component !== t.component) return false;
      const other = tx.get('deployments', o.deploymentId)!;
      if (o.state === 'succeeded') return other.order > row.order;
      return o.state === 'pending' && other.rollout.state === 'running';
    });
  });
  mine.sort(([a, s], [b, t]) => s.wave - t.wave || (a < b ? -1 : 1));
  // Claimed by skipping what others hold, then read again.
  return mine
    .map(([key]) => key)
    .filter((key) => tx.lock(`target:${key}`) && tx.get('targets', key)!.state === 'pending');
}
