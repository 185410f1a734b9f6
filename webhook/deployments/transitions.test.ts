import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { step, type Target, type TargetEvent } from './machine.ts';
import { defaultPolicy } from './policy.ts';
import { isActive, isOpen, type TargetState, targetStates } from './states.ts';
import { newTarget } from './testing-target.ts';
import { type Cause, drawDiagram, transitions } from './transitions.ts';

const [image, other] = ['a'.repeat(64), 'b'.repeat(64)];
const now = 1_000;

/** Each kind of event, of this attempt and of another, with what else it may say. */
function* events(): Generator<[Cause | null, TargetEvent]> {
  for (const type of ['dispatch', 'cancel', 'supersede', 'hold_back', 'retry'] as const)
    yield [type, { type }];
  yield ['silence', { type: 'tick' }];
  yield [null, { type: 'subscribed' }];
  for (const runningSha256 of [image, other]) yield ['attested', { type: 'booted', runningSha256 }];
  for (const attempt of [0, 1, 2]) {
    yield ['unsendable', { type: 'unsendable', attempt, code: 'url_too_long' }];
    yield ['accepted', { type: 'ack', attempt, accepted: true }];
    for (const stage of ['downloading', 'verifying', 'installing'] as const)
      yield [
        stage === 'downloading' ? 'progress' : 'installing',
        { type: 'progress', attempt, stage, receivedBytes: 5 },
      ];
    for (const code of ['busy', 'bad_request', 'unknown_deployment'] as const) {
      yield ['refused', { type: 'ack', attempt, accepted: false, error: { code } }];
      yield [
        code === 'unknown_deployment' ? 'stopped' : 'too late',
        { type: 'cancel_ack', attempt, cancelled: false, error: { code } },
      ];
      for (const runningSha256 of [image, other]) {
        yield ['failure', { type: 'result', attempt, outcome: 'failed', runningSha256, error: { code } }];
        yield [
          'rollback',
          { type: 'result', attempt, outcome: 'rolled_back', runningSha256, error: { code } },
        ];
      }
    }
    yield ['stopped', { type: 'cancel_ack', attempt, cancelled: true }];
    for (const runningSha256 of [image, other])
      yield [
        runningSha256 === image ? 'attested' : 'not attested',
        { type: 'result', attempt, outcome: 'succeeded', runningSha256 },
      ];
  }
}

/** All that a step may depend on, in every combination, but for those that no step leads to. */
function* targets(): Generator<Target> {
  const figures = { downloadMs: 5, resumes: 0, receivedBytes: 9, redownloadedBytes: 0 };
  for (const state of targetStates)
    for (const attempt of [0, 1, defaultPolicy.maxAttempts])
      for (const cancelRequested of [false, true])
        for (const error of [null, { code: 'timed_out' }, { code: 'download_failed' }] as const)
          for (const stats of [null, figures])
            for (const deadlineAt of [null, now])
              for (const nextAttemptAt of [null, now + 1]) {
                if (state === 'cancelling' && !cancelRequested) continue;
                if (isActive(state) && attempt === 0) continue;
                if (deadlineAt !== null && (!isOpen(state) || state === 'pending')) continue;
                yield newTarget({
                  ...{ deviceId: 'e', sha256: image, totalBytes: 9 },
                  ...{ state, attempt, cancelRequested, error, stats, deadlineAt, nextAttemptAt },
                });
              }
}

const key = (on: string, from: TargetState, to: TargetState) => `${on}: ${from} → ${to}`;
const told = transitions.flatMap(({ on, from, to }) => from.flatMap((a) => to.map((b) => key(on, a, b))));

test('the machine makes every transition of the table, and no other', () => {
  const seen = new Set<string>();
  const all = [...events()];
  for (const target of targets()) {
    for (const [cause, event] of all) {
      const { state } = step(target, event, now).target;
      if (state !== target.state) seen.add(key(cause ?? event.type, target.state, state));
    }
  }
  expect([...seen].sort()).toEqual([...told].sort());
  expect(new Set(told).size).toBe(told.length);
});

test('the diagram in README.md is drawn from the table', () => {
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  expect(/```mermaid\n([\s\S]*?)```/.exec(readme)?.[1]).toBe(drawDiagram());
});
