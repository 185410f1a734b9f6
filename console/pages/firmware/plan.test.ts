import { expect, it } from 'vitest';
import { checkPlan, defaultPlan, presetOf, toPolicy, wavesOf } from './plan.ts';

const now = Date.parse('2026-01-01T00:00:00Z');

it('starts careful, with nothing to mend', () => {
  const plan = defaultPlan();
  expect(presetOf(plan.waves)).toBe('careful');
  expect(checkPlan(plan, now)).toEqual({});
  expect(toPolicy(plan).policy).toMatchObject({
    waves: [
      { count: 1, soakMs: 600_000 },
      { percent: 5, soakMs: 1_800_000 },
      { percent: 25, soakMs: 1_800_000 },
      { percent: 100, soakMs: 0 },
    ],
    maxAttempts: 3,
    ratePerMinute: null,
    window: null,
    lateJoinersMs: null,
    gateTimeoutMs: 24 * 3_600_000,
    deferralMs: 24 * 3_600_000,
    atDeadline: 'give_up',
  });
  expect(toPolicy(plan)).not.toHaveProperty('startAt');
});

it('names each field that the server would refuse', () => {
  const plan = {
    ...defaultPlan(),
    waves: [
      { size: '1.5', unit: 'count' as const, soakMinutes: '-1' },
      { size: '30', unit: 'percent' as const, soakMinutes: '0' },
      { size: '20', unit: 'percent' as const, soakMinutes: '' },
      { size: '100', unit: 'percent' as const, soakMinutes: '0' },
    ],
    failurePercent: '101',
    maxAttempts: '0',
    ratePerMinute: '1.5',
    startAt: '2025-12-31T00:00',
    windowFrom: '22:00',
    lateJoinersDays: '366',
    gateTimeoutHours: '0',
    deferralHours: '721',
  };
  expect(checkPlan(plan, now)).toEqual({
    wave0: 'whole',
    soak0: 'minutes',
    wave2: 'grows',
    soak2: 'minutes',
    failurePercent: 'percent',
    maxAttempts: 'number',
    ratePerMinute: 'whole',
    startAt: 'past',
    window: 'both',
    lateJoinersDays: 'number',
    gateTimeoutHours: 'number',
    deferralHours: 'number',
  });
});

it('does not say that a wave may be of 0 %', () => {
  const none = { size: '0', unit: 'percent' as const, soakMinutes: '0' };
  expect(checkPlan({ ...defaultPlan(), waves: [none, ...wavesOf('all')] }, now)).toEqual({ wave0: 'share' });
  expect(checkPlan({ ...defaultPlan(), failurePercent: '0' }, now)).toEqual({});
});

it('knows a preset from waves of somebody’s own', () => {
  expect(presetOf(wavesOf('all'))).toBe('all');
  expect(presetOf([{ size: '2', unit: 'count', soakMinutes: '0' }, ...wavesOf('all')])).toBeNull();
});

it('sends a local start time as a moment', () => {
  const startAt = toPolicy({ ...defaultPlan(), startAt: '2026-05-01T09:30' }).startAt;
  expect(startAt).toBe(new Date('2026-05-01T09:30').toISOString());
});

it('takes a window as soon as it has both times, on at least one day, and what joins late', () => {
  const plan = { ...defaultPlan(), windowFrom: '22:00', windowTo: '05:00', lateJoinersDays: '7' };
  expect(checkPlan({ ...plan, windowDays: [] }, now)).toEqual({ windowDays: 'days' });
  const asked = { ...plan, windowDays: ['sat' as const, 'sun' as const], gateTimeoutHours: '' };
  expect(checkPlan(asked, now)).toEqual({});
  expect(toPolicy(asked).policy).toMatchObject({
    window: { from: '22:00', to: '05:00', days: ['sat', 'sun'] },
    lateJoinersMs: 7 * 86_400_000,
    gateTimeoutMs: null,
  });
});

it('is as a named policy says, whatever else is typed, but for channels, start and freezes', () => {
  const policy = { waves: [{ percent: 100 }], ratePerMinute: 7, ackTimeoutMs: 60_000 };
  const plan = { ...defaultPlan(), named: { name: 'slow', policy }, maxAttempts: 'x', channels: 'beta' };
  expect(checkPlan(plan, now)).toEqual({});
  expect(toPolicy(plan)).toEqual({ policy, channels: ['beta'] });
  expect(checkPlan({ ...plan, channels: '' }, now)).toEqual({ channels: 'channels' });
});

it('gives the control group of a named policy one seed for the forecast and what follows', () => {
  const signals = [{ kind: 'restarts' as const, marginPercent: 10 }];
  const health = { control: { percent: 5 }, signals };
  const plan = { ...defaultPlan(), named: { name: 'judged', policy: { health } } };
  expect(toPolicy(plan).policy).toEqual({ health: { ...health, seed: plan.health.seed } });
  const seeded = { ...plan, named: { name: 'judged', policy: { health: { ...health, seed: 'mine' } } } };
  expect(toPolicy(seeded).policy.health?.seed).toBe('mine');
});
