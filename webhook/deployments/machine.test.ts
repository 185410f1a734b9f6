import { describe, expect, test } from 'vitest';
import { randomOf } from '#deploy/lab/primitives/random.ts';
import { type Step, step, type Target, type TargetCommand, type TargetEvent } from './machine.ts';
import { defaultPolicy, isTransient, retryDelay } from './policy.ts';
import { isOpen, type TargetState, targetStates } from './states.ts';
import { newTarget } from './testing-target.ts';

const good = 'a'.repeat(64);
const other = 'b'.repeat(64);
const stats = { downloadMs: 5, resumes: 1, receivedBytes: 100, redownloadedBytes: 0 };

const target = (over: Partial<Target> = {}) => newTarget({ sha256: good, ...over });
const at = (state: TargetState, over: Partial<Target> = {}) =>
  target({ state, attempt: state === 'pending' ? 0 : 1, deadlineAt: isOpen(state) ? 1_000 : null, ...over });
const ack = (accepted: boolean, code?: string) =>
  ({ type: 'ack', attempt: 1, accepted, ...(code && { error: { code } }) }) as TargetEvent;
const progress = (stage: 'downloading' | 'verifying' | 'installing', more: object = {}): TargetEvent => ({
  type: 'progress',
  attempt: 1,
  stage,
  receivedBytes: 50,
  ...more,
});
const result = (outcome: 'succeeded' | 'failed' | 'rolled_back', sha = good, code?: string) =>
  ({
    type: 'result',
    attempt: 1,
    outcome,
    runningSha256: sha,
    ...(code && { error: { code } }),
  }) as TargetEvent;
const cancelAck = (cancelled: boolean, code?: string) =>
  ({ type: 'cancel_ack', attempt: 1, cancelled, ...(code && { error: { code } }) }) as TargetEvent;
const booted = (sha = good): TargetEvent => ({ type: 'booted', runningSha256: sha });

type Row = [
  from: TargetState,
  event: TargetEvent,
  to: TargetState,
  commands?: TargetCommand['type'][],
  over?: Partial<Target>,
];
const cancelled = { cancelRequested: true };

