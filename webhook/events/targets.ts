/** What device messages mean for the updates under way: each becomes an event of the target's machine. */
import { mainComponent, type Running } from '#emqx/protocol.ts';
import type { Db } from '../db/query.ts';
import type { Target, TargetEvent } from '../deployments/machine.ts';
import { concerning, Fold } from '../deployments/store.ts';
import * as presence from '../devices/presence.ts';
import { type AttemptCommand, enqueueForAttempts, unpark } from '../outbox/outbox.ts';
import type { DeviceMessage, MessageOn } from './classify.ts';

/**
 * Returns the deployments whose targets changed, how many commands there are to send, and the messages of devices that wait for a URL
 * of an update that is not theirs. Targets are locked until the transaction ends.
 */
export async function applyToTargets(tx: Db, messages: DeviceMessage[], subscribed: string[]) {
  const relevant = messages.flatMap((m) => {
    const event = toTargetEvent(m);
    return event ? [{ message: m, event }] : [];
  });
  const deviceIds = [...new Set([...relevant.map((r) => r.message.deviceId), ...subscribed])];
  if (deviceIds.length === 0) return { deploymentIds: [], commands: 0, astray: [] };
  const named = relevant.flatMap(({ message }) =>
    'deployment' in message.message
      ? [{ deploymentId: message.message.deployment, deviceId: message.deviceId }]
      : [],
  );
  const fold = await Fold.open(tx, concerning(deviceIds, named));
  const astray: DeviceMessage[] = [];
  const cancels: AttemptCommand[] = [];
  for (const { message, event } of relevant) {
    if ('deployment' in message.message) {
      const { deployment: deploymentId, attempt } = message.message;
      const target = fold.find(deploymentId, message.deviceId);
      if (target) {
        fold.apply(target, event.type === 'result' ? judge(event, target, message) : event);
      } else if (event.type === 'progress' && event.urlExpired) {
        // The deployment was deleted or lost: no URL will ever come, and the device would refuse every other update as busy.
        astray.push(message);
        cancels.push({ deviceId: message.deviceId, deploymentId, attempt, type: 'cancel' });
      }
    } else {
      for (const target of fold.ofDevice(message.deviceId)) applyBoot(fold, target, message);
    }
  }
  for (const deviceId of subscribed) {
    for (const target of fold.ofDevice(deviceId)) fold.apply(target, { type: 'subscribed' });
  }
  if (subscribed.length) await unpark(tx, subscribed);
  if (cancels.length) await enqueueForAttempts(tx, cancels);
  const { deploymentIds, commands } = await fold.save(tx);
  return { deploymentIds, commands: commands + cancels.length, astray };
}

/** Of the messages that have a seq. */
export type Orders = ReadonlyMap<DeviceMessage, presence.Order>;

/** A boot report that was overtaken by a later boot's says nothing of what runs now: it must not end an update. */
export async function withoutOutdatedBoots(
  tx: Db,
  messages: DeviceMessage[],
  orders: Orders,
): Promise<DeviceMessage[]> {
  const reports = messages.flatMap((m) => {
    const order = orders.get(m);
    return m.topic === 'status/health' && order
      ? m.message.running.map(({ component }) => ({
          deviceId: m.deviceId,
          component,
          order,
          message: m as DeviceMessage,
        }))
      : [];
  });
  const outdated = await presence.findOutdated(
    tx,
    reports.map(({ deviceId, component, order }) => ({ deviceId, component, order })),
  );
  const dropped = new Set(reports.filter((_, i) => outdated[i]).map((r) => r.message));
  return messages.filter((m) => !dropped.has(m));
}

/** The digest that counts for the target: that of its own component; of a child only beside the version that its program has said. */
function attestedDigest(target: Target, running: Running | undefined): string {
  if (running?.component !== target.component) return '';
  return target.component === mainComponent || running.version === target.version ? running.sha256 : '';
}

function judge(event: TargetEvent & { type: 'result' }, target: Target, message: DeviceMessage): TargetEvent {
  const { running } = (message as MessageOn<'firmware/download/result'>).message;
  return { ...event, runningSha256: attestedDigest(target, running) };
}

function applyBoot(fold: Fold, target: Parameters<Fold['apply']>[0], message: DeviceMessage): void {
  const { boot, running } = (message as MessageOn<'status/health'>).message;
  // The boot of an update is followed by its result, which is as sure to arrive and also brings the figures.
  if (boot?.reason === 'update') return;
  const own = running.find((r) => r.component === target.component);
  if (own) fold.apply(target, { type: 'booted', runningSha256: attestedDigest(target, own) });
}

function toTargetEvent(m: DeviceMessage): TargetEvent | null {
  switch (m.topic) {
    case 'firmware/download/request/ack':
      return { type: 'ack', ...pick(m.message, 'attempt', 'accepted', 'error') };
    case 'firmware/download/progress':
      return {
        type: 'progress',
        ...pick(
          m.message,
          'attempt',
          'stage',
          'receivedBytes',
          'bytesPerSecond',
          'urlExpired',
          'deferred',
          'patch',
        ),
      };
    case 'firmware/download/result': {
      const { attempt, outcome, running, error, stats } = m.message;
      return { type: 'result', attempt, outcome, runningSha256: running.sha256, error, stats };
    }
    case 'firmware/download/cancel/ack':
      return { type: 'cancel_ack', ...pick(m.message, 'attempt', 'cancelled', 'error') };
    case 'status/health':
      return m.critical ? { type: 'booted', runningSha256: '' } : null;
    default:
      return null;
  }
}

function pick<T extends object, K extends keyof T>(from: T, ...keys: K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((k) => [k, from[k]])) as Pick<T, K>;
}
