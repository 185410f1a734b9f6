/** Messages and subscriptions of devices, a group in one transaction; acks after the commit. */
import { mainComponent } from '#emqx/protocol.ts';
import type { TargetEvent } from '../deployments/machine.ts';
import { isOpen } from '../deployments/states.ts';
import type { Connection, Input, Work } from './connection.ts';
import type { Report, Seq, Uplink } from './device.ts';
import { markJoinable } from './targets.ts';

export function* ingest(connection: Connection, inputs: Input[]): Work {
  const { machines, invariants, store, now } = connection.surroundings;
  const tx = connection.begin();
  const critical = inputs.filter((i): i is Uplink => 'event' in i && i.seq !== null);
  const fresh = new Set<Input>();
  for (const key of [...new Set(critical.map(keyOf))].sort()) {
    yield* connection.lock(tx, `message:${key}`);
    if (machines.remembers && tx.get('received', key)) continue;
    fresh.add(critical.find((m) => keyOf(m) === key)!);
    tx.set('received', key, true);
  }
  yield;
  const accepted = inputs.filter((i) => !('event' in i) || i.seq === null || fresh.has(i));
  const ids = [...new Set(accepted.map((i) => ('event' in i ? i.deviceId : i.subscribed)))].sort();
  for (const id of ids) yield* connection.lock(tx, `device:${id}`);
  for (const input of accepted) {
    if ('event' in input) continue;
    tx.set('devices', input.subscribed, { ...tx.get('devices', input.subscribed)!, reachable: true });
    for (const [id, row] of [...tx.scan('outbox')]) {
      if (row.deviceId === input.subscribed && row.sendAt === null) {
        tx.set('outbox', id, { ...row, sendAt: connection.surroundings.now() });
      }
    }
  }
  yield;
  const keys: string[] = [];
  for (const [key, t] of tx.scan('targets')) {
    const named = accepted.some((i) => 'event' in i && key === `${i.deploymentId}/${i.deviceId}`);
    if (named || (ids.includes(t.deviceId) && (isOpen(t.state) || t.state === 'timed_out'))) keys.push(key);
  }
  for (const key of keys.sort()) yield* connection.lock(tx, `target:${key}`);
  const fold = connection.fold(tx);
  const first: { deviceId: string; component: string }[] = [];
  const sorted = accepted.filter((i) => 'event' in i).sort((a, b) => compare(a.seq, b.seq));
  for (const message of sorted) {
    const device = tx.get('devices', message.deviceId)!;
    const isOutdated = ({ component }: Report) =>
      compare(device.running[component]?.seq ?? null, message.seq) > 0;
    const attest = (key: string): TargetEvent => {
      const { event } = message;
      if (event.type !== 'booted' && event.type !== 'result') return event;
      const own = message.running.find((r) => r.component === tx.get('targets', key)?.component);
      return { ...event, runningSha256: own?.sha256 ?? '' };
    };
    if (message.deploymentId) {
      const key = `${message.deploymentId}/${message.deviceId}`;
      fold.apply(key, attest(key));
    } else if (!message.running.some(isOutdated) && !message.ofUpdate) {
      for (const key of keys) if (key.endsWith(`/${message.deviceId}`)) fold.apply(key, attest(key));
    }
    const { seq } = message;
    const running = { ...device.running };
    for (const report of seq ? message.running.filter((r) => !isOutdated(r)) : []) {
      const { component, sha256, securityVersion } = report;
      if (!running[component]) first.push({ deviceId: message.deviceId, component });
      running[component] = { sha256, securityVersion, seq: seq! };
    }
    tx.set('devices', message.deviceId, { ...device, running });
  }
  for (const input of accepted) {
    if ('event' in input) continue;
    for (const key of keys) {
      if (key.endsWith(`/${input.subscribed}`)) fold.apply(key, { type: 'subscribed' });
    }
  }
  // A firmware for a child goes to devices that have reported one.
  if (first.some(({ component }) => component !== mainComponent)) markJoinable(tx, store);
  fold.save();
  yield;
  connection.commit(tx, fold.changes);
  for (const { deviceId, component } of first) invariants.reported(deviceId, component, now());
  for (const message of fresh) invariants.handled(keyOf(message as Uplink));
  yield;
  const byDevice = new Map<string, string[]>();
  for (const m of critical) byDevice.set(m.deviceId, [...(byDevice.get(m.deviceId) ?? []), m.id]);
  for (const [deviceId, acked] of byDevice) connection.surroundings.acknowledge(deviceId, acked);
}

export function keyOf(message: Uplink): string {
  return `${message.deviceId}/${message.id}`;
}

function compare(a: Seq | null, b: Seq | null): number {
  if (!a || !b) return (a ? 1 : 0) - (b ? 1 : 0);
  return a[0] - b[0] || a[1] - b[1];
}
