import { expect, test } from 'vitest';
import { Rest } from './rest.ts';

/** Asks every 100 ms for a minute. */
function play(perSecond: { statements: number; timers: number }): void {
  const rest = new Rest();
  for (let ms = 0; ms <= 60_000; ms += 100) {
    const done = (n: number) => (n * ms) / 1000;
    rest.look(ms, { statements: done(perSecond.statements), timers: done(perSecond.timers) });
  }
}

test('a fleet at work may do much for long', () => {
  expect(() => play({ statements: 300, timers: 1_000 })).not.toThrow();
});

test.each([
  ['asks the database again and again', { statements: 2_000, timers: 1_000 }, /statements within 10 s/],
  ['is woken again and again', { statements: 0, timers: 10_000 }, /timers within 10 s/],
])('a system that %s does not rest', (_, perSecond, says) => {
  expect(() => play(perSecond)).toThrow(says);
});

test('nor does one for which no time passes', () => {
  const rest = new Rest();
  expect(() => {
    for (let timers = 0; ; timers++) rest.look(0, { statements: 0, timers });
  }).toThrow(/timers within 10 s/);
});
