/** Freezes: whose updates wait for their end, what overrides them, and what is refused. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { afterEach, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { outbox } from '../outbox/table.ts';
import type { Json, TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { frozenUntil } from './freezes.ts';

const { database, webhook } = await startSuite();
const { db } = database;

const post = async (path: string, body: object): Promise<Json> =>
  (await webhook.api('POST', path, body)).body;
const get = async (path: string): Promise<Json> => (await webhook.api('GET', path)).body;
const dayMs = 86_400_000;
const begun = Date.now();
/** Of one day, though midnight may come meanwhile. */
const day = (fromToday: number) => new Date(begun + fromToday * dayMs).toISOString().slice(0, 10);
const freeze = (first: number, last: number) =>
  post('/api/freezes', { name: 'Holidays', firstDay: day(first), lastDay: day(last) });
async function online(): Promise<TestDevice> {
  const device = await webhook.device();
  await device.subscribe();
  return device;
}
const frozen = (id: string) =>
  until('the freeze to hold', async () => (await get(`/api/deployments/${id}`)).frozenUntil);
const asked = (device: TestDevice) => until(`a request to ${device.id}`, () => device.requests()[0]);
const audited = async (action: string) => (await get(`/api/audit?action=${action}`)).items[0];

afterEach(async () => {
  for (const { id } of await get('/api/freezes')) await webhook.api('DELETE', `/api/freezes/${id}`);
});

test('days are whole ones, by the wall clock of the time zone', async () => {
  const asked = { name: 'Navidad', firstDay: '2030-12-24', lastDay: '2031-01-02', timeZone: 'Europe/Madrid' };
  expect(await post('/api/freezes', asked)).toMatchObject({
    ...asked,
    startsAt: '2030-12-23T23:00:00.000Z',
    endsAt: '2031-01-02T23:00:00.000Z',
    createdBy: 'api-token',
  });
  expect(await audited('freeze.create')).toMatchObject({ detail: asked });
  expect((await get('/api/freezes')).map((one: Json) => one.name)).toEqual(['Navidad']);
});

test('nothing is started within, and what has waited goes when the freeze is deleted', async () => {
  const held = await freeze(-1, 1);
  const device = await online();
  const { id } = await webhook.deploy((await webhook.firmware()).id, device);
  expect(await frozen(id)).toBe(held.endsAt);
  expect([device.requests(), (await webhook.target(id, device)).state]).toEqual([[], 'pending']);
  await webhook.api('DELETE', `/api/freezes/${held.id}`);
  await asked(device);
  expect((await get(`/api/deployments/${id}`)).frozenUntil).toBeNull();
  expect(await audited('freeze.delete')).toMatchObject({ subject: held.id, detail: { name: 'Holidays' } });
});

test('one that comes while a deployment is running stops what has not begun; what has begun goes on', async () => {
  const [begun, later] = [await online(), await webhook.device()];
  const { id } = await webhook.deploy((await webhook.firmware()).id, begun, later);
  await asked(begun);
  await freeze(0, 1);
  await later.subscribe();
  await frozen(id);
  expect(later.requests()).toEqual([]);
  await begun.accept(id);
  await until('progress', async () => (await webhook.target(id, begun)).state === 'accepted');
});

test('a request that was not answered is not sent again within', async () => {
  const device = await online();
  await webhook.deploy((await webhook.firmware()).id, device);
  await asked(device);
  await freeze(0, 1);
  const before = device.requests().length;
  await device.subscribe();
  await until('an empty outbox', async () => (await db.select().from(outbox)).length === 0);
  expect(device.requests().length).toBe(before);
});

test('a deployment overrides it with a reason, before or later, which the audit log keeps', async () => {
  await freeze(0, 1);
  const [one, other] = [await online(), await online()];
  const { id: firmwareId } = await webhook.firmware();
  const overrideFreeze = 'Security fix, agreed with the customer';
  const { id } = await post('/api/deployments', { firmwareId, devices: [one.id], overrideFreeze });
  await asked(one);
  expect(await audited('deployment.start')).toMatchObject({ subject: id, detail: { overrideFreeze } });
  expect(await get(`/api/deployments/${id}`)).toMatchObject({
    freezeOverride: overrideFreeze,
    frozenUntil: null,
  });

  const second = await webhook.deploy(firmwareId, other);
  await frozen(second.id);
  const path = `/api/deployments/${second.id}/override_freeze`;
  expect((await webhook.api('POST', path, {})).body.code).toBe('invalid_request');
  expect((await webhook.api('POST', path, { reason: '  ' })).body.code).toBe('invalid_request');
  expect((await webhook.api('POST', path, { reason: 'Recall' })).status).toBe(202);
  await asked(other);
  expect(await audited('deployment.override_freeze')).toMatchObject({
    subject: second.id,
    detail: { reason: 'Recall' },
  });
  await webhook.api('POST', `/api/deployments/${second.id}/cancel`);
  expect((await webhook.api('POST', path, { reason: 'Too late' })).body.code).toBe('deployment_finished');
  const unknown = `/api/deployments/${randomUUID()}/override_freeze`;
  expect((await webhook.api('POST', unknown, { reason: 'Nobody' })).body.code).toBe('not_found');
});

