/**
 * Group commit: requests that arrive together are handled in one transaction. Each caller is answered after the commit; acks then go
 * out as one bulk call a group. When a group fails for its data, its events are handled one by one, so one poison event stops nobody.
 */
import { mountedTopic, type UplinkTopic } from '#emqx/protocol.ts';
import { kick } from '../certificates/blocking.ts';
import type { Context } from '../context.ts';
import { isCollision, isPermanent } from '../db/connect.ts';
import { AppError } from '../errors.ts';
import type { Input, Reject } from './classify.ts';
import { bury } from './dead-letters.ts';
import { handle, type Outcome } from './handle.ts';

export interface Ingest {
  /** Resolves after the commit: null, or why the event was refused (and kept as a dead letter). Throws 503 codes. */
  submit(input: Input, raw: string): Promise<Reject | null>;
  /** Refuses what comes from now on, and waits for what was taken. */
  stop(): Promise<void>;
}

interface Waiting {
  input: Input;
  raw: string;
  resolve(reject: Reject | null): void;
  reject(error: unknown): void;
}

const groupSize = 300;
const gatherMs = 3;
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
): Ingest {
  const queue: Waiting[] = [];
  let stopping = false;
  let lanes = 0;
  const draining = new Set<Promise<void>>();

  function openLane(): void {
    if (lanes >= maxLanes || (lanes > 0 && queue.length < worthALane)) return;
    lanes += 1;
    const lane: Promise<void> = drain().finally(() => draining.delete(lane));
    draining.add(lane);
  }

  async function drain(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, gatherMs));
    while (queue.length > 0) {
      const group = queue.splice(0, groupSize);
      const start = performance.now();
      await commitGroup(context(), group);
      onGroup(group.length, performance.now() - start);
    }
    // At once, or what is submitted before anybody hears of the end would be left lying.
    lanes -= 1;
  }

  return {
    submit(input, raw) {
      if (stopping) return Promise.reject(new AppError('shutting_down', 'This copy is shutting down.'));
      if (queue.length >= maxWaiting) {
        return Promise.reject(new AppError('overloaded', 'Too many events are waiting.'));
      }
      return new Promise((resolve, reject) => {
        queue.push({ input, raw, resolve, reject });
        openLane();
      });
    },
    async stop() {
      stopping = true;
      await Promise.all(draining);
    },
  };
}

const maxCollisions = 3;

async function commitGroup(context: Context, group: Waiting[], collisions = 0): Promise<void> {
  let outcome: Outcome;
  try {
    outcome = await context.db.transaction((tx) =>
      handle(
        tx,
        group.map((w) => w.input),
        group.map((w) => w.raw),
        Date.now(),
      ),
    );
  } catch (error) {
    if (isCollision(error) && collisions < maxCollisions) return commitGroup(context, group, collisions + 1);
    if (group.length > 1 && isPermanent(error)) {
      for (const waiting of group) await commitGroup(context, [waiting]);
    } else if (isPermanent(error)) {
      await buryPoison(context, group[0]!, error);
    } else {
      context.log('warn', 'events not committed', { events: group.length, error });
      for (const w of group) w.reject(new AppError('database_unavailable', 'The database does not answer.'));
    }
    return;
  }
  group.forEach((w, i) => {
    w.resolve(outcome.rejects[i]!);
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

async function buryPoison(context: Context, waiting: Waiting, cause: unknown): Promise<void> {
  context.log('error', 'event cannot be handled', { error: cause });
  const clientId = 'deviceId' in waiting.input ? waiting.input.deviceId : null;
  const reject: Reject = {
    kind: 'reject',
    code: 'payload_invalid',
    detail: rootMessage(cause),
    clientId,
    topic: null,
  };
  try {
    await bury(context.db, [{ ...reject, body: waiting.raw }]);
    waiting.resolve(reject);
  } catch (error) {
    waiting.reject(new AppError('database_unavailable', 'The database does not answer.', { cause: error }));
  }
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
