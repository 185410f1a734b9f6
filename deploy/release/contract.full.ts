/** Clients of every release go on working: its OpenAPI document against today's, by oasdiff. */
import { expect, test } from 'vitest';
import { deprecated } from '#webhook/deprecation.ts';
import { readDocument } from '#webhook/docs/document.ts';
import { findBreaks, readContracts } from './contract.ts';

const contracts = await readContracts();

test.each(contracts)(
  'nothing that $version promised is gone',
  async ({ document }) => {
    expect(await findBreaks(document, await readDocument())).toEqual([]);
  },
  600_000,
);

test('what is taken away is found', async () => {
  const { document } = contracts.at(-1)!;
  const less = structuredClone(document);
  delete less.paths['/api/devices/{id}'];
  const body = (less.paths['/api/regions'] as { post: { requestBody: { content: object } } }).post
    .requestBody;
  body.content = {
    'application/json': {
      schema: { type: 'object', properties: { colour: { type: 'string' } }, required: ['colour'] },
    },
  };
  const breaks = (await findBreaks(document, less)).join('\n');
  expect(breaks).toMatch(/GET \/api\/devices\/\{id\}: .*removed/);
  expect(breaks).toMatch(/POST \/api\/regions: .*colour/);
}, 600_000);

test('what was deprecated may go once its sunset is over, and not before', async () => {
  const { document } = contracts.at(-1)!;
  const without = structuredClone(document);
  delete without.paths['/api/devices/{id}'];
  const breaksAfter = async (days: number) => {
    const before = structuredClone(document);
    const at = Date.now() + days * 86_400_000;
    for (const operation of Object.values(before.paths['/api/devices/{id}']!))
      Object.assign(
        operation,
        deprecated({ since: '2026-01-01', sunset: new Date(at).toISOString().slice(0, 10) }),
      );
    return findBreaks(before, without);
  };
  expect(await breaksAfter(-2)).toEqual([]);
  expect((await breaksAfter(2)).join('\n')).toMatch(/GET \/api\/devices\/\{id\}: .*sunset/);
}, 600_000);
