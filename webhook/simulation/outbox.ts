/** Commands of the outbox to their devices: claimed under a lease, sent, then forgotten or put off. */
import { isActive } from '../deployments/states.ts';
import { isOpen as isWindowOpen } from '../deployments/window.ts';
import type { Connection, Work } from './connection.ts';
import type { OutboxRow } from './store.ts';

const leaseMs = 30_000;

export function* send(connection: Connection): Work {
  const { store, now } = connection.surroundings;
  const isDue = (row: OutboxRow | undefined) => row && row.sendAt !== null && row.sendAt <= now();
  if (![...store.tables.outbox.values()].some(isDue)) return;
  const claim = connection.begin();
  const claimed: OutboxRow[] = [];
  for (const [id, row] of [...claim.scan('outbox')].filter(([, r]) => isDue(r))) {
    if (!claim.lock(`outbox:${id}`) || !isDue(claim.get('outbox', id))) continue;
    claim.set('outbox', id, { ...row, sendAt: now() + leaseMs });
    claimed.push(row);
  }
  connection.commit(claim, []);
  yield;
  const isAlive = (row: OutboxRow) => {
    if (row.type === 'cancel') return true;
    const t = store.tables.targets.get(`${row.deploymentId}/${row.deviceId}`)!;
    const { window } = store.tables.deployments.get(row.deploymentId)!.rollout.policy;
    const { timeZone } = store.tables.devices.get(row.deviceId)!;
    const starts = t.state === 'sent' && window && connection.surroundings.machines.keepsWindows;
    if (starts && !isWindowOpen(window, timeZone, now())) return false;
    return t.attempt === row.attempt && isActive(t.state) && t.state !== 'cancelling';
  };
  const alive = new Set(claimed.filter(isAlive));
  yield;
  for (const row of claimed) {
    const outcome = alive.has(row)
      ? connection.surroundings.publish(row, store.tables.deployments.get(row.deploymentId)!)
      : 'routed';
    const tx = connection.begin();
    if (outcome === 'no_subscriber' && row.type === 'cancel') {
      yield* connection.lock(tx, `device:${row.deviceId}`);
      const { reachable } = tx.get('devices', row.deviceId)!;
      tx.set('outbox', row.id, { ...row, sendAt: reachable ? now() + 5_000 : null });
    } else if (outcome === 'failed') tx.set('outbox', row.id, { ...row, sendAt: now() + 5_000 });
    else tx.set('outbox', row.id, undefined);
    connection.commit(tx, []);
    yield;
  }
}
