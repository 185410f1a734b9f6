/**
 * Handles one commit group of inputs in one transaction, set-based. What must follow the commit (acks, wake-ups, hints) is answered.
 */
import { mainComponent, mountedTopic, type Running } from '#emqx/protocol.ts';
import { findDismissed, findStanding } from '../certificates/blocked.ts';
import { type RenewalRequest, storeRequests } from '../certificates/renewals.ts';
import * as crashes from '../crashes/crashes.ts';
import { type Db, together } from '../db/query.ts';
import { markJoinable } from '../deployments/store.ts';
import { recordBoots } from '../devices/incidents.ts';
import * as presence from '../devices/presence.ts';
import { recordLogs, recordResponses, recordTelemetry } from '../telemetry/telemetry.ts';
import type { Allowance } from './allowance.ts';
import {
  type DeviceMessage,
  type Input,
  isDeviceId,
  type MessageOn,
  type Refusal,
  type Reject,
} from './classify.ts';
import { bury } from './dead-letters.ts';
import { type Heard, heardEveryMs } from './heard.ts';
import { applyPresence } from './presence.ts';
import { remember } from './received.ts';
import { applyToTargets, type Orders, withoutOutdatedBoots } from './targets.ts';

export interface Outcome {
  /** Positional: why an input was refused, or null. */
  rejects: (Refusal | null)[];
  /** Ids to acknowledge, by device. */
  acks: Map<string, string[]>;
  changedDeployments: string[];
  changedDevices: string[];
  hasWork: boolean;
  /** Devices that are banned or came with a revoked certificate: to be disconnected. */
  kicks: string[];
}

/** What a copy keeps from group to group. */
export interface Memory {
  allowance: Allowance;
  heard: Heard;
}

type Standing = Extract<Input, { deviceId: string }>;

