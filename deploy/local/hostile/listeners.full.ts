import { it } from 'vitest';
import { attackNpmStart } from './listeners.ts';

it(
  'nothing that npm start listens with falls to any of the hostile bytes, sent in each way',
  () => attackNpmStart(true),
  900_000,
);
