import { expect, test } from 'vitest';
import { readNodes, remarksOn, versionOf } from './nodes.ts';

const url = 'http://emqx:18083';
const nodesOf = (...nodes: object[]) => readNodes(url, { status: 200, body: nodes, text: '' });
const node = (version: string, name = 'emqx@a') => ({ node: name, version, node_status: 'running' });

test.each(['5.8.0', '5.8.9', '5.8.11', 'e5.9.1', '5.10.4', 'v6.0.3', '6.1.4', '6.2.2'])(
  '%s is known',
  (version) => {
    const nodes = nodesOf(node(version));
    expect(remarksOn(nodes)).toEqual([]);
    expect(versionOf(nodes)).toBe(version.replace(/^[ev]/, ''));
  },
);

test.each(['4.4.19', '5.7.2'])('%s is refused by its name', (version) => {
  expect(() => nodesOf(node(version))).toThrow(
    `emqx@a at ${url} is EMQX ${version}; Flota is for 5.8 to 6.2`,
  );
});

test('a newer one is worked with, and said to be new', () => {
  expect(remarksOn(nodesOf(node('6.3.0')))).toEqual([expect.stringMatching(/^EMQX 6\.3\.0 is newer/)]);
});

test('nodes that are down, and those of two versions, are told', () => {
  const nodes = nodesOf(node('5.8.9'), node('5.8.11', 'emqx@b'), { node: 'emqx@c', node_status: 'stopped' });
  expect(remarksOn(nodes)).toEqual([
    'node emqx@c is not running',
    'the nodes run different versions: 5.8.9, 5.8.11',
  ]);
});

test.each([
  [404, '<html>'],
  [200, { some: 'thing' }],
  [200, [{ name: 'x' }]],
])('what answers %s %j is no EMQX', (status, body) => {
  expect(() => readNodes(url, { status, body, text: '' })).toThrow(/does not answer as an EMQX does/);
});
