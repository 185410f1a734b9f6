import { createRoot, createSignal } from 'solid-js';
import { expect, it } from 'vitest';
import { createLoad } from './load.ts';

const tick = () => new Promise((resolve) => setTimeout(resolve));

it('does not drop what it asks for when its source is told anew and says the same', async () => {
  const [count, setCount] = createSignal(3);
  const asked: { id: string; signal: AbortSignal }[] = [];
  const answers: (() => void)[] = [];
  const dispose = createRoot((end) => {
    createLoad(
      () => (count() > 0 ? { id: count() < 100 ? 'few' : 'many' } : null),
      ({ id }, signal) => {
        asked.push({ id, signal });
        return new Promise<object>((resolve) => answers.push(() => resolve({})));
      },
    );
    return end;
  });
  await tick();
  for (const n of [2, 1, 7]) setCount(n);
  await tick();
  expect(asked.map(({ id, signal }) => [id, signal.aborted])).toEqual([['few', false]]);
  setCount(100);
  await tick();
  expect(asked.map(({ id, signal }) => [id, signal.aborted])).toEqual([
    ['few', true],
    ['many', false],
  ]);
  answers[1]!();
  await tick();
  setCount(0);
  setCount(100);
  await tick();
  expect(asked).toHaveLength(3);
  dispose();
});
