/** Saved queries, and what is deployed by them or by a query of its own. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Json, TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';

const { webhook } = await startSuite();
type Five = [TestDevice, TestDevice, TestDevice, TestDevice, TestDevice];
const mark = () => `g${randomUUID().slice(0, 8)}`;
const post = (path: string, body: object) => webhook.api('POST', path, body);
const made = async (path: string, body: object): Promise<Json> => {
  const answer = await post(path, body);
  expect([answer.status, answer.body.detail]).toEqual([201, undefined]);
  return answer.body;
};
const refused = async (path: string, body: object) => {
  const { status, body: problem } = await post(path, body);
  return `${status} ${problem.code} ${problem.detail}`;
};
const device = (tag: string, more: object = {}): Promise<TestDevice> =>
  webhook.device({ tags: [tag], ...more } as object);
const targetsOf = async (id: string): Promise<string[]> => {
  const { body } = await webhook.api('GET', `/api/deployments/${id}/targets?limit=100`);
  return body.items.map((target: Json) => target.device).sort();
};

describe('the versions of a group', () => {
  const versionsOf = async (id: string) => (await webhook.api('GET', `/api/groups/${id}/versions`)).body;
  const has = (target: TestDevice, id: string) => webhook.target(id, target);

  test('are what pins and the newest deployments want, beside what is attested and what has drifted', async () => {
    const [tag, hardware] = [mark(), mark()];
    const all = await Promise.all(Array.from({ length: 5 }, () => device(tag, { hardware })));
    const [good, drifted, waiting, pinned, spared] = all as Five;
    const { id } = await made('/api/groups', { name: tag, query: `tag = ${tag}` });
    const row = { hardware, channel: 'stable', deployment: null, attested: 0, drifted: 0 };
    expect(await versionsOf(id)).toEqual({
      devices: 5,
      drifted: 0,
      versions: [{ ...row, version: null, by: null, devices: 5 }],
    });

    const older = await webhook.firmware({ hardware });
    const newer = await webhook.firmware({ hardware });
    for (const one of [good, drifted]) await one.subscribe();
    const first = await webhook.deploy(older.id, good, drifted, waiting);
    for (const one of [good, drifted]) {
      await until('the request', () => one.requests()[0]);
      await one.result(first.id, older.sha256);
      await until('the success', async () => (await has(one, first.id)).state === 'succeeded');
    }
    // What was cancelled before it was sent is wanted of nobody.
    const second = await webhook.deploy(newer.id, spared);
    await webhook.api('POST', `/api/deployments/${second.id}/cancel`);
    await drifted.boot('d'.repeat(64), [7, 0]);
    await webhook.api('PATCH', `/api/devices/${pinned.id}`, { pinned: '9.9.9', channel: 'beta' });
    await until('the drift', async () => (await versionsOf(id)).drifted === 1);
    const { devices, versions } = await versionsOf(id);
    expect([devices, versions]).toEqual([
      5,
      [
        {
          ...{ ...row, version: older.version, by: 'deployment', deployment: first.id },
          ...{ devices: 3, attested: 1, drifted: 1 },
        },
        { ...row, channel: 'beta', version: '9.9.9', by: 'pin', devices: 1 },
        { ...row, version: null, by: null, devices: 1 },
      ],
    ]);
    const { body } = await webhook.api(
      'GET',
      `/api/devices?limit=9&q=${encodeURIComponent(`(tag = ${tag}) and drifted = yes`)}`,
    );
    expect(body.items.map((it: Json) => it.id)).toEqual([drifted.id]);
  });

  test('are of no group that is not there', async () => {
    const { status, body } = await webhook.api('GET', `/api/groups/${randomUUID()}/versions`);
    expect([status, body.code]).toEqual([404, 'not_found']);
  });
});

describe('groups', () => {
  test('are made, listed by name, changed and deleted, and the audit log says by whom', async () => {
    const name = mark();
    const group = await made('/api/groups', { name, query: 'tag = pilot' });
    await made('/api/groups', { name: `a${name}`, query: 'online = yes' });
    const { body: all } = await webhook.api('GET', '/api/groups');
    const names = all.map((one: Json) => one.name);
    expect(names.indexOf(`a${name}`)).toBeLessThan(names.indexOf(name));
    const changed = await webhook.api('PATCH', `/api/groups/${group.id}`, { query: 'tag = beta' });
    expect(changed.body).toMatchObject({ name, query: 'tag = beta' });
    expect((await webhook.api('DELETE', `/api/groups/${group.id}`)).status).toBe(204);
    expect((await webhook.api('DELETE', `/api/groups/${group.id}`)).body.code).toBe('not_found');
    expect((await webhook.api('PATCH', `/api/groups/${group.id}`, { name })).body.code).toBe('not_found');
    const { items } = (await webhook.api('GET', `/api/audit?subject=${group.id}`)).body;
    expect(items.map((entry: Json) => entry.action)).toEqual([
      'group.delete',
      'group.change',
      'group.create',
    ]);
  });

  test('a name that is taken, a query that does not parse, and a change of nothing are refused', async () => {
    const name = mark();
    await made('/api/groups', { name, query: 'tag = pilot' });
    const other = await made('/api/groups', { name: `${name}b`, query: 'tag = pilot' });
    expect(await refused('/api/groups', { name, query: 'id = a' })).toContain('409 name_taken');
    expect((await webhook.api('PATCH', `/api/groups/${other.id}`, { name })).body.code).toBe('name_taken');
    expect(await refused('/api/groups', { name: mark(), query: 'id = ' })).toMatch(
      /400 invalid_request query: at character 6: it ends too early/,
    );
    expect(await refused('/api/groups', { name: ' ', query: 'id = a' })).toContain(
      '400 invalid_request name',
    );
    expect((await webhook.api('PATCH', `/api/groups/${other.id}`, {})).body.code).toBe('invalid_request');
  });
});

describe('a deployment', () => {
  test('by a query alone goes to those that match, by their intersection', async () => {
    const tag = mark();
    const region = await made('/api/regions', { name: tag });
    const [both, onlyTag] = [await device(tag, { region: region.id }), await device(tag)];
    await device(mark(), { region: region.id });
    const { id: firmwareId } = await webhook.firmware();
    const body = { firmwareId, query: `region = ${tag} and tag = ${tag} and health = none` };
    const dry = (await post('/api/deployments/dry_run', body)).body;
    expect([dry.targets, dry.waves[0].devices]).toEqual([1, [both.id]]);
    const deployment = await made('/api/deployments', body);
    expect([deployment.selection.query, await targetsOf(deployment.id)]).toEqual([body.query, [both.id]]);
    expect(onlyTag.id).not.toBe(both.id);
  });

  test('a query narrows what is chosen beside it', async () => {
    const tag = mark();
    const region = await made('/api/regions', { name: tag });
    const inside = await device(tag, { region: region.id });
    const named = await device(tag);
    await device(mark(), { region: region.id });
    await device(tag);
    const { id: firmwareId } = await webhook.firmware();
    const deployment = await made('/api/deployments', {
      firmwareId,
      regions: [region.id],
      devices: [named.id],
      query: `tag = ${tag}`,
    });
    expect(await targetsOf(deployment.id)).toEqual([inside.id, named.id].sort());
  });

  test('by a group keeps the query that the group had', async () => {
    const name = mark();
    const [one, two] = [await device(name), await device(`${name}-2`)];
    const group = await made('/api/groups', { name, query: `tag = ${name}` });
    const { id: firmwareId } = await webhook.firmware();
    const startAt = new Date(Date.now() + 1_500).toISOString();
    const deployment = await made('/api/deployments', { firmwareId, group: name, startAt });
    await webhook.api('PATCH', `/api/groups/${group.id}`, { query: `tag = ${name}-2` });
    expect(deployment.selection).toMatchObject({ group: name, query: `tag = ${name}` });
    await until('the start', async () => (await targetsOf(deployment.id)).length > 0);
    expect(await targetsOf(deployment.id)).toEqual([one.id]);
    expect(two.id).not.toBe(one.id);
  });

  test('takes late joiners that come to match its query, and nobody else', async () => {
    const tag = mark();
    const { id: firmwareId } = await webhook.firmware();
    const body = { firmwareId, query: `tag = ${tag}`, policy: { lateJoinersMs: 3_600_000 } };
    expect((await post('/api/deployments/dry_run', body)).body.targets).toBe(0);
    const { id } = await made('/api/deployments', body);
    const [joins, other] = [await device(tag), await device(mark())];
    await until('the joiner', async () => (await targetsOf(id)).includes(joins.id));
    await webhook.api('PATCH', `/api/devices/${other.id}`, { tags: [tag] });
    await until('the changed one', async () => (await targetsOf(id)).includes(other.id));
  });

  test('by a query that matches nothing, does not parse, or a group that is not there, is refused before anything is sent', async () => {
    const { id: firmwareId } = await webhook.firmware();
    for (const path of ['/api/deployments/dry_run', '/api/deployments']) {
      const ask = (selection: object) => refused(path, { firmwareId, ...selection });
      expect(await ask({ query: 'tag = nobody-has-it' })).toContain('422 no_match');
      expect(await ask({ all: true, query: 'tag = nobody-has-it' })).toContain('422 no_match');
      expect(await ask({ query: 'tag = pilot or' })).toMatch(
        /400 invalid_request query: at character 15: it ends too early/,
      );
      expect(await ask({ query: '' })).toContain('400 invalid_request query: at character 1');
      expect(await ask({ group: 'no such group' })).toContain('422 unknown_reference');
      expect(await ask({ group: 'a', query: 'id = a' })).toContain('400 invalid_request group');
    }
    expect((await webhook.api('GET', `/api/firmware/${firmwareId}`)).body.deployments).toEqual([]);
  });
});
