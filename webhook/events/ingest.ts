/**
 * Group commit: requests that arrive together are handled in one transaction. Each caller is answered after the commit; acks then go
 * out as one bulk call a group. A group that fails for its data is halved until the poison is alone, so one such event stops nobody.
 */
import { mountedTopic, type UplinkTopic } from '#emqx/protocol.ts';
import { kick } from '../certificates/blocked-kick.ts';
import type { Context } from '../context.ts';
import { type Db, isCollision, isPermanent } from '../db/query.ts';
import { AppError } from '../errors.ts';
import { createAllowance } from './allowance.ts';
import type { Input, Refusal, Reject } from './classify.ts';
import { createFairQueue } from './fair-queue.ts';
import { handle, type Memory, type Outcome } from './handle.ts';
import { createHeard } from './heard.ts';

/** What is done with an event in the transaction that handles it: with one that is there no more, nothing. */
export interface Replay {
  begin(tx: Db): Promise<boolean>;
  end(tx: Db, refusal: Refusal | null): Promise<void>;
}

export interface Ingest {
  /** Resolves after the commit: null, or why the event was refused. Throws 503 codes, and `not_found` for a replay that could not begin. */
  submit(input: Input, raw: string, replay?: Replay): Promise<Refusal | null>;
  /** Refuses what comes from now on, and waits for what was taken. */
  stop(): Promise<void>;
}

interface Waiting {
  input: Input;
  raw: string;
  replay?: Replay | undefined;
  resolve(refusal: Refusal | null): void;
  reject(error: unknown): void;
}

const groupSize = 300;
/**
 * Where events are few, a group is what comes within this. Each group costs about fifteen statements, however few are in it: so where several came
 * together the next are waited for longer, by no more than a device notices.
 */
const gatherMs = 3;
const gatherMoreMs = 25;
const several = 4;
/** While the database works on one group the next is made ready; a second lane for fewer would only make groups smaller. */
const maxLanes = 2;
const worthALane = 50;
/** About what the database commits in two seconds: later ones are told to come again rather than kept waiting. */
const maxWaiting = 3_000;
/** Acks are a courtesy (the device asks again): one that fails is dropped. */
const idsPerAck = 64;

export function createIngest(
  context: () => Context,
  onGroup: (events: number, ms: number) => void = () => {},
  /** That share the database's time. */
  workers = 1,
): Ingest {
  const queue = createFairQueue<Waiting>(Math.ceil(maxWaiting / workers));
  const memory: Memory = { allowance: createAllowance(), heard: createHeard() };
  let stopping = false;
  let lanes = 0;
  let lastSize = 0;
  const draining = new Set<Promise<void>>();

  function openLane(): void {
    if (lanes >= maxLanes || (lanes > 0 && queue.length < worthALane)) return;
    lanes += 1;
    const lane: Promise<void> = drain().finally(() => draining.delete(lane));
    draining.add(lane);
  }

  async function drain(): Promise<void> {
    let ms = lastSize < several ? gatherMs : gatherMoreMs;
    do {
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
      const group = queue.take(groupSize);
      // The other lane may have taken all.
      if (group.length === 0) break;
      lastSize = group.length;
      const start = performance.now();
      await commitGroup(context(), memory, group);
      onGroup(group.length, performance.now() - start);
      ms = queue.length < worthALane && lastSize >= several ? gatherMoreMs : 0;
    } while (queue.length > 0);
    // At once, or what is submitted before anybody hears of the end would be left lying.
    lanes -= 1;
  }

  return {
    submit(input, raw, replay) {
      if (stopping) return Promise.reject(new AppError('shutting_down', 'This copy is shutting down.'));
      return new Promise((resolve, reject) => {
        if (queue.add(senderOf(input), { input, raw, replay, resolve, reject })) openLane();
        else reject(new AppError('overloaded', 'Too many events are waiting, of this device or of all.'));
      });
    },
    async stop() {
      stopping = true;
      await Promise.all(draining);
    },
  };
}

