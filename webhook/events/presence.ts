/** What the broker's own events (connected, subscribed, disconnected) say of who can be reached, and who must go. */
import { findRevoked, updateBlocked } from '../certificates/blocked.ts';
import { markSeen } from '../certificates/certificates.ts';
import type { Db } from '../db/query.ts';
import * as presence from '../devices/presence.ts';
import type { Input } from './classify.ts';

/** Answers who can be reached since now, and who must go. */
export async function applyPresence(
  tx: Db,
  inputs: Input[],
): Promise<{ subscribed: string[]; kicks: string[] }> {
  const connected = newestByDevice(inputs.filter((i) => i.kind === 'connected'));
  const disconnected = newestByDevice(inputs.filter((i) => i.kind === 'disconnected'));
  const subscriptions = inputs.filter((i) => i.kind === 'subscribed');
  // A subscription may be known before its connect, so it is judged by its own certificate too.
  const revoked = await findRevoked(
    tx,
    subscriptions.flatMap((s) => s.certificateSerial ?? []),
  );
  const isRevoked = (s: { certificateSerial: string | null }) => revoked.has(s.certificateSerial ?? '');
  const subscribing = [
    ...new Set(subscriptions.filter((s) => !isRevoked(s)).map(({ deviceId }) => deviceId)),
  ];
  if (connected.length) await presence.markConnected(tx, connected);
  if (subscribing.length) await presence.markReachable(tx, subscribing);
  if (disconnected.length) await presence.markDisconnected(tx, disconnected);
  const serials = connected.flatMap((c) => c.certificateSerial ?? []);
  if (serials.length) await markSeen(tx, [...new Set(serials)]);
  const came = [...new Set([...connected, ...subscriptions].map(({ deviceId }) => deviceId))];
  const blocked = new Set(await updateBlocked(tx, came));
  return {
    subscribed: subscribing.filter((id) => !blocked.has(id)),
    kicks: [...new Set([...blocked, ...subscriptions.filter(isRevoked).map(({ deviceId }) => deviceId)])],
  };
}

function newestByDevice<T extends { deviceId: string; connectedAt: number }>(rows: T[]): T[] {
  const newest = new Map<string, T>();
  for (const row of rows) {
    const other = newest.get(row.deviceId);
    if (!other || other.connectedAt <= row.connectedAt) newest.set(row.deviceId, row);
  }
  return [...newest.values()];
}