describe('transitions', () => {
  const table: Row[] = [
    ['pending', { type: 'dispatch' }, 'sent', ['request']],
    ['pending', { type: 'dispatch' }, 'pending', [], { nextAttemptAt: 501 }],
    ['pending', { type: 'cancel' }, 'cancelled'],
    ['pending', { type: 'cancel' }, 'cancelling', ['cancel'], { attempt: 1, error: { code: 'timed_out' } }],
    ['pending', { type: 'cancel' }, 'cancelled', [], { attempt: 1, error: { code: 'download_failed' } }],
    ['pending', { type: 'supersede' }, 'skipped'],
    ['pending', { type: 'subscribed' }, 'pending'],
    ['pending', booted(), 'pending'],
    ['pending', booted(), 'succeeded', [], { attempt: 1 }],
    ['pending', result('failed', other, 'download_failed'), 'pending', [], { attempt: 1 }],
    ['sent', { type: 'dispatch' }, 'sent'],
    ['sent', { type: 'supersede' }, 'sent'],
    ['sent', { type: 'subscribed' }, 'sent', ['request']],
    ['sent', { type: 'cancel' }, 'cancelling', ['cancel']],
    ['sent', ack(true), 'accepted'],
    ['sent', ack(false, 'busy'), 'pending'],
    ['sent', ack(false, 'downgrade_refused'), 'failed'],
    ['sent', ack(false), 'failed'],
    ['sent', progress('downloading'), 'downloading'],
    ['sent', progress('installing'), 'installing'],
    ['sent', booted(), 'succeeded'],
    ['sent', booted(other), 'sent'],
    ['accepted', ack(true), 'accepted'],
    ['accepted', { type: 'subscribed' }, 'accepted', ['request']],
    ['accepted', progress('downloading'), 'downloading'],
    ['downloading', progress('downloading', { urlExpired: true }), 'downloading', ['request']],
    ['downloading', progress('verifying'), 'installing'],
    ['downloading', { type: 'subscribed' }, 'downloading', ['request']],
    ['downloading', result('failed', other, 'download_failed'), 'pending'],
    ['downloading', result('failed', other, 'signature_invalid'), 'failed'],
    ['downloading', result('succeeded', other), 'failed'],
    ['installing', progress('downloading'), 'installing'],
    ['installing', progress('installing', { urlExpired: true }), 'installing', []],
    ['installing', { type: 'subscribed' }, 'installing'],
    ['installing', result('succeeded'), 'succeeded'],
    ['installing', result('rolled_back', other, 'self_test_failed'), 'rolled_back'],
    ['installing', { type: 'cancel' }, 'cancelling', ['cancel']],
    ['installing', { type: 'cancel' }, 'installing', [], cancelled],
    ['cancelling', cancelAck(true), 'cancelled', [], cancelled],
    ['cancelling', cancelAck(false, 'unknown_deployment'), 'cancelled', [], cancelled],
    ['cancelling', cancelAck(false, 'too_late'), 'installing', [], cancelled],
    ['cancelling', { type: 'subscribed' }, 'cancelling', ['cancel'], cancelled],
    ['cancelling', progress('downloading', { urlExpired: true }), 'cancelling', [], cancelled],
    ['cancelling', result('failed', other, 'download_failed'), 'failed', [], cancelled],
    ['cancelling', result('succeeded'), 'succeeded', [], cancelled],
    ['cancelled', progress('downloading'), 'cancelled', ['cancel'], cancelled],
    ['cancelled', ack(true), 'cancelled', ['cancel'], cancelled],
    ['cancelled', result('succeeded'), 'cancelled', [], cancelled],
    ['timed_out', result('succeeded'), 'succeeded'],
    ['timed_out', booted(), 'succeeded'],
    ['timed_out', progress('downloading'), 'timed_out'],
    ['timed_out', progress('downloading'), 'timed_out', ['cancel'], cancelled],
    ['timed_out', cancelAck(true), 'cancelled', [], cancelled],
    ['timed_out', cancelAck(false, 'too_late'), 'timed_out', [], cancelled],
    ['failed', result('succeeded'), 'succeeded'],
    ['failed', result('failed', other, 'busy'), 'failed'],
    ['rolled_back', result('succeeded'), 'succeeded'],
    ['succeeded', result('failed', other, 'download_failed'), 'succeeded'],
    ['succeeded', result('rolled_back', other, 'boot_failed'), 'rolled_back'],
    ['succeeded', result('rolled_back', other, 'boot_failed'), 'succeeded', [], { stats }],
    ['succeeded', { type: 'cancel' }, 'succeeded'],
    ['skipped', booted(), 'skipped'],
  ];
  test.each(table)('%s + %o → %s', (from, event, to, commands = [], over = {}) => {
    const before = at(from, over);
    const copy = structuredClone(before);
    const { target: after, commands: sent } = step(before, event, 500);
    expect(after.state).toBe(to);
    expect(sent.map((c) => c.type)).toEqual(commands);
    expect(before).toEqual(copy);
  });

  test.each(['sent', 'accepted', 'downloading', 'installing'] as const)(
    '%s times out into the next attempt',
    (state) => {
      const { target: after, commands } = step(at(state), { type: 'tick' }, 1_000);
      expect(after).toMatchObject({
        state: 'pending',
        attempt: 1,
        deadlineAt: null,
        error: { code: 'timed_out' },
      });
      expect(after.nextAttemptAt).toBeGreaterThan(1_000);
      expect(commands).toEqual([]);
      expect(step(at(state), { type: 'tick' }, 999).target.state).toBe(state);
      expect(step(at(state, { attempt: 3 }), { type: 'tick' }, 1_000).target.state).toBe('timed_out');
    },
  );

  test('a device that waits for the URL of an update that is over is told to stop the attempt that it is at', () => {
    const waitsAt = (attempt: number) => progress('downloading', { urlExpired: true, attempt });
    for (const state of ['failed', 'timed_out', 'skipped', 'cancelled'] as const) {
      expect(step(at(state, { attempt: 3 }), waitsAt(1), 500).commands).toEqual([
        { type: 'cancel', attempt: 3 },
      ]);
      // Of a database that was put back, which does not know that one.
      expect(step(at(state), waitsAt(4), 500).commands).toEqual([{ type: 'cancel', attempt: 4 }]);
    }
  });

  test('a cancel that nobody answers times out for good', () => {
    expect(step(at('cancelling', cancelled), { type: 'tick' }, 1_000).target.state).toBe('timed_out');
    expect(step(at('installing', cancelled), { type: 'tick' }, 1_000).target.state).toBe('timed_out');
  });

  test.each(targetStates)('%s: what another attempt says changes nothing', (state) => {
    for (const event of [
      ack(true),
      progress('downloading'),
      result('failed', other, 'busy'),
      cancelAck(true),
    ]) {
      const before = at(state, { attempt: 2 });
      expect(step(before, event, 500)).toEqual({ target: before, commands: [] });
    }
  });

  test('received bytes never shrink and never exceed the size', () => {
    const far = step(at('sent'), progress('downloading', { receivedBytes: 80 }), 0).target;
    expect(step(far, progress('downloading', { receivedBytes: 20 }), 0).target.receivedBytes).toBe(80);
    expect(step(far, progress('downloading', { receivedBytes: 900 }), 0).target.receivedBytes).toBe(100);
  });

  test('the figures of a result come in after the boot report has decided', () => {
    const done = step(at('installing'), booted(), 0).target;
    const later = step(done, { ...result('succeeded'), stats } as TargetEvent, 0).target;
    expect(later).toMatchObject({ state: 'succeeded', stats, receivedBytes: 100 });
  });

  test('back-off doubles, is spread by device, and does not depend on anything else', () => {
    expect(retryDelay(defaultPolicy, 1, 'x')).toBe(retryDelay(defaultPolicy, 1, 'x'));
    expect(retryDelay(defaultPolicy, 2, 'x')).toBeGreaterThanOrEqual(2 * defaultPolicy.retryDelayMs);
    expect(retryDelay(defaultPolicy, 50, 'x')).toBeLessThanOrEqual(32 * 1.2 * defaultPolicy.retryDelayMs);
    expect(
      new Set(Array.from({ length: 20 }, (_, i) => retryDelay(defaultPolicy, 1, `d${i}`))).size,
    ).toBeGreaterThan(15);
  });
});

