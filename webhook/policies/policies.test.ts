/** Rollout policies under a name, and what fleet files claim to have made. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';

const { webhook } = await startSuite();
const { api } = webhook;
const mark = () => `p${randomUUID().slice(0, 8)}`;
const actionsOf = async (id: string) =>
  (await api('GET', `/api/audit?subject=${id}`)).body.items.map((entry: Json) => entry.action);

test('a policy is kept as it was asked for, changed, listed and deleted; the audit log says by whom', async () => {
  const name = mark();
  const policy = { waves: [{ count: 1 }, { percent: 100 }], soakMs: 5_000 };
  const made = await api('POST', '/api/policies', { name, policy });
  expect([made.status, made.body.policy]).toEqual([201, policy]);
  const { id } = made.body;
  expect((await api('POST', '/api/policies', { name, policy: {} })).body.code).toBe('name_taken');
  const changed = await api('PATCH', `/api/policies/${id}`, { policy: { ratePerMinute: 5 } });
  expect(changed.body).toMatchObject({ name, policy: { ratePerMinute: 5 } });
  const other = (await api('POST', '/api/policies', { name: mark(), policy: {} })).body.id;
  expect((await api('PATCH', `/api/policies/${other}`, { name })).body.code).toBe('name_taken');
  expect((await api('GET', '/api/policies')).body.find((one: Json) => one.id === id).policy).toEqual({
    ratePerMinute: 5,
  });
  expect((await api('DELETE', `/api/policies/${id}`)).status).toBe(204);
  expect((await api('DELETE', `/api/policies/${id}`)).body.code).toBe('not_found');
  expect((await api('PATCH', `/api/policies/${id}`, { name })).body.code).toBe('not_found');
  expect(await actionsOf(id)).toEqual(['policy.delete', 'policy.change', 'policy.create']);
});

test.each([
  [{ policy: { soak: 5 } }, 'policy'],
  [{ policy: { waves: [{ count: 1 }] } }, 'policy.waves.0'],
  [{ policy: {}, owner: 'me' }, ''],
  [{}, 'policy'],
])('a policy such as %j is refused', async (more, path) => {
  const { status, body } = await api('POST', '/api/policies', { name: mark(), ...more });
  expect([status, body.code]).toEqual([400, 'invalid_request']);
  expect(body.errors[0].path).toContain(path);
});

test('a claim is one file’s, takes the id of what was made, and is given up', async () => {
  const claim = { owner: mark(), kind: 'region', name: mark(), subject: null };
  const made = (await api('PUT', '/api/claims', claim)).body;
  const subject = randomUUID();
  const again = await api('PUT', '/api/claims', { ...claim, subject });
  expect(again.body).toEqual({ ...made, subject });
  const other = await api('PUT', '/api/claims', { ...claim, owner: mark(), subject: randomUUID() });
  expect([other.status, other.body.code]).toEqual([409, 'claimed']);
  expect((await api('GET', '/api/claims')).body).toContainEqual({ ...made, subject });
  expect((await api('DELETE', `/api/claims/${made.id}`)).status).toBe(204);
  expect((await api('DELETE', `/api/claims/${made.id}`)).body.code).toBe('not_found');
  expect(await actionsOf(made.id)).toEqual(['claim.release', 'claim.make', 'claim.make']);
  expect((await api('PUT', '/api/claims', { ...claim, kind: 'device' })).body.code).toBe('invalid_request');
});
