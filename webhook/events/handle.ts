/**
 * Handles one commit group of inputs in one transaction, set-based. What must follow the commit (acks, wake-ups, hints) is answered.
 */
import { mainComponent, mountedTopic, type Running } from '#emqx/protocol.ts';
import { findDismissed, findRevoked } from '../certificates/barred.ts';
import { reassess } from '../certificates/blocking.ts';
import { markSeen } from '../certificates/certificates.ts';
import { type RenewalRequest, storeRequests } from '../certificates/renewals.ts';
import type { Db } from '../db/connect.ts';
import type { Target, TargetEvent } from '../deployments/machine.ts';
import { unpark } from '../deployments/outbox.ts';
import { concerning, Fold, lockTargets, markJoinable } from '../deployments/store.ts';
import * as presence from '../devices/presence.ts';
import { recordLogs, recordResponses, recordTelemetry } from '../telemetry/telemetry.ts';
import type { DeviceMessage, Input, Reject } from './classify.ts';
import { bury } from './dead-letters.ts';
import { remember } from './received.ts';

export interface Outcome {
  /** Positional: why an input was refused, or null. */
  rejects: (Reject | null)[];
  /** Ids to acknowledge, by device. */
  acks: Map<string, string[]>;
  changedDeployments: string[];
  changedDevices: string[];
  hasWork: boolean;
  /** Devices that are banned or came with a revoked certificate: to be disconnected. */
  kicks: string[];
}

type Message = Extract<Input, { kind: 'message' }>;
type Of<T extends Message['topic']> = Extract<Message, { topic: T }>;

/** `raws` are the rows as they came, for dead letters: one that is kept whole can be replayed. */
export async function handle(tx: Db, inputs: Input[], raws: string[], now: number): Promise<Outcome> {
  const rejects: (Reject | null)[] = inputs.map((input) => (input.kind === 'reject' ? input : null));
  const refuse = (i: number, code: Reject['code'], detail: string) => {
    const input = inputs[i] as Exclude<Input, Reject | { kind: 'ignored' }>;
    const topic = input.kind === 'message' ? mountedTopic(input.deviceId, input.topic) : null;
    rejects[i] = { kind: 'reject', code, detail, clientId: input.deviceId, topic };
  };

  const ids = new Set(inputs.flatMap((input) => ('deviceId' in input ? [input.deviceId] : [])));
  const known = ids.size ? await presence.findKnown(tx, [...ids]) : new Set<string>();
  inputs.forEach((input, i) => {
    if ('deviceId' in input && !known.has(input.deviceId)) {
      refuse(i, 'device_unknown', 'no such device is registered');
    }
  });

  const acks = await deduplicate(tx, inputs, rejects, refuse);
  const accepted = inputs.filter((_, i) => rejects[i] === null && !acks.repeats.has(i));
  const messages = inOrder(accepted.filter((input): input is Message => input.kind === 'message'));
  const of = <T extends Message['topic']>(...topics: T[]) =>
    messages.filter((m) => (topics as string[]).includes(m.topic)) as Of<T>[];

  await presence.lock(tx, [
    ...new Set(
      accepted.flatMap((a) =>
        'deviceId' in a && (a.kind !== 'message' || a.topic === 'status/health') ? [a.deviceId] : [],
      ),
    ),
  ]);
  const { subscribed, kicks } = await applyPresence(tx, accepted);
  const saved = await applyToTargets(tx, await withoutOutdatedBoots(tx, messages), subscribed, now);
  await applyRunning(tx, messages);
  await store(tx, of);

  // A deleted device that the broker could not be told to drop, or that came back before its CRL did.
  const dismissed = await findDismissed(
    tx,
    [...ids].filter((id) => !known.has(id)),
  );
  const buried = rejects.flatMap((r, i) => (r ? [{ ...r, body: raws[i]! }] : []));
  if (buried.length) await bury(tx, buried);
  return {
    rejects,
    acks: acks.byDevice,
    changedDeployments: saved.deploymentIds,
    changedDevices: [
      ...new Set(accepted.flatMap((a) => ('deviceId' in a && a.kind !== 'message' ? [a.deviceId] : []))),
      ...new Set(of('status/health', 'firmware/download/result').map((m) => m.deviceId)),
    ],
    kicks: [...kicks, ...dismissed],
    hasWork: saved.commands > 0 || subscribed.length > 0 || of('cert/renew/request').length > 0,
  };
}

async function deduplicate(
  tx: Db,
  inputs: Input[],
  rejects: (Reject | null)[],
  refuse: (i: number, code: Reject['code'], detail: string) => void,
): Promise<{ byDevice: Map<string, string[]>; repeats: Set<number> }> {
  const critical = inputs.flatMap((input, i) =>
    input.kind === 'message' && input.critical && rejects[i] === null
      ? [{ i, deviceId: input.deviceId, messageId: input.critical.id, digest: input.critical.digest }]
      : [],
  );
  const byDevice = new Map<string, string[]>();
  const repeats = new Set<number>();
  if (critical.length === 0) return { byDevice, repeats };
  const verdicts = await remember(tx, critical);
  critical.forEach(({ i, deviceId, messageId }, k) => {
    if (verdicts[k] === 'id_reused') {
      refuse(i, 'id_reused', `id ${messageId} was used for another message`);
      return;
    }
    if (verdicts[k] === 'duplicate') repeats.add(i);
    byDevice.set(deviceId, [...new Set([...(byDevice.get(deviceId) ?? []), messageId])]);
  });
  return { byDevice, repeats };
}

