import { expect, it } from 'vitest';
import { mutants } from './mutants.ts';
import { countPlaces } from './planting.ts';

it.each(mutants)('there is one place to plant that $name', (mutant) => {
  expect(countPlaces(mutant)).toBe(1);
});
