import { it } from 'vitest';
import { attackNpmStart } from './listeners.ts';

it(
  'nothing that npm start listens with falls to hostile bytes, half-open connections or resets',
  () => attackNpmStart(false),
  300_000,
);
