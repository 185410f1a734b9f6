import { it } from 'vitest';
import { attackCa, attackNpmStart } from './listeners.ts';

it.concurrent(
  'nothing that npm start listens with falls to any of the hostile bytes, sent in each way',
  () => attackNpmStart(true),
  900_000,
);

it.concurrent('nor does the CA, nor its metrics', () => attackCa(true), 900_000);
