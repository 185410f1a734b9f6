import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { defaultGate, defaultRollout } from './policy.ts';
import {
  createRollout,
  nothing,
  type Rollout,
  type RolloutEvent,
  type RolloutState,
  rolloutStates,
  stepRollout,
  type Tally,
} from './rollout.ts';
import { drawRollouts, type RolloutCause, rolloutTransitions } from './rollout-transitions.ts';

const now = 1_000;
const gate = defaultGate(1);
const found: Partial<Record<RolloutState, RolloutCause>> = {
  running: 'start',
  halted: 'halt',
  completed: 'complete',
};
const events: RolloutEvent[] = (
  ['tick', 'approve', 'refuse', 'pause', 'resume', 'cancel', 'retry_failed'] as const
).map((type) => ({ type }));
const tallies: Tally[][] = [
  {},
  { pending: 2 },
  { failed: 2 },
  { pending: 1, failed: 1 },
  { succeeded: 2 },
].map((some) => [{ ...nothing, ...some }]);

/** Before its start a deployment has no gates, afterwards it has. */
function* rollouts(): Generator<Rollout> {
  for (const state of rolloutStates)
    for (const startAt of [null, now, now + 1])
      for (const gates of [null, [gate]]) {
        const isBefore = state === 'waiting_for_approval' || state === 'scheduled';
        if (gates === null ? !isBefore && state !== 'paused' : isBefore) continue;
        yield { ...createRollout(defaultRollout, startAt), state, gates };
      }
}

test('the machine makes every transition of the table, and no other', () => {
  const seen = new Set<string>();
  for (const rollout of rollouts())
    for (const some of rollout.gates ? tallies : [[]])
      for (const event of events) {
        const { state } = stepRollout(rollout, some, event, now).rollout;
        const cause = event.type === 'tick' ? found[state] : event.type;
        if (state !== rollout.state) seen.add(`${cause}: ${rollout.state} → ${state}`);
      }
  const told = rolloutTransitions.flatMap(({ on, from, to }) =>
    from.flatMap((a) => to.map((b) => `${on}: ${a} → ${b}`)),
  );
  expect([...seen].sort()).toEqual([...told].sort());
});

test('the diagram in README.md is drawn from the table', () => {
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  expect([...readme.matchAll(/```mermaid\n([\s\S]*?)```/g)].at(-1)?.[1]).toBe(drawRollouts());
});

test('what waits for a second person does nothing by itself, whatever time it is', () => {
  const waiting = createRollout(defaultRollout, now, true);
  const later = stepRollout(waiting, [], { type: 'tick' }, now + 86_400_000);
  expect(later).toEqual({ rollout: waiting, actions: [] });
});

test('one that is approved late starts at once, one that is approved early at its time', () => {
  const approve = (startAt: number) => {
    const { rollout } = stepRollout(
      createRollout(defaultRollout, startAt, true),
      [],
      { type: 'approve' },
      now,
    );
    return stepRollout(rollout, [], { type: 'tick' }, now);
  };
  expect(approve(now - 1).actions).toEqual([{ type: 'resolve' }]);
  expect(approve(now + 1)).toMatchObject({ rollout: { state: 'scheduled', startAt: now + 1 }, actions: [] });
});
