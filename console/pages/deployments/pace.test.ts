import { expect, it } from 'vitest';
import type { Deployment } from '../../api.ts';
import { addSample, paceOf, type Sample } from './pace.ts';

const counts = (succeeded: number): Deployment['counts'] => ({
  pending: 100 - succeeded,
  sent: 0,
  accepted: 0,
  downloading: 0,
  installing: 0,
  succeeded,
  failed: 0,
  rolled_back: 0,
  cancelling: 0,
  cancelled: 0,
  timed_out: 0,
  skipped: 0,
});
const wave = (state: 'waiting' | 'soaking' | 'passed', soakMs: number, soakUntil: string | null = null) => ({
  ...({} as Deployment['waves'][number]),
  state,
  soakMs,
  soakUntil,
});
const running = (succeeded: number, waves: Deployment['waves'] = []) => ({
  state: 'running' as const,
  total: 100,
  counts: counts(succeeded),
  waves,
});

it('goes by what has ended lately, and says nothing before there is something to go by', () => {
  expect(paceOf(running(0), [{ atMs: 0, ended: 0 }])).toEqual({ perMinute: null, leftMs: null });
  const samples = [
    { atMs: 0, ended: 0 },
    { atMs: 30_000, ended: 20 },
  ];
  expect(paceOf(running(20), samples)).toEqual({ perMinute: 40, leftMs: 120_000 });
  expect(paceOf({ ...running(20), state: 'paused' }, samples).leftMs).toBeNull();
  expect(
    paceOf(running(0), [
      { atMs: 0, ended: 0 },
      { atMs: 9_000, ended: 0 },
    ]),
  ).toEqual({ perMinute: 0, leftMs: null });
});

it('tells no time left when all have ended', () => {
  const samples = [
    { atMs: 0, ended: 0 },
    { atMs: 60_000, ended: 100 },
  ];
  expect(paceOf(running(100), samples)).toEqual({ perMinute: 100, leftMs: null });
});

it('adds the soaks that are still to come, and the rest of the one under way', () => {
  const samples = [
    { atMs: 0, ended: 0 },
    { atMs: 60_000, ended: 50 },
  ];
  const waves = [
    wave('passed', 1_000),
    wave('soaking', 60_000, new Date(70_000).toISOString()),
    wave('waiting', 5_000),
    wave('waiting', 9_000),
  ];
  expect(paceOf(running(50, waves), samples).leftMs).toBe(60_000 + 10_000 + 5_000);
});

it('forgets what is older than its window', () => {
  let samples: Sample[] = [];
  for (let i = 0; i <= 40; i++) samples = addSample(samples, { atMs: i * 10_000, ended: i });
  expect(samples.length).toBeLessThan(16);
  expect(samples.at(-1)!.atMs - samples[0]!.atMs).toBeGreaterThanOrEqual(120_000);
});