describe('an application that puts an update off', () => {
  const { installTimeoutMs, deferralMs } = defaultPolicy;
  const deferred = { until: null, reason: 'the servo moves' };
  const sent = step(target(), { type: 'dispatch' }, 0).target;
  const waiting = step(sent, progress('verifying', { deferred }), 100).target;

  test('is not silent until the deployment lets it wait no longer, however often it says so', () => {
    expect(waiting).toMatchObject({
      state: 'installing',
      deferred: { ...deferred, step: 'install' },
      deferralEndsAt: deferralMs,
      deadlineAt: deferralMs + installTimeoutMs,
    });
    const later = step(waiting, progress('verifying', { deferred }), deferralMs - 1).target;
    expect(later.deadlineAt).toBe(deferralMs + installTimeoutMs);
    const dead = step(later, { type: 'tick' }, deferralMs + installTimeoutMs).target;
    expect(dead).toMatchObject({ state: 'pending', error: { code: 'timed_out' }, deferred: null });
  });

  test('is as silent as any other once it lets the update go on', () => {
    const again = step(waiting, progress('installing'), 5_000_000).target;
    expect(again).toMatchObject({ deferred: null, deadlineAt: 5_000_000 + installTimeoutMs });
    const reboots = step(again, progress('installing', { deferred }), 6_000_000).target;
    expect(reboots).toMatchObject({
      deferred: { step: 'reboot' },
      deadlineAt: deferralMs + installTimeoutMs,
    });
    const goesOn = step(reboots, progress('installing', { deferred: null }), 7_000_000).target;
    expect(goesOn).toMatchObject({ deferred: null, deadlineAt: 7_000_000 + installTimeoutMs });
  });

  test('is not taken to go on because of a report that came late', () => {
    const late = step(waiting, progress('verifying'), 200).target;
    expect(late).toMatchObject({ deferred, deadlineAt: waiting.deadlineAt });
    const over = step(late, progress('verifying', { deferred: null }), 300).target;
    expect(over).toMatchObject({ deferred: null, deadlineAt: 300 + installTimeoutMs });
  });

  test('has its time over all attempts, and anew when an operator has it tried again', () => {
    const timedOut = { ...waiting, deadlineAt: 1_000 };
    const retried = step(timedOut, { type: 'tick' }, 1_000).target;
    const second = step(retried, { type: 'dispatch' }, retried.nextAttemptAt!).target;
    expect(second).toMatchObject({ attempt: 2, deferralEndsAt: deferralMs });
    const gaveUp = step(waiting, result('failed', other, 'deferred_too_long'), 5_000).target;
    expect(gaveUp).toMatchObject({ state: 'failed', error: { code: 'deferred_too_long' }, deferred: null });
    const anew = step(gaveUp, { type: 'retry' }, 6_000).target;
    expect(step(anew, { type: 'dispatch' }, 7_000).target.deferralEndsAt).toBe(7_000 + deferralMs);
  });

  test('waits no longer when it is cancelled, and means nothing while it downloads', () => {
    expect(step(waiting, { type: 'cancel' }, 200).target).toMatchObject({
      state: 'cancelling',
      deferred: null,
    });
    expect(step(sent, progress('downloading', { deferred }), 100).target.deferred).toBeNull();
  });

  test('of an attempt from before there was a deadline, has as long as it says so again', () => {
    const old = at('installing');
    const told = step(old, progress('verifying', { deferred }), 5_000).target;
    expect(told.deadlineAt).toBe(5_000 + installTimeoutMs);
    expect(step(told, progress('verifying', { deferred }), 9_000).target.deadlineAt).toBe(
      9_000 + installTimeoutMs,
    );
  });
});

