import { type SQL, sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { query } from '../../db/query.ts';
import { createDevice, type Json, type TestDevice } from '../../testing.ts';
import { startSuite } from '../../testing-suite.ts';

// No broker knows the devices that are made here at one stroke: those of the last hour are left to their events.
const { database, webhook } = await startSuite({
  reconcile: {
    periodMs: 3_600_000,
    faultMs: 10_000,
    youngMs: 3_600_000,
    settledMs: 15_000,
    watchMs: 3_600_000,
  },
});
const { db } = database;

const windowMs = 1_000;
const signal = { kind: 'metric', name: 'battery', better: 'high', marginPercent: 10 };
// A seed: what few devices are judged by depends on who is in the control group, and one draw in a hundred is of too little noise.
const health = (more: object = {}) => ({
  ...{
    control: { count: 8 },
    seed: 'gate',
    minDevices: 5,
    minObservedMs: 2 * windowMs,
    windowMs,
    signals: [signal],
  },
  ...more,
});

/** Registered ten days ago, online, and with a battery that was about 80 since yesterday. */
async function fleet(count: number, hardware: string): Promise<TestDevice[]> {
  const ids = Array.from({ length: count }, (_, i) => `${hardware}-${i}`);
  await db.execute(sql`
    insert into devices (id, name, hardware, created_at, online, reachable, connected_at, last_seen_at)
    select value, value, ${hardware}, now() - interval '10 days', true, true, now() - interval '1 minute', now()
    from jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb)`);
  await db.execute(sql`
    insert into telemetry_sources (device_id, topic) select id, 'data/metrics' from devices where hardware = ${hardware}`);
  await db.execute(sql`
    insert into measurements (source, at, body)
    select s.id, now() - make_interval(mins => m), ${battery(sql`80 + hashtext(d.id || m) % 3`)}
    from devices d join telemetry_sources s on s.device_id = d.id, generate_series(2, 300, 20) m where d.hardware = ${hardware}`);
  return ids.map((id) => createDevice(webhook, id));
}

const battery = (value: SQL) => sql`jsonb_build_object('battery', ${value})`;

/** What each will report in the next minutes, half of them 1 more, half 1 less: of those that have the image now about `treated`. */
const foretell = (deployment: string, treated: number) =>
  db.execute(sql`
    insert into measurements (source, at, body)
    select m.id, now() + make_interval(secs => s / 2.0),
      ${battery(sql`case when t.state = 'succeeded' then ${treated}::int else 80 end + (hashtext(t.device_id) & 1) * 2 - 1`)}
    from targets t join telemetry_sources m on m.device_id = t.device_id, generate_series(0, 400) s where t.deployment_id = ${deployment}`);

const get = async (id: string) => (await webhook.api('GET', `/api/deployments/${id}`)).body;
const judged = async (id: string): Promise<Json[]> =>
  (await webhook.api('GET', `/api/deployments/${id}/health`)).body;
const is = (id: string, state: string) =>
  until(`${state} deployment`, async () => ((await get(id)).state === state ? get(id) : null));
const hasIt = (device: TestDevice) => device.requests().length > 0;

async function deploy(devices: TestDevice[], hardware: string, policy: object) {
  const firmware = await webhook.firmware({ hardware });
  const request = { firmwareId: firmware.id, devices: devices.map((d) => d.id), policy };
  const { status, body } = await webhook.api('POST', '/api/deployments', request);
  expect([status, body.code]).toEqual([201, undefined]);
  return { id: body.id as string, firmware };
}

async function update(devices: TestDevice[], deployment: string, sha256: string) {
  const asked = await until('requests', () => {
    const some = devices.filter(hasIt);
    return some.length === devices.length - 8 ? some : null;
  });
  await Promise.all(asked.map((device) => device.result(deployment, sha256)));
}

describe('a gate', () => {
  test('halts an image that is worse than the control group, which does not get it before the end', async () => {
    const devices = await fleet(24, 'worse');
    const { id, firmware } = await deploy(devices, 'worse', {
      health: health({ minObservedMs: 6 * windowMs }),
    });
    await update(devices, id, firmware.sha256);
    await foretell(id, 40);
    const halted = await is(id, 'halted');
    expect(halted.halted).toMatchObject({
      reason: 'health_worse',
      wave: 0,
      signals: ['metric:battery'],
      message: expect.stringMatching(/^metric:battery: (39|40)[.\d]* on 16 devices with it, (79|80)/),
    });
    expect(halted.waves.map((w: Json) => [w.control, w.total, w.pending])).toEqual([
      [false, 16, 0],
      [true, 8, 8],
    ]);
    expect(devices.filter(hasIt)).toHaveLength(16);
    const found = (await judged(id)).at(-1);
    expect(found).toMatchObject({
      ...{ signal: 'metric:battery', verdict: 'worse', better: 'high' },
      ...{ treatedDevices: 16, controlDevices: 8 },
    });
    expect([found.low < -35, found.high < -8]).toEqual([true, true]);

    // What was seen is forgiven; the control group is the last wave.
    await webhook.api('POST', `/api/deployments/${id}/resume`);
    await until('the control group', () => devices.every(hasIt));
    expect((await get(id)).state).toBe('running');
  }, 120_000);

  test('lets an image through that is no worse, and keeps the control group without it when asked to', async () => {
    const devices = await fleet(24, 'same');
    const { id, firmware } = await deploy(devices, 'same', { health: health({ afterwards: 'keep' }) });
    await update(devices, id, firmware.sha256);
    await foretell(id, 80);
    const done = await is(id, 'completed');
    expect(done.counts).toMatchObject({ succeeded: 16, skipped: 8 });
    expect(done.halted).toBeNull();
    expect(devices.filter(hasIt)).toHaveLength(16);
    const { body } = await webhook.api('GET', `/api/deployments/${id}/targets?state=skipped`);
    expect(new Set(body.items.map((t: Json) => t.error.code))).toEqual(new Set(['control_group']));
  }, 120_000);

  test('draws the same control group for the same seed, from those that can be reached and the others alike', async () => {
    const devices = await fleet(40, 'drawn');
    await Promise.all(devices.slice(0, 20).map((device) => device.disconnect()));
    const firmware = await webhook.firmware({ hardware: 'drawn' });
    const draw = async (seed?: string) => {
      const policy = { health: health({ control: { percent: 20 }, seed, signals: [signal] }) };
      const request = { firmwareId: firmware.id, devices: devices.map((d) => d.id), policy };
      const { body } = await webhook.api('POST', '/api/deployments/dry_run', request);
      return { seed: body.health.seed, group: body.waves.at(-1).devices as string[] };
    };
    const first = await draw();
    expect(first.group).toHaveLength(8);
    expect((await draw(first.seed)).group).toEqual(first.group);
    expect((await draw('another')).group).not.toEqual(first.group);
    const away = new Set(devices.slice(0, 20).map((d) => d.id));
    expect(first.group.filter((id) => away.has(id))).toHaveLength(4);
  });
});

describe('what cannot work is told before anything is sent:', () => {
  const refused = async (devices: TestDevice[], hardware: string, policy: object) => {
    const firmware = await webhook.firmware({ hardware });
    const request = { firmwareId: firmware.id, devices: devices.map((d) => d.id), policy };
    const dry = await webhook.api('POST', '/api/deployments/dry_run', request);
    const real = await webhook.api('POST', '/api/deployments', request);
    expect([real.status, real.body.code]).toEqual([dry.status, dry.body.code]);
    const [row] = await query<{ n: number }>(
      db,
      sql`select count(*)::int as n from deployments where firmware_id = ${firmware.id}`,
    );
    expect(row!.n).toBe(0);
    return [dry.status, dry.body.code];
  };

  test('a metric that nobody reports, a control group as large as the selection, too few devices', async () => {
    const devices = await fleet(12, 'refused');
    const of = (more: object) =>
      refused(devices, 'refused', { health: health({ control: { count: 5 }, ...more }) });
    expect(await of({ signals: [{ ...signal, name: 'batery' }] })).toEqual([422, 'signal_unreported']);
    expect(await of({ signals: [{ kind: 'rssi' }] })).toEqual([422, 'signal_unreported']);
    expect(await of({ control: { count: 12 } })).toEqual([422, 'control_too_large']);
    expect(await of({ minDevices: 6 })).toEqual([422, 'too_few_devices']);
    expect(await of({ control: { count: 8 } })).toEqual([422, 'too_few_devices']);
  });

  test('a policy that is none', async () => {
    const devices = await fleet(12, 'malformed');
    const of = (more: object) => refused(devices, 'malformed', { health: health(more) });
    const bad = [400, 'invalid_request'];
    expect(await of({ control: {} })).toEqual(bad);
    expect(await of({ control: { count: 5, percent: 5 } })).toEqual(bad);
    expect(await of({ control: { percent: 51 } })).toEqual(bad);
    expect(await of({ signals: [] })).toEqual(bad);
    expect(await of({ signals: [signal, signal] })).toEqual(bad);
    expect(await of({ signals: [{ kind: 'metric', name: 'battery' }] })).toEqual(bad);
    expect(await of({ windowMs: 0 })).toEqual(bad);
    expect(await of({ minDevices: 1 })).toEqual(bad);
    expect(await of({ seed: '' })).toEqual(bad);
  });
});
