import { expect, test } from 'vitest';
import { recoveryRate, successRate } from './rates.ts';

const none = {
  ended: 0,
  succeeded: 0,
  meanDownloadMs: null,
  interrupted: 0,
  resumed: 0,
  rolledBack: 0,
  lost: 0,
};

test('there is no rate before there is anything to measure', () => {
  expect(successRate(none)).toBeNull();
  expect(recoveryRate({ ...none, ended: 9, succeeded: 9 })).toBeNull();
});

test('recovered is what went on and what rolled back, of all that broke off, rolled back or was lost', () => {
  expect(successRate({ ...none, ended: 4, succeeded: 3 })).toBe(0.75);
  expect(recoveryRate({ ...none, interrupted: 7, resumed: 6, rolledBack: 2, lost: 1 })).toBe(0.8);
  expect(recoveryRate({ ...none, rolledBack: 3 })).toBe(1);
});
