/** Which versions an advisory is about, and what VEX documents say. No server. */
import { expect, test } from 'vitest';
import { fixedIn, isAffected, type Osv, osvSchema, toRanges, vulnerabilityOf } from './osv.ts';
import { readVex } from './vex.ts';

const affected = (events: Osv['affected'][number]['ranges'][number]['events'], versions: string[] = []) => ({
  versions,
  ranges: toRanges([{ type: 'SEMVER', events }]),
});

test.each<[string, boolean, Record<string, string>[]]>([
  ['1.4.9', true, [{ introduced: '0' }, { fixed: '1.5.0' }]],
  ['1.5.0', false, [{ introduced: '0' }, { fixed: '1.5.0' }]],
  ['1.5.0-rc.1', true, [{ introduced: '0' }, { fixed: '1.5.0' }]],
  ['1.5.0', true, [{ introduced: '1.0.0' }, { last_affected: '1.5.0' }]],
  ['1.5.1', false, [{ introduced: '1.0.0' }, { last_affected: '1.5.0' }]],
  ['0.9.0', false, [{ introduced: '1.0.0' }, { fixed: '1.5.0' }]],
  ['2.1.0', true, [{ fixed: '2.2.0' }, { introduced: '2.0.0' }, { fixed: '1.5.0' }, { introduced: '0' }]],
  ['1.7.0', false, [{ fixed: '2.2.0' }, { introduced: '2.0.0' }, { fixed: '1.5.0' }, { introduced: '0' }]],
  ['3.0.0', true, [{ introduced: '0' }]],
  ['3.0.0', false, [{ introduced: '0' }, { limit: '3.0.0' }]],
  ['2.9.9', true, [{ introduced: '0' }, { limit: '3.0.0' }]],
])('%s is affected: %s, by %j', (version, expected, events) => {
  expect(isAffected(version, affected(events))).toBe(expected);
});

test('a list of versions counts beside the ranges, with or without the prefix of a tag; commits count for nothing', () => {
  expect(isAffected('3.4.0', affected([{ introduced: '9.0.0' }], ['v3.4.0']))).toBe(true);
  expect(isAffected('3.4.1', affected([{ introduced: '9.0.0' }], ['v3.4.0']))).toBe(false);
  expect(toRanges([{ type: 'GIT', repo: 'https://github.com/a/b', events: [{ introduced: '0' }] }])).toEqual(
    [],
  );
});

test('what mends it is the first fix after the version', () => {
  const both = affected([
    { introduced: '0' },
    { fixed: '1.5.0' },
    { introduced: '2.0.0' },
    { fixed: '2.2.0' },
  ]);
  expect([fixedIn('1.0.0', both), fixedIn('2.1.0', both), fixedIn('2.3.0', both)]).toEqual([
    '1.5.0',
    '2.2.0',
    null,
  ]);
});

test('an advisory is found under its CVE, or under its own id', () => {
  expect(vulnerabilityOf({ id: 'GHSA-x', aliases: ['SNYK-1', 'CVE-2024-45157'] })).toBe('CVE-2024-45157');
  expect(vulnerabilityOf({ id: 'GHSA-x', aliases: [] })).toBe('GHSA-x');
});

test('of an advisory more may be said than is known here', () => {
  const modified = '2024-01-01T00:00:00Z';
  expect(
    osvSchema.parse({ id: 'X-1', modified, schema_version: '1.6.0', credits: [{ name: 'A' }] }),
  ).toMatchObject({ id: 'X-1' });
});

const openVex = (statement: object) =>
  JSON.stringify({ '@context': 'https://openvex.dev/ns/v0.2.0', author: 'Maker', statements: [statement] });

test('OpenVEX and CycloneDX VEX say the same', () => {
  const statement = {
    status: 'not_affected',
    justification: 'vulnerable_code_not_present',
    impact_statement: 'Built without it.',
  };
  const wanted = {
    vulnerability: 'CVE-2024-1',
    status: 'not_affected',
    justification: 'vulnerable_code_not_present',
    note: 'Built without it.',
  };
  expect(readVex(openVex({ vulnerability: { name: 'CVE-2024-1' }, ...statement }), 'me')).toEqual([
    { ...wanted, author: 'Maker' },
  ]);
  const analysis = { state: 'not_affected', justification: 'code_not_present', detail: 'Built without it.' };
  const vulnerabilities = [{ id: 'CVE-2024-1', analysis }, { id: 'CVE-2024-2' }];
  const cycloneDx = JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', vulnerabilities });
  expect(readVex(cycloneDx, 'me')).toEqual([{ ...wanted, author: 'me' }]);
});

test.each([
  ['no reason', openVex({ vulnerability: 'CVE-2024-1', status: 'not_affected' })],
  ['a status of its own', openVex({ vulnerability: 'CVE-2024-1', status: 'fine' })],
  ['no statements', '{"@context":"https://openvex.dev/ns"}'],
  ['a key twice', '{"author":"a","author":"b"}'],
  ['nothing', ''],
  ['null', 'null'],
])('a VEX document with %s is refused', (_, source) => {
  expect(() => readVex(source, 'me')).toThrow(expect.objectContaining({ code: 'vex_invalid' }));
});
