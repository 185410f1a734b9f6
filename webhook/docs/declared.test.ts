/** What every operation of the API says of itself; one that is added and does not say it is named here. Nothing is started. */
import { expect, test } from 'vitest';
import { scopeOf } from '../auth/scopes.ts';
import { readDocument } from './document.ts';
import { operationsOf } from './operations.ts';

interface Operation {
  'x-if-match'?: true;
  'x-access'?: string;
  parameters?: { name: string }[];
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}
interface Schema {
  type?: string;
  anyOf?: Schema[];
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
  'POST /api/uploads/{id}/parts': 'changes nothing',
  'POST /api/uploads/{id}/complete': 'an upload is of one file, announced by its digest',
  'DELETE /api/uploads/{id}': 'its own caller gives it up, whatever has come',
  'DELETE /api/dead_letters/{id}': 'a dead letter never changes',
  'POST /api/dead_letters/{id}/replay': 'a dead letter never changes',
  'DELETE /api/users/{id}/totp': 'it is gone, whatever it was',
  'POST /api/firmware/{id}/patches': 'has them made that are missing',
  'PUT /api/firmware/{id}/patches/manifest': 'a patch has one manifest that fits it, and the same again',
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

/** Lists without pages, and why: they are as many as people make by hand, or are cut off. */
const whole: Record<string, string> = {
  'GET /api/users': 'people',
  'GET /api/tokens': 'made by hand',
  'GET /api/me/tokens': 'made by hand, at most fifty at a time',
  'GET /api/hardware': 'kinds of boards',
  'GET /api/regions': 'as first published; made by hand',
  'GET /api/divisions': 'as first published; made by hand',
  'GET /api/groups': 'made by hand',
  'GET /api/policies': 'made by hand',
  'GET /api/claims': 'what fleet files have made',
  'GET /api/freezes': 'at most a hundred lie ahead',
  'GET /api/approval_rules': 'at most a hundred, replaced as a whole',
  'GET /api/approvals': 'at most a thousand wait',
  'GET /api/bans': 'as first published; the exception in a fleet',
  'GET /api/notifications/channels': 'made by hand',
  'GET /api/notifications/rules': 'made by hand',
  'GET /api/crashes/trend': 'days of a month',
  'GET /api/deployments/{id}/health': 'at most a thousand windows',
  'GET /api/deployments/{id}/moments': 'thinned out',
  'GET /api/deployments/{id}/targets/{device}/events': 'at most a thousand',
  'GET /api/firmware/{id}/vulnerabilities': 'of one firmware',
};

test('every list takes a cursor, but for those whose reason is told', () => {
  const gets = operations.filter(({ method }) => method === 'get');
  const isList = ({ operation }: (typeof gets)[number]) => {
    const schema = operation.responses['200']?.content?.['application/json']?.schema;
    return [schema, ...(schema?.anyOf ?? [])].some((one) => one?.type === 'array');
  };
  const takes = ({ operation }: (typeof gets)[number], parameter: string) =>
    operation.parameters?.some(({ name }) => name === parameter) ?? false;
  const without = gets.filter((one) => isList(one) && !takes(one, 'cursor')).map(({ name }) => name);
  expect(without.sort()).toEqual(Object.keys(whole).sort());
  const byOffset = gets.filter((one) => takes(one, 'offset') && !takes(one, 'cursor'));
  expect(byOffset.map(({ name }) => name)).toEqual([]);
});