const chunkOf = (rnd: () => number, ...choices: (() => TargetEvent)[]) =>
  choices[Math.floor(rnd() * choices.length)]!();

/**
 * One update over a network that loses, repeats, delays and reorders, with a device that says anything a device may say, and a
 * dispatcher that ticks. Returns what broke, or null.
 */
function play(seed: number): string | null {
  const rnd = randomOf(seed);
  let now = 0;
  let current = target({ policy: { ...defaultPolicy, deferralMs: 600_000 } });
  let attestedEver = false;
  let cancelCommitted = false;
  let ackedCancel = false;
  /** The device's own word that this attempt is over. */
  let endedAttempt = 0;
  const inFlight: { at: number; event: TargetEvent }[] = [];
  let said = 0;
  const send = (event: TargetEvent) => {
    said++;
    const copies = rnd() < 0.2 ? 0 : rnd() < 0.25 ? 2 : 1;
    for (let i = 0; i < copies; i++)
      inFlight.push({ at: now + rnd() * (rnd() < 0.1 ? 3_000_000 : 5_000), event });
  };
  const hears = (command: TargetCommand) => {
    const { attempt } = command;
    if (rnd() < 0.2) return;
    if (command.type === 'cancel') {
      const cancelled = rnd() < 0.6;
      const code = rnd() < 0.5 ? ('unknown_deployment' as const) : ('too_late' as const);
      send({ type: 'cancel_ack', attempt, cancelled, ...(!cancelled && { error: { code } }) });
      if (rnd() < 0.5) return;
    }
    const acted = Math.floor(rnd() * 5);
    for (let i = 0; i <= acted && said < 60; i++) {
      send(
        chunkOf(
          rnd,
          () => ({
            type: 'ack',
            attempt,
            accepted: rnd() < 0.8,
            ...(rnd() < 0.5 && { error: { code: 'busy' as const } }),
          }),
          () => ({
            type: 'progress',
            attempt,
            stage: (['downloading', 'verifying', 'installing'] as const)[Math.floor(rnd() * 3)]!,
            receivedBytes: Math.floor(rnd() * 200),
            urlExpired: rnd() < 0.3,
            ...(rnd() < 0.3 && { deferred: { until: null, reason: 'busy' } }),
          }),
          () => ({
            type: 'result',
            attempt,
            outcome: (['succeeded', 'failed', 'rolled_back'] as const)[Math.floor(rnd() * 3)]!,
            runningSha256: rnd() < 0.4 ? good : other,
            error: { code: rnd() < 0.5 ? ('download_failed' as const) : ('self_test_failed' as const) },
          }),
          () => ({ type: 'booted', runningSha256: rnd() < 0.3 ? good : other }),
        ),
      );
    }
  };
  const apply = (event: TargetEvent): string | null => {
    const before = current;
    const { target: after, commands }: Step = step(before, event, now);
    current = after;
    const digest = event.type === 'booted' || event.type === 'result' ? event.runningSha256 : null;
    const attests =
      digest === good &&
      (event.type === 'booted' || (event.type === 'result' && event.outcome === 'succeeded'));
    if (attests) attestedEver = true;
    if (event.type === 'cancel') cancelCommitted = true;
    if (event.type === 'cancel_ack' && event.attempt === before.attempt) ackedCancel = true;
    if (
      (event.type === 'result' || (event.type === 'ack' && !event.accepted)) &&
      event.attempt === before.attempt
    ) {
      endedAttempt = event.attempt;
    }
    if (after.state === 'succeeded' && before.state !== 'succeeded' && !attests)
      return 'succeeded without attestation';
    if (after.attempt > after.policy.maxAttempts) return 'too many attempts';
    if (after.attempt < before.attempt) return 'the attempt went back';
    if (cancelCommitted && commands.some((c) => c.type === 'request')) return 'requested after cancel';
    if (cancelCommitted && after.attempt !== before.attempt) return 'a new attempt after cancel';
    if (
      after.state === 'cancelled' &&
      before.state !== 'cancelled' &&
      after.attempt > 0 &&
      !ackedCancel &&
      endedAttempt !== after.attempt
    ) {
      return 'cancelled without the device';
    }
    if (!isOpen(before.state) && isOpen(after.state)) return `reopened: ${before.state} → ${after.state}`;
    if (isOpen(after.state) && after.state !== 'pending' && after.deadlineAt === null)
      return 'active without deadline';
    if (!isOpen(after.state) && after.deadlineAt !== null) return 'closed with a deadline';
    if (
      ['timed_out', 'failed'].includes(before.state) &&
      before.attempt > 0 &&
      attests &&
      after.state !== 'succeeded'
    ) {
      return 'a late attested success was not believed';
    }
    for (const command of commands) hears(command);
    return null;
  };
  const cancelAt = rnd() < 0.4 ? rnd() * 100_000 : Number.POSITIVE_INFINITY;
  // Past 60 messages the device is silent; ticks alone must then end it.
  for (let round = 0; round < 400; round++) {
    now += 1 + rnd() * 60_000;
    const due = inFlight.filter((m) => m.at <= now);
    for (const message of due) inFlight.splice(inFlight.indexOf(message), 1);
    const events = due.map((m) => m.event).sort(() => rnd() - 0.5);
    if (now >= cancelAt && !cancelCommitted) events.push({ type: 'cancel' });
    if (rnd() < 0.1 && round < 100) events.push({ type: 'subscribed' });
    if (!cancelCommitted) events.push({ type: 'dispatch' });
    events.push({ type: 'tick' });
    for (const event of events) {
      const broken = apply(event);
      if (broken) return `${broken} (on ${JSON.stringify(event)})`;
    }
    if (!isOpen(current.state) && inFlight.length === 0 && round > 100) break;
  }
  if (isOpen(current.state)) return `stuck in ${current.state}`;
  if (current.state === 'succeeded' && !attestedEver) return 'succeeded but nothing was ever attested';
  return null;
}