test('the dry run tells what holds when it would start, and what comes soon', async () => {
  const [now, next] = [await freeze(0, 1), await freeze(2, 3)];
  await freeze(60, 61);
  const device = await webhook.device();
  const asked = { firmwareId: (await webhook.firmware()).id, devices: [device.id] };
  const dry = (more: object = {}) => post('/api/deployments/dry_run', { ...asked, ...more });
  const told = await dry();
  // The second follows the first without a gap.
  expect([told.frozenUntil, told.freezes.map((one: Json) => one.id)]).toEqual([
    next.endsAt,
    [now.id, next.id],
  ]);
  expect((await dry({ overrideFreeze: 'It must' })).frozenUntil).toBeNull();
  const startAt = new Date(Date.now() + 10 * dayMs).toISOString();
  expect(await dry({ startAt })).toMatchObject({ frozenUntil: null, freezes: [] });
});

test('the calendar has what touches its days, and no more than two months', async () => {
  const [inside, { id: outside }] = [await freeze(3, 4), await freeze(40, 41)];
  const device = await webhook.device();
  const { id: firmwareId, version } = await webhook.firmware();
  const startAt = new Date(Date.now() + 5 * dayMs).toISOString();
  const { id } = await post('/api/deployments', { firmwareId, devices: [device.id], startAt });
  const at = (days: number) => new Date(Date.now() + days * dayMs).toISOString();
  const calendar = (from: string, to: string) => webhook.api('GET', `/api/calendar?from=${from}&to=${to}`);
  const { body } = await calendar(at(2), at(30));
  expect(body.deployments).toContainEqual({
    ...{ id, version, firmware: 'firmware.bin', state: 'scheduled' },
    ...{ startsAt: startAt, endsAt: null },
  });
  expect(body.freezes.map((one: Json) => one.id)).toEqual([inside.id]);
  expect((await calendar(at(6), at(45))).body.freezes.map((one: Json) => one.id)).toEqual([outside]);
  expect((await calendar(at(2), at(5 - 0.01))).body.deployments.map((one: Json) => one.id)).not.toContain(id);
  for (const [from, to] of [
    [at(2), at(1)],
    [at(0), at(63)],
    ['yesterday', at(1)],
  ] as const)
    expect((await calendar(from, to)).body.code).toBe('invalid_request');
});

test('it holds until the last of those that touch, and not before the first', async () => {
  const first = await freeze(1, 2);
  const last = await freeze(2, 4);
  expect(await frozenUntil(db, Date.now() - dayMs)).toBeNull();
  expect(await frozenUntil(db, Date.parse(first.startsAt) - 1)).toBeNull();
  expect(await frozenUntil(db, Date.parse(first.startsAt))).toBe(Date.parse(last.endsAt));
  expect(await frozenUntil(db, Date.parse(last.endsAt) - 1)).toBe(Date.parse(last.endsAt));
  expect(await frozenUntil(db, Date.parse(last.endsAt))).toBeNull();
});

test.each([
  { name: '', firstDay: '2030-01-01', lastDay: '2030-01-02' },
  { name: 'x', firstDay: '2030-01-02', lastDay: '2030-01-01' },
  { name: 'x', firstDay: '2030-02-30', lastDay: '2030-03-01' },
  { name: 'x', firstDay: '2030-01-01', lastDay: '2032-01-01' },
  { name: 'x', firstDay: '0001-01-01', lastDay: '0001-01-02' },
  { name: 'x', firstDay: '2030-01-01T00:00', lastDay: '2030-01-02' },
  { name: 'x', firstDay: '2030-01-01', lastDay: '2030-01-02', timeZone: 'Mars/Olympus' },
])('%j is refused', async (body) => {
  const { status, body: told } = await webhook.api('POST', '/api/freezes', body);
  expect([status, told.code]).toEqual([400, 'invalid_request']);
});

test('more than a hundred ahead are refused, and one that is not there cannot be deleted', async () => {
  await db.execute(sql`
    insert into freezes (name, first_day, last_day, time_zone, starts_at, ends_at, created_by)
    select 'full', '', '', 'UTC', now() + n * interval '1 day', now() + (n + 1) * interval '1 day', 'x' from generate_series(1, 100) n`);
  expect((await freeze(101, 101)).code).toBe('freezes_full');
  expect((await webhook.api('DELETE', `/api/freezes/${randomUUID()}`)).body.code).toBe('not_found');
  await db.execute(sql`delete from freezes where name = 'full'`);
});