/** `raws` are the rows as they came, for dead letters: one that is kept whole can be replayed. */
export async function handle(
  tx: Db,
  inputs: Input[],
  raws: string[],
  now: number,
  { allowance, heard }: Memory,
): Promise<Outcome> {
  const rejects: (Reject | null)[] = inputs.map((input) => (input.kind === 'reject' ? input : null));
  const refuse = (i: number, code: Reject['code'], detail: string) => {
    const input = inputs[i] as Exclude<Input, Reject | { kind: 'ignored' }>;
    const topic = input.kind === 'message' ? mountedTopic(input.deviceId, input.topic) : null;
    rejects[i] = { kind: 'reject', code, detail, clientId: input.deviceId, topic };
  };

  const ids = new Set(
    inputs.flatMap((input) => {
      if ('deviceId' in input) return [input.deviceId];
      return input.kind === 'reject' && input.clientId && isDeviceId(input.clientId) ? [input.clientId] : [];
    }),
  );
  const serials = new Set(inputs.flatMap((i) => (i.kind === 'message' ? (i.certificateSerial ?? []) : [])));
  // Whatever is revoked or banned later counts as later: what this group took came before.
  const { registered, banned, revoked } = await findStanding(tx, [...ids], [...serials]);
  inputs.forEach((input, i) => {
    if (!('deviceId' in input)) return;
    if (!registered.has(input.deviceId)) refuse(i, 'device_unknown', 'no such device is registered');
    // Who connects or subscribes is kicked instead (presence.ts).
    else if (input.kind !== 'message') return;
    else if (banned.has(input.deviceId)) refuse(i, 'device_banned', 'the device is banned');
    else if (input.certificateSerial && revoked.has(input.certificateSerial)) {
      refuse(i, 'certificate_revoked', `the certificate ${input.certificateSerial} is revoked`);
    }
  });

  // All at once, in the order of their ids; before anything is said of their messages, and so that none moves while what it runs is counted.
  const standing = inputs.filter((input, i) => 'deviceId' in input && rejects[i] === null) as Standing[];
  const due = heard.take(
    standing.flatMap((input) => (input.kind === 'message' ? [input.deviceId] : [])),
    now,
  );
  const changing = standing.filter((input) => input.kind !== 'message' || input.critical !== null);
  await presence.lock(tx, [...new Set([...due, ...changing.map(({ deviceId }) => deviceId)])]);

  const acks = await deduplicate(tx, inputs, rejects, refuse);
  const accepted = inputs.filter((_, i) => rejects[i] === null && !acks.repeats.has(i));
  const arrived = accepted.filter((input): input is DeviceMessage => input.kind === 'message');
  const [, orders] = await together(presence.markHeard(tx, due, heardEveryMs), findOrders(tx, arrived));
  const messages = inOrder(arrived, orders);
  const of = <T extends DeviceMessage['topic']>(...topics: T[]) =>
    messages.filter((m) => (topics as string[]).includes(m.topic)) as MessageOn<T>[];

  const { subscribed, kicks } = await applyPresence(tx, accepted);
  const current = await withoutOutdatedBoots(tx, messages, orders);
  const [, saved] = await together(
    // Before the targets: a success is noted beside what runs.
    applyRunning(tx, messages, orders),
    applyToTargets(tx, current, subscribed),
    store(tx, of),
  );
  for (const message of saved.astray) {
    refuse(
      inputs.indexOf(message),
      'deployment_unknown',
      'no such update of this device; it was told to stop',
    );
  }

  // A deleted device that the broker could not be told to drop, or that came back before its CRL did.
  const dismissed = await findDismissed(
    tx,
    [...ids].filter((id) => !registered.has(id)),
  );
  const letters = rejects.flatMap((r, i) => {
    if (!r) return [];
    const owner = r.clientId && registered.has(r.clientId) ? r.clientId : '';
    return [{ ...r, owner, body: raws[i]! }];
  });
  const written = letters.length > 0 ? await bury(tx, letters, allowance, now) : [];
  let nth = 0;
  return {
    rejects: rejects.map((r) => r && { ...r, kept: written[nth++]! }),
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
function inOrder(messages: DeviceMessage[], orders: Orders): DeviceMessage[] {
  const sorted = messages
    .filter((m) => orders.has(m))
    .sort((a, b) => {
      const [one, other] = [orders.get(a)!, orders.get(b)!];
      return one[0] - other[0] || one[1] - other[1] || one[2] - other[2];
    });
  return [...messages.filter((m) => !orders.has(m)), ...sorted];
}

/** Where each message with a seq stands among its device's: the epochs that they tell are numbered as they come. */
async function findOrders(tx: Db, messages: DeviceMessage[]): Promise<Orders> {
  const ordered = messages.flatMap((m) =>
    m.critical?.seq ? [{ m, ...m.critical, seq: m.critical.seq }] : [],
  );
  const epochs = await presence.numberEpochs(
    tx,
    ordered.map(({ m, epoch }) => ({ deviceId: m.deviceId, epoch })),
  );
  return new Map(ordered.map(({ m, seq }, i) => [m, [epochs[i]!, ...seq] as const]));
}

/** What devices attest to run: the newest report of each component in the group. */
async function applyRunning(tx: Db, messages: DeviceMessage[], orders: Orders): Promise<void> {
  const newest = new Map<string, presence.RunningReport>();
  // Messages with a seq come in its order, so the last one wins.
  for (const m of messages) {
    const order = orders.get(m);
    if (!order) continue;
    const running: Running[] =
      m.topic === 'status/health'
        ? m.message.running
        : m.topic === 'firmware/download/result'
          ? [m.message.running]
          : [];
    for (const r of running) {
      newest.set(`${m.deviceId}/${r.component}`, { deviceId: m.deviceId, order, ...r });
    }
  }
  if (newest.size === 0) return;
  const first = await presence.recordRunning(tx, [...newest.values()]);
  // A firmware for a child component goes to devices that have reported one.
  if (first.some((component) => component !== mainComponent)) await markJoinable(tx);
}

async function store(
  tx: Db,
  of: <T extends DeviceMessage['topic']>(...topics: T[]) => MessageOn<T>[],
): Promise<void> {
  const health = of('status/health');
  const latest = new Map(health.map((m) => [m.deviceId, m.message]));
  const measured = of('status/system', 'status/network', 'data/sensors', 'data/metrics');
  const logs = of('log');
  const responses = of('control/response');
  const renewals: RenewalRequest[] = of('cert/renew/request').map((m) => ({
    deviceId: m.deviceId,
    requestId: m.message.id,
    csr: m.message.csr,
    slash: m.slash,
  }));
  const boots = health.flatMap(({ deviceId, receivedAt, message: { boot } }) =>
    boot ? [{ deviceId, at: new Date(receivedAt), boot }] : [],
  );
  const crashed = health.flatMap(({ deviceId, receivedAt, message: { crash, running } }) =>
    crash ? [{ deviceId, at: new Date(receivedAt), crash, runningVersion: running[0]!.version }] : [],
  );
  await together(
    recordBoots(tx, boots),
    presence.recordHealth(
      tx,
      [...latest].map(([deviceId, message]) => ({ deviceId, health: message })),
    ),
    recordTelemetry(
      tx,
      measured.map((m) => ({
        deviceId: m.deviceId,
        topic: m.topic,
        at: new Date(m.receivedAt),
        body: m.message,
      })),
    ),
    recordLogs(
      tx,
      logs.map(({ deviceId, receivedAt, message: { level, message } }) => ({
        deviceId,
        at: new Date(receivedAt),
        level,
        message,
      })),
    ),
    recordResponses(
      tx,
      responses.map((m) => ({ deviceId: m.deviceId, command: m.message.command, response: m.message })),
    ),
    storeRequests(tx, renewals),
    crashes.record(tx, crashed),
  );
}
