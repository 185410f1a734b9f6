import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { byAttention, targetStates } from './states.ts';

test('every state has its place in the order of attention', () => {
  expect([...byAttention].sort()).toEqual([...targetStates].sort());
});

/** `state in ('sent', …)` in SQL: a state that is added would be missing there. */
test('no SQL lists states but by sqlList', () => {
  const list = new RegExp(`\\(\\s*'(${targetStates.join('|')})'\\s*,\\s*'(${targetStates.join('|')})'`);
  const sources = readdirSync('webhook', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/\.test\.ts$|states\.ts$|simulation/.test(file))
    .map((file) => `webhook/${file}`);
  expect(sources.length).toBeGreaterThan(100);
  expect(sources.filter((file) => list.test(readFileSync(file, 'utf8')))).toEqual([]);
});
