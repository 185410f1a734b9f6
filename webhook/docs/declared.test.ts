/** What every operation of the API says of itself; one that is added and does not say it is named here. Nothing is started. */
import { expect, test } from 'vitest';
import { scopeOf } from '../auth/scopes.ts';
import { readDocument } from './document.ts';
import { operationsOf } from './operations.ts';

interface Operation {
  'x-if-match'?: true;
  'x-access'?: string;
}
const operations = operationsOf<Operation>(await readDocument()).map((one) => ({
  ...one,
  name: `${one.method.toUpperCase()} ${one.path}`,
}));

/** Changes that take no If-Match, and why. */
const unconditional: Record<string, string> = {
  'PUT /api/claims': 'is its owner’s word, and the same again; another’s is refused (claimed)',
  'DELETE /api/claims/{id}': 'a claim says nothing that could have changed',
  'POST /api/devices/{id}/commands': 'adds a command',
  'DELETE /api/dead_letters/{id}': 'a dead letter never changes',
  'POST /api/dead_letters/{id}/replay': 'a dead letter never changes',
  'POST /api/firmware/{id}/elf/presigned_upload': 'changes nothing',
  'POST /api/firmware/{id}/vex': 'adds to what was said before',
  'POST /api/vulnerabilities/{id}/statements': 'adds to what was said before',
  'POST /api/vulnerabilities/{id}/evidence': 'changes nothing',
  'POST /api/jobs/{id}/cancel': 'ends it, whatever it has come to',
  'POST /api/certificates/{serial}/revoke': 'a certificate never changes, but for this',
  'DELETE /api/bans/{device}': 'a ban never changes',
  'POST /api/notifications/channels/{id}/test': 'changes nothing',
  'POST /api/notifications/deliveries/{id}/replay': 'sends again what was sent',
};

test('every route that takes a login has a scope: its path begins with a word that `auth/scopes.ts` knows', () => {
  const closed = operations.filter(({ operation }) => operation['x-access'] !== 'anyone');
  const silent = closed.filter(({ method, path }) => scopeOf(method, path) === undefined);
  expect(silent.map(({ name }) => name)).toEqual([]);
});

test('every route that changes a thing takes If-Match, but for those whose reason is told', () => {
  const changing = operations.filter(
    ({ method, path, operation }) =>
      operation['x-access'] !== 'anyone' &&
      (['put', 'patch', 'delete'].includes(method) || (method === 'post' && path.includes('{'))),
  );
  const without = changing.filter(({ operation }) => !operation['x-if-match']).map(({ name }) => name);
  expect(without.sort()).toEqual(Object.keys(unconditional).sort());
});