/** Critical messages of a device in the order of their seq; the broker's HTTP action does not keep it. Others stay where they came. */
function inOrder(messages: Message[]): Message[] {
  const seqOf = (m: Message) => m.critical?.seq ?? null;
  const sorted = messages
    .filter((m) => seqOf(m) !== null)
    .sort((a, b) => seqOf(a)![0] - seqOf(b)![0] || seqOf(a)![1] - seqOf(b)![1]);
  return [...messages.filter((m) => seqOf(m) === null), ...sorted];
}

/** Answers who can be reached since now, and who must go. */
async function applyPresence(tx: Db, inputs: Input[]): Promise<{ subscribed: string[]; kicks: string[] }> {
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
  const blocked = new Set(await reassess(tx, came));
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

async function applyToTargets(tx: Db, messages: Message[], subscribed: string[], now: number) {
  const relevant = messages.flatMap((m) => {
    const event = toTargetEvent(m);
    return event ? [{ message: m, event }] : [];
  });
  const deviceIds = [...new Set([...relevant.map((r) => r.message.deviceId), ...subscribed])];
  if (deviceIds.length === 0) return { deploymentIds: [], commands: 0 };
  const named = relevant.flatMap(({ message }) =>
    'deployment' in message.message
      ? [{ deploymentId: message.message.deployment, deviceId: message.deviceId }]
      : [],
  );
  const fold = new Fold(await lockTargets(tx, concerning(deviceIds, named)), now);
  for (const { message, event } of relevant) {
    if ('deployment' in message.message) {
      const target = fold.find(message.message.deployment, message.deviceId);
      if (target) fold.apply(target, event.type === 'result' ? judge(event, target, message) : event);
    } else {
      for (const target of fold.ofDevice(message.deviceId)) applyBoot(fold, target, message);
    }
  }
  for (const deviceId of subscribed) {
    for (const target of fold.ofDevice(deviceId)) fold.apply(target, { type: 'subscribed' });
  }
  if (subscribed.length) await unpark(tx, subscribed);
  return fold.save(tx);
}

/** A boot report that was overtaken by a later boot's says nothing of what runs now: it must not end an update. */
async function withoutOutdatedBoots(tx: Db, messages: Message[]): Promise<Message[]> {
  const reports = messages.flatMap((m) => {
    const seq = m.critical?.seq;
    return m.topic === 'status/health' && seq
      ? m.message.running.map(({ component }) => ({
          deviceId: m.deviceId,
          component,
          seq,
          message: m as Message,
        }))
      : [];
  });
  const outdated = await presence.findOutdated(
    tx,
    reports.map(({ deviceId, component, seq }) => ({ deviceId, component, seq })),
  );
  const dropped = new Set(reports.filter((_, i) => outdated[i]).map((r) => r.message));
  return messages.filter((m) => !dropped.has(m));
}

/** The digest that counts for the target: that of its own component; of a child only beside the version that its program has said. */
function attestedDigest(target: Target, running: Running | undefined): string {
  if (running?.component !== target.component) return '';
  return target.component === mainComponent || running.version === target.version ? running.sha256 : '';
}

function judge(event: TargetEvent & { type: 'result' }, target: Target, message: Message): TargetEvent {
  const { running } = (message as Of<'firmware/download/result'>).message;
  return { ...event, runningSha256: attestedDigest(target, running) };
}

function applyBoot(fold: Fold, target: Parameters<Fold['apply']>[0], message: Message): void {
  const { boot, running } = (message as Of<'status/health'>).message;
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
        ...pick(m.message, 'attempt', 'stage', 'receivedBytes', 'bytesPerSecond', 'urlExpired'),
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

/** What devices attest to run: the newest report of each component in the group. */
async function applyRunning(tx: Db, messages: Message[]): Promise<void> {
  const newest = new Map<string, presence.RunningReport>();
  // Messages with a seq come in its order, so the last one wins.
  for (const m of messages) {
    const seq = m.critical?.seq;
    if (!seq) continue;
    const running: Running[] =
      m.topic === 'status/health'
        ? m.message.running
        : m.topic === 'firmware/download/result'
          ? [m.message.running]
          : [];
    for (const r of running) {
      newest.set(`${m.deviceId}/${r.component}`, { deviceId: m.deviceId, seq, ...r });
    }
  }
  if (newest.size === 0) return;
  const first = await presence.recordRunning(tx, [...newest.values()]);
  // A firmware for a child component goes to devices that have reported one.
  if (first.some((component) => component !== mainComponent)) await markJoinable(tx);
}

async function store(tx: Db, of: <T extends Message['topic']>(...topics: T[]) => Of<T>[]): Promise<void> {
  const health = of('status/health');
  if (health.length) {
    const latest = new Map(health.map((m) => [m.deviceId, m.message]));
    await presence.recordHealth(
      tx,
      [...latest].map(([deviceId, message]) => ({ deviceId, health: message })),
    );
  }
  const measured = of('status/system', 'status/network', 'data/sensors', 'data/metrics');
  if (measured.length) {
    await recordTelemetry(
      tx,
      measured.map((m) => ({
        deviceId: m.deviceId,
        topic: m.topic,
        at: new Date(m.receivedAt),
        body: m.message,
      })),
    );
  }
  const logs = of('log');
  if (logs.length) {
    await recordLogs(
      tx,
      logs.map((m) => ({
        deviceId: m.deviceId,
        at: new Date(m.receivedAt),
        level: m.message.level,
        message: m.message.message,
      })),
    );
  }
  const responses = of('control/response');
  if (responses.length) {
    await recordResponses(
      tx,
      responses.map((m) => ({ deviceId: m.deviceId, command: m.message.command, response: m.message })),
    );
  }
  const renewals: RenewalRequest[] = of('cert/renew/request').map((m) => ({
    deviceId: m.deviceId,
    requestId: m.message.id,
    csr: m.message.csr,
    slash: m.slash,
  }));
  if (renewals.length) await storeRequests(tx, renewals);
}
