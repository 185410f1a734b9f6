/** Fleet files as text: what is wrong with one is told where it is, and what one would change is right. No server. */
import { expect, test } from 'vitest';
import { compare } from './difference.ts';
import { parseFleet } from './file.ts';
import type { Claim, Kind, Live } from './things.ts';

const parse = (text: string, env: NodeJS.ProcessEnv = {}) => parseFleet(text, 'fleet.yaml', env);

test.each([
  ['regions:\n  Seoul: {timezone: Asia/Seoul}\n', '2:11: regions.Seoul.timezone: is not known here'],
  ['region:\n  Seoul:\n', '1:1: region: is not known here'],
  ['regions:\n  Seoul: {timeZone: Asia/Soul}\n', '2:21: regions.Seoul.timeZone: must be a time zone'],
  ['regions:\n  Seoul:\n  Seoul:\n', '3:3: Map keys must be unique'],
  ['regions:\n  Seoul: {timeZone: Asia/Seoul\ndivisions:\n', '3:1: '],
  ['regions:\n\tSeoul:\n', '2:1: '],
  ['regions:\n  " Seoul":\n', '2:3: regions. Seoul: must not begin or end with a space'],
  ['policies:\n  slow:\n    soakMs: 5min\n', '3:13: policies.slow.soakMs: '],
  [
    'policies:\n  slow:\n    waves: [{count: 1}, {percent: 50}]\n',
    '3:25: policies.slow.waves.1: the last wave',
  ],
  ['policies:\n  slow:\n    soak: 5\n', '3:5: policies.slow.soak: is not known here'],
  ['channels:\n  a: {kind: pager}\n', '2:'],
  [`channels:\n  a: {kind: slack, url: "$\{SLACK}"}\n`, '2:25: channels.a.url: the environment has no SLACK'],
  [
    'channels:\n  a: {kind: webhook, url: "file:///etc"}\n',
    '2:27: channels.a.url: must be an http(s) address',
  ],
  ['groups:\n  b:\n    query: tag =\n', '3:12: groups.b.query: at character 6: it ends too early'],
  ['groups:\n  b: {query: tag = x, channel: Beta}\n', '2:32: groups.b.channel: must be a short name'],
  ['groups:\n  b: {query: tag = x, pinned: none}\n', '2:31: groups.b.pinned: cannot be none'],
  ['approvals:\n  "**": {aboveDevices: 5}\n', '2:3: approvals.**: '],
  ['approvals:\n  uno: {aboveDevices: -5}\n', '2:23: approvals.uno.aboveDevices: '],
  ['encryption:\n  uno: yes\n', '2:8: encryption.uno: '],
  ['rules:\n  n: {kinds: [deployment_halted]}\n', '2:6: rules.n.channels: '],
  ['regions: !!js/function "x"\n', '1:10: '],
  ['regions: [Seoul]\n', '1:10: regions: '],
  ['--- {}\n--- {}\n', '2:1: '],
  ['owner: 7\n', '1:8: owner: '],
  ['just text\n', '1:1: '],
])('%j is refused at its place', (text, fault) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'fleet_file_invalid' }));
  expect(() => parse(text)).toThrow(`fleet.yaml:${fault}`);
});

test('all that is wrong is told at once, and of much only the beginning', () => {
  expect(() => parse('regions: {a: {x: 1}}\ngroups: {b: {query: 2}}\n')).toThrow(
    /1:15: regions\.a\.x.*; fleet\.yaml:2:21: groups\.b\.query/,
  );
  const many = Array.from({ length: 50 }, (_, i) => `  r${i}: {x: 1}`).join('\n');
  expect(() => parse(`regions:\n${many}\n`)).toThrow(/… and 30 more$/);
});

test('aliases that multiply are refused before they are unfolded', () => {
  const rows = Array.from({ length: 12 }, (_, i) => `a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}]`).slice(1);
  expect(() => parse(`a0: &a0 [x, x]\n${rows.join('\n')}\n`)).toThrow(/alias/i);
});

test('an empty file wants nothing, and a variable of the environment stands in an address', () => {
  expect(parse('').fleet).toMatchObject({ owner: 'fleet', regions: {} });
  const { fleet } = parse(`channels: {a: {kind: slack, url: "https://hooks.example/$\{KEY}"}}`, {
    KEY: 'k1',
  });
  expect(fleet.channels.a).toMatchObject({ url: 'https://hooks.example/k1' });
});

