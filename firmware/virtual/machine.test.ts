import { describe, expect, test } from 'vitest';
import { type AgentEvent, type AgentState, afterBoot, emptyState, type Stage, step } from './machine.ts';

const running = { component: 'main', version: '0', securityVersion: 0, sha256: 'a'.repeat(64) };
const manifest = {
  component: 'main',
  hardware: 'x',
  version: '1',
  securityVersion: 0,
  fileName: 'f',
  size: 10,
  sha256: 'b'.repeat(64),
};
const one = { deployment: 'one', attempt: 2 };
const request = (more: object = {}): AgentEvent => ({
  type: 'request',
  ...one,
  url: 'https://x',
  verdict: { manifest },
  ...more,
});

/** Runs events from the empty state; returns the last step. */
function play(...events: AgentEvent[]) {
  let last = { state: emptyState as AgentState, effects: [] as ReturnType<typeof step>['effects'] };
  for (const event of events) last = step(last.state, event, running);
  return last;
}

const paths: Record<Stage, AgentEvent[]> = {
  accepted: [request()],
  downloading: [request(), { type: 'receiving' }],
  verifying: [request(), { type: 'receiving' }, { type: 'downloaded' }],
  installing: [request(), { type: 'downloaded' }, { type: 'verified' }],
  rebooting: [request(), { type: 'downloaded' }, { type: 'verified' }, { type: 'committed' }],
};
const stages = Object.keys(paths) as Stage[];
const stoppable = stages.filter((stage) => stage !== 'rebooting');

const sent = (effects: ReturnType<typeof step>['effects']) =>
  effects.flatMap((it) => (it.do === 'send' ? [[it.topic, it.body]] : []));

describe('cancel', () => {
  test.each(stoppable)('stops an update that is %s', (stage) => {
    const { state, effects } = play(...paths[stage], { type: 'cancel', ...one });
    expect(state).toMatchObject({ job: null, staged: null });
    expect(effects).toContainEqual({ do: 'stop' });
    expect(sent(effects)).toEqual([['firmware/download/cancel/ack', { ...one, cancelled: true }]]);
  });

  test('comes too late once the new image is in place', () => {
    const { state, effects } = play(...paths.rebooting, { type: 'cancel', ...one });
    expect(state.job?.stage).toBe('rebooting');
    expect(sent(effects)).toMatchObject([
      ['firmware/download/cancel/ack', { cancelled: false, error: { code: 'too_late' } }],
    ]);
  });

  test('comes too late after a result', () => {
    const { effects } = play(
      ...paths.rebooting,
      { type: 'booted', confirmed: true },
      { type: 'cancel', ...one },
    );
    expect(sent(effects)).toMatchObject([
      [expect.any(String), { cancelled: false, error: { code: 'too_late' } }],
    ]);
  });

  test('that overtakes its request keeps it from ever starting', () => {
    const { state, effects } = play({ type: 'cancel', ...one });
    expect(sent(effects)).toMatchObject([[expect.any(String), { cancelled: true }]]);
    expect(step(state, request(), running)).toEqual({ state, effects: [] });
    expect(step(state, request({ attempt: 3 }), running).state.job).toMatchObject({ attempt: 3 });
  });

  test('of an attempt that was replaced leaves the newer one alone', () => {
    const { state, effects } = play(...paths.downloading, { type: 'cancel', deployment: 'one', attempt: 1 });
    expect(state.job?.attempt).toBe(2);
    expect(sent(effects)).toMatchObject([[expect.any(String), { attempt: 1, cancelled: true }]]);
  });
});

describe('a request while busy', () => {
  test.each(stages)('changes nothing in %s when it is older', (stage) => {
    const { state } = play(...paths[stage]);
    expect(step(state, request({ attempt: 1 }), running)).toEqual({ state, effects: [] });
  });

  test.each(stoppable)('brings a fresh URL in %s when it is the same', (stage) => {
    const { state, effects } = play(...paths[stage], request({ url: 'https://fresh' }));
    expect(state.job).toMatchObject({ url: 'https://fresh', stage });
    expect(sent(effects)).toEqual([]);
  });

  test.each(stages)('of another deployment is refused in %s', (stage) => {
    const { state, effects } = play(...paths[stage], request({ deployment: 'two', attempt: 9 }));
    expect(state.job?.deployment).toBe('one');
    expect(sent(effects)).toMatchObject([[expect.any(String), { accepted: false, error: { code: 'busy' } }]]);
  });

  test.each(stoppable)('replaces %s when it is a higher attempt, and keeps the bytes', (stage) => {
    const { state: before } = play(...paths[stage]);
    const withBytes = { ...before, staged: { sha256: manifest.sha256, size: 10, receivedBytes: 4 } };
    const { state, effects } = step(withBytes, request({ attempt: 3 }), running);
    expect(state).toMatchObject({ job: { attempt: 3, stage: 'accepted' }, staged: { receivedBytes: 4 } });
    expect(effects.map((it) => it.do)).toEqual(['stop', 'send', 'download']);
  });

  test('that proves nothing does not stop what runs', () => {
    const forged = request({ attempt: 3, verdict: { error: { code: 'signature_invalid' } } });
    const { state, effects } = play(...paths.downloading, forged);
    expect(state.job?.attempt).toBe(2);
    expect(sent(effects)).toMatchObject([[expect.any(String), { attempt: 3, accepted: false }]]);
  });
});

describe('after a restart', () => {
  test.each([
    ['accepted', false, 'accepted'],
    ['downloading', false, 'downloading'],
    ['verifying', false, 'verifying'],
    ['installing', false, 'verifying'],
    ['installing', true, 'rebooting'],
    ['rebooting', true, 'rebooting'],
  ] as const)('%s (slot switched: %s) goes on as %s', (stage, committed, expected) => {
    expect(afterBoot(play(...paths[stage]).state, () => committed).job?.stage).toBe(expected);
  });
});

test('what is remembered of finished deployments is bounded', () => {
  const events = Array.from(
    { length: 100 },
    (_, n): AgentEvent => ({ type: 'cancel', deployment: `d${n}`, attempt: 1 }),
  );
  expect(play(...events).state.finished).toHaveLength(16);
});