test('a device that repeats its progress without getting on times out all the same', () => {
  const { target } = step(
    at('downloading', { receivedBytes: 10, deadlineAt: 500 }),
    progress('downloading'),
    400,
  );
  expect(target.receivedBytes).toBeGreaterThan(10);
  expect(target.deadlineAt).toBeGreaterThan(500);
  const again = step(target, progress('downloading'), 600).target;
  expect(again.deadlineAt).toBe(target.deadlineAt);
});

test('reports of a download move its deadline in steps: never sooner than the policy says, nor much later', () => {
  const { downloadTimeoutMs } = at('downloading').policy;
  let target = at('accepted', { totalBytes: 1_000_000, receivedBytes: 0 });
  const deadlines = new Set<number>();
  for (let now = 0; now < downloadTimeoutMs; now += downloadTimeoutMs / 100) {
    target = step(target, progress('downloading', { receivedBytes: target.receivedBytes + 1 }), now).target;
    expect(target.deadlineAt).toBeGreaterThanOrEqual(now + downloadTimeoutMs);
    expect(target.deadlineAt).toBeLessThanOrEqual(now + downloadTimeoutMs * 1.125);
    deadlines.add(target.deadlineAt!);
  }
  expect(deadlines.size).toBeLessThan(12);
});

describe('over a network that loses, repeats, delays and reorders', () => {
  test('ten thousand updates end, and every promise holds', () => {
    const first = 1;
    for (let seed = first; seed < first + 10_000; seed++) {
      const broken = play(seed);
      if (broken) expect.fail(`seed ${seed}: ${broken}`);
    }
  });
});

describe('a device that waits for the URL of an update which is over', () => {
  const wish = (attempt: number) => progress('downloading', { attempt, urlExpired: true });
  const closed = targetStates.filter((state) => !isOpen(state));
  test.each(closed)('%s: is told to stop, or it would refuse every other update as busy', (state) => {
    for (const attempt of [1, 2]) {
      const before = at(state, { attempt: 2 });
      expect(step(before, wish(attempt), 500)).toEqual({
        target: before,
        commands: [{ type: 'cancel', attempt: 2 }],
      });
    }
  });

  test('is not stopped between two attempts: what it has staged serves the next', () => {
    const between = at('pending', { attempt: 1, error: { code: 'timed_out' } });
    expect(step(between, wish(1), 500).commands).toEqual([]);
  });

  test('nor while it goes on with the URL that it has', () => {
    expect(step(at('timed_out'), progress('downloading'), 500).commands).toEqual([]);
  });
});

test('what may pass is tried again and what would only repeat is not', () => {
  expect(['busy', 'download_failed', 'timed_out'].every(isTransient)).toBe(true);
  expect(
    ['signature_invalid', 'downgrade_refused', 'self_test_failed', 'attestation_mismatch'].some(isTransient),
  ).toBe(false);
});
