import { it } from 'vitest';
import { attackCa, attackNpmStart } from './listeners.ts';

it.concurrent(
  'nothing that npm start listens with falls to hostile bytes, half-open connections or resets',
  () => attackNpmStart(false),
  300_000,
);

it.concurrent('nor does the CA, nor its metrics', () => attackCa(false), 300_000);