const thing = (kind: Kind, name: string, fields = {}, more = {}): Live => ({
  kind,
  id: `id of ${name}`,
  name,
  fields,
  ...more,
});
const claim = (kind: Kind, name: string, more: Partial<Claim> = {}): Claim => ({
  id: `claim of ${name}`,
  owner: 'fleet',
  kind,
  name,
  subject: `id of ${name}`,
  createdAt: '',
  ...more,
});
const changesOf = (text: string, things: Live[], claims: Claim[]) =>
  compare(parse(text), { things, claims }).changes.map(({ does, kind, name }) => `${does} ${kind} ${name}`);

test('only what the file has made is removed, what names others first', () => {
  const things = [
    thing('region', 'Ours', { timeZone: 'UTC' }),
    thing('region', 'Theirs', { timeZone: 'UTC' }),
    thing('group', 'Other file', { query: 'online = yes' }),
    thing('channel', 'Pager', { kind: 'webhook', target: 'https://a.example/' }),
    thing('rule', 'Night', {}),
  ];
  const claims = [
    claim('region', 'Ours'),
    claim('group', 'Other file', { owner: 'another' }),
    claim('channel', 'Pager'),
    claim('rule', 'Night'),
  ];
  expect(changesOf('', things, claims)).toEqual([
    'remove rule Night',
    'remove channel Pager',
    'remove region Ours',
  ]);
});

test('entries of lists are things of their names, and what a group’s devices have not is a difference', () => {
  const things = [
    thing('group', 'Pilots', { query: 'tag = pilot', channel: 'stable', pinned: null }),
    thing('approval', '*', { aboveDevices: 5 }),
    thing('approval', 'uno', { aboveDevices: 0 }),
    thing('encryption', 'esp32', {}),
  ];
  const claims = [
    claim('approval', 'uno', { subject: null }),
    claim('encryption', 'esp32', { subject: null, owner: 'another' }),
  ];
  const text = 'groups: {Pilots: {query: tag = pilot, channel: beta}}\napprovals: {"*": {aboveDevices: 6}}\n';
  expect(compare(parse(text), { things, claims }).changes).toMatchObject([
    { name: 'Pilots', differences: [{ field: 'channel', server: 'stable', file: 'beta' }] },
    { name: '*', differences: [{ field: 'aboveDevices', server: 5, file: 6 }] },
    { does: 'remove', kind: 'approval', name: 'uno' },
  ]);
});

test('what was made again by hand under the name of what the file had made is not the file’s', () => {
  const things = [thing('region', 'Seoul', { timeZone: 'UTC' })];
  expect(changesOf('', things, [claim('region', 'Seoul', { subject: 'id of the first' })])).toEqual([]);
  // Apply broke off between the making and its confirmation.
  expect(changesOf('', things, [claim('region', 'Seoul', { subject: null })])).toEqual([
    'remove region Seoul',
  ]);
});

test('what somebody has renamed gets its name back, and what the file and somebody have renamed alike is left', () => {
  const things = [thing('region', 'Seúl', { timeZone: 'Asia/Seoul' })];
  const claims = [claim('region', 'Seoul', { subject: 'id of Seúl' })];
  const text = (name: string) => `regions: {${name}: {timeZone: Asia/Seoul}}`;
  expect(compare(parse(text('Seoul')), { things, claims }).changes).toMatchObject([
    { does: 'update', differences: [{ field: 'name', server: 'Seúl', file: 'Seoul' }] },
  ]);
  expect(changesOf(text('Seúl'), things, claims)).toEqual([]);
});

test('what cannot be is told at its place: another file’s, an unknown name, a channel of another kind', () => {
  const at =
    (text: string, things: Live[], claims: Claim[] = []) =>
    () =>
      compare(parse(text), { things, claims });
  const seoul = [thing('region', 'Seoul', { timeZone: 'UTC' })];
  expect(at('regions:\n  Seoul: {}\n', seoul, [claim('region', 'Seoul', { owner: 'b' })])).toThrow(
    'fleet.yaml:2:10: regions.Seoul: belongs to another fleet file, whose owner is b',
  );
  const rule = 'rules:\n  n:\n    kinds: [dead_letters]\n    channels: [Pager]\n';
  expect(at(rule, [])).toThrow('fleet.yaml:4:15: rules.n.channels: there is no channel Pager');
  const watching = `rules:
  n:
    kinds: [group_matches]
    watch: {group: Lost, aboveDevices: 5}
    channels: [Pager]
`;
  expect(at(watching, [thing('channel', 'Pager', {})])).toThrow(
    'fleet.yaml:4:20: rules.n.watch.group: there is no group Lost',
  );
  const pager = [thing('channel', 'Pager', { kind: 'slack', target: 'https://a.example/…' })];
  const text = 'channels:\n  Pager: {kind: webhook, url: "https://a.example"}\n';
  expect(at(text, pager)).toThrow('fleet.yaml:2:17: channels.Pager.kind: is slack on the server');
});