const maxCollisions = 3;

/** As the broker names it. */
function senderOf(input: Input): string {
  if (input.kind === 'ignored') return '';
  return input.kind === 'reject' ? (input.clientId ?? '') : input.deviceId;
}

async function commitGroup(
  context: Context,
  memory: Memory,
  group: Waiting[],
  collisions = 0,
): Promise<void> {
  let outcome: Outcome;
  const gone = new Set<Waiting>();
  try {
    outcome = await context.database.ingest.transaction(async (tx) => {
      for (const w of group) if (w.replay && !(await w.replay.begin(tx))) gone.add(w);
      const handled = await handle(
        tx,
        group.map((w) => (gone.has(w) ? { kind: 'ignored' } : w.input)),
        group.map((w) => w.raw),
        Date.now(),
        memory,
      );
      for (const [i, w] of group.entries())
        if (w.replay && !gone.has(w)) await w.replay.end(tx, handled.rejects[i]!);
      return handled;
    });
  } catch (error) {
    if (isCollision(error) && collisions < maxCollisions) {
      return commitGroup(context, memory, group, collisions + 1);
    }
    if (group.length > 1 && isPermanent(error)) {
      const half = group.length >> 1;
      await commitGroup(context, memory, group.slice(0, half));
      await commitGroup(context, memory, group.slice(half));
    } else if (isPermanent(error) && group[0]!.input.kind !== 'reject') {
      context.log('error', 'event cannot be handled', { error });
      await commitGroup(context, memory, [{ ...group[0]!, input: poisonous(group[0]!.input, error) }]);
    } else {
      context.log('warn', 'events not committed', { events: group.length, error });
      for (const w of group) w.reject(new AppError('database_unavailable', 'The database does not answer.'));
    }
    return;
  }
  group.forEach((w, i) => {
    if (gone.has(w)) w.reject(new AppError('not_found', 'It is there no more.'));
    else w.resolve(outcome.rejects[i]!);
  });
  void kick(context, outcome.kicks);
  if (outcome.hasWork) context.wake();
  context.live.changed('deployment', ...outcome.changedDeployments);
  context.live.changed('device', ...outcome.changedDevices);
  context.live.changed('log', ...senders(group, outcome, 'log'));
  context.live.changed('command', ...senders(group, outcome, 'control/response'));
  void sendAcks(context, outcome.acks);
}

/** Whose messages of that topic were taken. */
function senders(group: Waiting[], { rejects }: Outcome, topic: UplinkTopic): string[] {
  return group.flatMap(({ input }, i) =>
    input.kind === 'message' && input.topic === topic && rejects[i] === null ? [input.deviceId] : [],
  );
}

/** What is made of an event that the database refuses: a dead letter. */
function poisonous(input: Input, cause: unknown): Reject {
  const clientId = 'deviceId' in input ? input.deviceId : null;
  const topic = input.kind === 'message' ? mountedTopic(input.deviceId, input.topic) : null;
  return { kind: 'reject', code: 'payload_invalid', detail: rootMessage(cause), clientId, topic };
}

/** The database's own words; what is wrapped around them repeats the whole statement. */
function rootMessage(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root instanceof Error ? root.message : String(root);
}

async function sendAcks(context: Context, acks: Map<string, string[]>): Promise<void> {
  const messages = [...acks].flatMap(([deviceId, ids]) =>
    Array.from({ length: Math.ceil(ids.length / idsPerAck) }, (_, i) => ({
      topic: mountedTopic(deviceId, 'ack'),
      payload: JSON.stringify({ ids: ids.slice(i * idsPerAck, (i + 1) * idsPerAck) }),
      qos: 0 as const,
    })),
  );
  if (messages.length === 0) return;
  try {
    await context.broker.publishBulk(messages);
  } catch (error) {
    context.log('warn', 'acks not sent', { acks: messages.length, error });
  }
}
