/** Each fact is told where it arises, in its own transaction, once. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { compare } from '../broker/losses.ts';
import { tellExpiringOnce } from '../certificates/expiry.ts';
import { query } from '../db/query.ts';
import { tellSilentOnce } from '../devices/silence.ts';
import { createDevice, type Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { sentenceOf } from './message.ts';
import { watchOnce } from './watches.ts';

const { database, webhook } = await startSuite();
const { db } = database;

type Event = { kind: never; severity: string; regions: string[]; data: Json };
const events = (kind: string, having = sql`true`) =>
  query<Event>(
    db,
    sql`select kind, severity, region_ids as regions, data from notification_events where kind = ${kind} and ${having} order by at, key`,
  );
const about = (deployment: string) => sql`data ->> 'deployment' = ${deployment}`;
const naming = (device: string) => sql`data -> 'first' ? ${device}`;
const makeRegion = async (): Promise<Json> =>
  (await webhook.api('POST', '/api/regions', { name: `region ${randomUUID()}` })).body;

describe('a deployment', () => {
  const deploy = async (count: number, region: string) => {
    const devices = await Promise.all(Array.from({ length: count }, () => webhook.device({ region })));
    for (const device of devices) await device.subscribe();
    const firmware = await webhook.firmware();
    const { body } = await webhook.api('POST', '/api/deployments', {
      firmwareId: firmware.id,
      devices: devices.map((one) => one.id),
      policy: { maxAttempts: 1, waves: [{ count: 1 }, { percent: 100 }] },
    });
    return { id: body.id as string, firmware, devices };
  };
  const state = async (id: string) => (await webhook.api('GET', `/api/deployments/${id}`)).body.state;
  const asked = (devices: Json[]) =>
    until('a request', () => devices.find((one) => one.requests().length > 0));

  test('that is complete is told with its figures and the regions of its devices', async () => {
    const region = await makeRegion();
    const { id, firmware, devices } = await deploy(1, region.id);
    const device = await asked(devices);
    await device.accept(id);
    await device.result(id, firmware.sha256);
    await until('the end', async () => (await state(id)) === 'completed');
    const [one, ...more] = await events('deployment_completed', about(id));
    expect(more).toEqual([]);
    expect(one).toMatchObject({ severity: 'info', regions: [region.id], data: { succeeded: 1, failed: 0 } });
    expect(sentenceOf(one!)).toBe(
      `The deployment of ${firmware.name} ${firmware.version} is complete: 1 succeeded, 0 failed, 0 others`,
    );
    expect(await events('deployment_halted', about(id))).toEqual([]);
  });

  test('that halts is told with its reason, and again when it halts again', async () => {
    const region = await makeRegion();
    const { id, firmware, devices } = await deploy(3, region.id);
    const failOne = async (device: Json) => {
      await device.accept(id);
      await device.result(id, 'b'.repeat(64), 'failed', { error: { code: 'boot_failed', message: 'no' } });
      await until('a halt', async () => (await state(id)) === 'halted');
    };
    const first = await asked(devices);
    await failOne(first);
    const halts = await events('deployment_halted', about(id));
    expect(halts).toMatchObject([{ severity: 'critical', regions: [region.id], data: { wave: 0 } }]);
    expect(sentenceOf(halts[0]!)).toContain(`${firmware.name} ${firmware.version} has halted in wave 1: `);
    const { figures } = (await webhook.api('GET', `/api/deployments/${id}`)).body.halted;
    expect(figures).toMatchObject({ measure: 'failed', devices: 1, of: 1 });
    expect(sentenceOf(halts[0]!, 'ko')).toMatch(
      /배포가 1단계에서 자동 중단되었습니다: 실패가 너무 많습니다 \(1대 중 1대 실패, 허용 \d+%\)$/,
    );
    await webhook.api('POST', `/api/deployments/${id}/resume`);
    await failOne(await asked(devices.filter((one) => one !== first)));
    expect(await events('deployment_halted', about(id))).toHaveLength(2);
  });
});

describe('devices that are away for long', () => {
  const leave = async (region?: string) => {
    const device = await webhook.device(region === undefined ? {} : { region });
    await device.connect();
    await device.disconnect();
    return device;
  };
  const age = (id: string, hours: number) =>
    db.execute(
      sql`update devices set last_seen_at = now() - make_interval(hours => ${hours}::int) where id = ${id}`,
    );

  test('are told of together, by region, once until they are heard again', async () => {
    const region = await makeRegion();
    const [a, b, elsewhere, fresh] = [
      await leave(region.id),
      await leave(region.id),
      await leave(),
      await leave(),
    ];
    const never = await webhook.device();
    const here = await webhook.device();
    await here.connect();
    for (const { id } of [a, b, elsewhere, here]) await age(id, 25);
    expect(await tellSilentOnce(db, 24)).toBe(false);
    await tellSilentOnce(db, 24);
    const [one, ...more] = await events('device_silent', naming(a.id));
    expect(more).toEqual([]);
    expect(one).toMatchObject({
      severity: 'warning',
      regions: [region.id],
      data: { hours: 24, devices: 2, first: [a.id, b.id].sort() },
    });
    expect(sentenceOf(one!)).toBe(`2 devices not connected for 24 hours: ${[a.id, b.id].sort().join(', ')}`);
    expect(await events('device_silent', naming(elsewhere.id))).toMatchObject([{ regions: [] }]);
    for (const { id } of [fresh, never, here]) expect(await events('device_silent', naming(id))).toEqual([]);
    await a.connect(Date.now() + 1);
    await a.disconnect(Date.now() + 1);
    await tellSilentOnce(db, 24);
    expect(await events('device_silent', naming(a.id))).toHaveLength(1);
    // As if both, telling and hearing, were long ago.
    await db.execute(sql`
      update devices set silence_told_at = now() - interval '3 days', last_seen_at = now() - interval '2 days' where id = ${a.id}`);
    await tellSilentOnce(db, 24);
    expect(await events('device_silent', naming(a.id))).toHaveLength(2);
  });

  test('are told of when that commits, and are still to be told of when it does not', async () => {
    const device = await leave();
    await age(device.id, 30);
    const broken = db.transaction(async (tx) => {
      await tellSilentOnce(tx, 24);
      throw new Error('killed');
    });
    await expect(broken).rejects.toThrow('killed');
    expect(await events('device_silent', naming(device.id))).toEqual([]);
    await tellSilentOnce(db, 24);
    expect(await events('device_silent', naming(device.id))).toHaveLength(1);
  });
});

test('a certificate is told of within 14 days, within 3, and when it has ended; a renewed one is not', async () => {
  const region = await makeRegion();
  const [device, renewed] = [await webhook.device({ region: region.id }), await webhook.device()];
  const issue = (name: string, days: number) =>
    db.execute(sql`
      insert into certificates (serial, profile, common_name, certificate, chain, not_before, not_after)
      values (${randomUUID()}, 'device', ${name}, '', '', now() - interval '1 year', now() + make_interval(days => ${days}::int))`);
  const end = (days: number) =>
    db.execute(
      sql`update certificates set not_after = now() + make_interval(days => ${days}::int) where common_name = ${device.id}`,
    );
  await issue(device.id, 15);
  await issue(renewed.id, 2);
  await issue(renewed.id, 200);
  const told = async () => {
    await tellExpiringOnce(db);
    await tellExpiringOnce(db);
    return (await events('certificate_expiring', naming(device.id))).map((one) => [
      one.data.withinDays,
      one.severity,
    ]);
  };
  expect(await told()).toEqual([]);
  await end(14);
  expect(await told()).toEqual([[14, 'warning']]);
  await end(2);
  expect((await told()).at(-1)).toEqual([3, 'critical']);
  await end(-1);
  expect((await told()).at(-1)).toEqual([0, 'critical']);
  expect(await told()).toHaveLength(3);
  const [one] = await events('certificate_expiring', naming(device.id));
  expect(one).toMatchObject({ regions: [region.id], data: { devices: 1, first: [device.id] } });
  expect(sentenceOf(one!)).toBe(`The certificates of 1 device end within 14 days: ${device.id}`);
  expect(await events('certificate_expiring', naming(renewed.id))).toEqual([]);
});

test('the broker is told of when it has lost more, at most once an hour, and also after its counts began anew', async () => {
  const counts = (count: number) => ({
    rules: [],
    actions: [{ id: 'critical', lost: count ? [{ why: 'dropped', count }] : [] }] as never,
  });
  const anHourLater = () =>
    db.execute(sql`update broker_losses set told_at = told_at - interval '61 minutes'`);
  const losses = async () => (await events('broker_losing_rows')).map((one) => one.data.losses[0].count);
  await compare(db, counts(0));
  expect(await losses()).toEqual([]);
  await compare(db, counts(3));
  await compare(db, counts(5));
  expect(await losses()).toEqual([3]);
  await anHourLater();
  await compare(db, counts(3));
  await compare(db, counts(8));
  await compare(db, counts(9));
  expect(await losses()).toEqual([3, 5]);
  await anHourLater();
  await compare(db, counts(2));
  expect(await losses()).toEqual([3, 5, 2]);
  const [one] = await events('broker_losing_rows');
  expect(sentenceOf(one!)).toBe('The broker has lost rows: action critical: 3 dropped');
});

test('of dead letters the first of a region and hour is told', async () => {
  const region = await makeRegion();
  const device = await webhook.device({ region: region.id });
  const of = sql`region_ids ? ${region.id}`;
  for (let i = 0; i < 3; i++) await device.send('status/system', { uptimeMs: 'long' });
  expect(await events('dead_letters', of)).toMatchObject([
    { severity: 'warning', data: { code: 'payload_invalid', device: device.id } },
  ]);
  await createDevice(webhook, `stranger-${randomUUID().slice(0, 8)}`).send('data/sensors', {
    values: { t: 1 },
  });
  expect(await events('dead_letters', sql`region_ids = '[]'`)).toMatchObject([{ data: { device: null } }]);
});

describe('a saved query that a rule watches', () => {
  const make = async (path: string, body: object): Promise<Json> =>
    (await webhook.api('POST', path, body)).body;
  const channelOf = async (name: string) =>
    (await make('/api/notifications/channels', { kind: 'webhook', name, url: 'http://127.0.0.1:9/' })).channel
      .id;

  test('is told to that rule alone when more devices match, and again only after that was over', async () => {
    const { id: region } = await makeRegion();
    const tag = `t-${randomUUID().slice(0, 8)}`;
    const tagged = async (more: object = {}) => {
      const device = await webhook.device(more);
      await webhook.api('PATCH', `/api/devices/${device.id}`, { tags: [tag] });
      return device;
    };
    const { id: group } = await make('/api/groups', { name: `Sick ${tag}`, query: `tag = ${tag}` });
    const [mine, others] = [await channelOf(`mine ${tag}`), await channelOf(`others ${tag}`)];
    const watch = { group, aboveDevices: 1 };
    const rule = await make('/api/notifications/rules', {
      ...{ name: tag, kinds: ['group_matches'], watch, regionId: region, channels: [mine] },
    });
    expect(rule).toMatchObject({ watch });
    await make('/api/notifications/rules', {
      ...{ name: `${tag} other`, kinds: ['group_matches'], channels: [others] },
      watch: { group, aboveDevices: 1_000 },
    });
    const context = { db, log: () => {} };
    const told = async () => {
      await watchOnce(context);
      return events('group_matches', sql`data ->> 'rule' = ${rule.id}`);
    };
    const [first] = [await tagged({ region }), await tagged()];
    // The other is of no region.
    expect(await told()).toEqual([]);
    await tagged({ region });
    expect(await told()).toEqual(await told());
    const [one, ...more] = await told();
    expect(more).toEqual([]);
    expect(one).toMatchObject({ severity: 'warning', regions: [region], data: { devices: 2, above: 1 } });
    expect(sentenceOf(one!)).toBe(`2 devices match Sick ${tag}, which is more than 1`);
    await until('its delivery', async () => {
      const { items } = (await webhook.api('GET', '/api/notifications/deliveries')).body;
      return items.some((d: Json) => d.channel === `mine ${tag}` && d.data.rule === rule.id);
    });
    const { items } = (await webhook.api('GET', '/api/notifications/deliveries')).body;
    expect(items.filter((d: Json) => d.channel === `others ${tag}`)).toEqual([]);
    await webhook.api('PATCH', `/api/devices/${first.id}`, { tags: [] });
    expect(await told()).toHaveLength(1);
    await webhook.api('PATCH', `/api/devices/${first.id}`, { tags: [tag] });
    expect(await told()).toHaveLength(2);
    expect((await webhook.api('DELETE', `/api/groups/${group}`)).body.code).toBe('in_use');
  });

  test('is there, and named just where the kind is', async () => {
    const channels = [await channelOf('watching')];
    const { id: group } = await make('/api/groups', { name: 'All online', query: 'online = yes' });
    const watch = { group, aboveDevices: 0 };
    const ask = async (more: object) =>
      (await make('/api/notifications/rules', { name: 'w', channels, ...more })).code;
    expect(await ask({ kinds: ['group_matches'] })).toBe('invalid_request');
    expect(await ask({ kinds: ['dead_letters'], watch })).toBe('invalid_request');
    const missing = { group: randomUUID(), aboveDevices: 0 };
    expect(await ask({ kinds: ['group_matches'], watch: missing })).toBe('unknown_reference');
    const { id } = await make('/api/notifications/rules', {
      name: 'w',
      channels,
      kinds: ['group_matches'],
      watch,
    });
    const change = async (body: object) =>
      (await webhook.api('PATCH', `/api/notifications/rules/${id}`, body)).body;
    expect((await change({ kinds: ['dead_letters'] })).code).toBe('invalid_request');
    expect((await change({ enabled: false })).watch).toEqual(watch);
    expect((await change({ kinds: ['dead_letters'], watch: null })).watch).toBeNull();
  });
});
