/** Whom a deployment reaches and when: all of a hardware, late joiners, maintenance windows, child components, commands too large. */
import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { outbox } from '../outbox/table.ts';
import type { Json, TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { deployments } from './table.ts';

const { database, webhook } = await startSuite();

const mark = () => `h${randomUUID().slice(0, 8)}`;
const post = async (path: string, body: object) => (await webhook.api('POST', path, body)).body;
const get = async (id: string): Promise<Json> => (await webhook.api('GET', `/api/deployments/${id}`)).body;
const region = (timeZone = 'UTC') => post('/api/regions', { name: mark(), timeZone });
const asked = (device: TestDevice) => until(`a request to ${device.id}`, () => device.requests()[0]);
async function online(options: { hardware?: string; region?: string } = {}): Promise<TestDevice> {
  const device = await webhook.device(options);
  await device.subscribe();
  return device;
}
/** Whatever the dispatcher wants to do about it now, it has done. */
async function settled(id: string): Promise<Json> {
  await database.db.update(deployments).set({ nextLookAt: sql`now()` }).where(eq(deployments.id, id));
  await until('a look', async () => {
    const [row] = await database.db.select().from(deployments).where(eq(deployments.id, id));
    return row!.nextLookAt === null || row!.nextLookAt.getTime() > Date.now() + 1_000;
  });
  await until('an empty outbox', async () => (await database.db.select().from(outbox)).length === 0);
  return get(id);
}

describe('all of a hardware', () => {
  test('are those that have the firmware’s, and nobody else is asked about', async () => {
    const hardware = mark();
    const devices = [await online({ hardware }), await online({ hardware })];
    await online();
    const { id: firmwareId } = await webhook.firmware({ hardware });
    const dry = await post('/api/deployments/dry_run', { firmwareId, all: true });
    expect([dry.targets, dry.excluded]).toEqual([2, []]);
    const { id, selection, total } = await post('/api/deployments', { firmwareId, all: true });
    expect([selection.all, total]).toEqual([true, 2]);
    await Promise.all(devices.map(asked));
    expect((await webhook.api('GET', `/api/deployments/${id}/targets`)).body.total).toBe(2);
  });

  test('with none of it, nothing starts', async () => {
    const { id: firmwareId } = await webhook.firmware({ hardware: mark() });
    expect((await post('/api/deployments', { firmwareId, all: true })).code).toBe('no_targets');
  });
});

describe('late joiners', () => {
  const hour = 3_600_000;
  test('get it when they are registered or moved there, also when nobody was there; others do not', async () => {
    const [here, elsewhere] = [await region(), await region()];
    const firmware = await webhook.firmware();
    const body = { firmwareId: firmware.id, regions: [here.id], policy: { lateJoinersMs: hour } };
    const made = await post('/api/deployments', body);
    expect([made.state, made.total, Date.parse(made.joinersUntil) > Date.now() + hour - 60_000]).toEqual([
      'running',
      0,
      true,
    ]);
    const first = await online({ region: here.id });
    await asked(first);
    await first.result(made.id, firmware.sha256);
    const second = await online({ region: elsewhere.id });
    await settled(made.id);
    expect(second.requests()).toEqual([]);
    await webhook.api('PATCH', `/api/devices/${second.id}`, { region: here.id });
    await asked(second);
    const imported = `imp-${randomUUID().slice(0, 8)}`;
    await webhook.api(
      'POST',
      '/api/devices/import',
      `id,hardware,region\n${imported},esp32-s3,${here.name}\n`,
      {
        authorization: 'Bearer api-token-for-tests',
        'content-type': 'text/csv',
      },
    );
    await until('the imported one', async () => (await get(made.id)).total === 3);
    expect((await get(made.id)).state).toBe('running');
    await webhook.api('POST', `/api/deployments/${made.id}/cancel`);
  });

  test('join the last wave that is open, and those that run it already are skipped', async () => {
    const here = await region();
    const devices = [await online({ region: here.id }), await online({ region: here.id })];
    const firmware = await webhook.firmware();
    const policy = { lateJoinersMs: hour, waves: [{ count: 1 }, { percent: 100 }] };
    const { id } = await post('/api/deployments', { firmwareId: firmware.id, regions: [here.id], policy });
    const done = await until('the first', () => devices.find((d) => d.requests().length > 0));
    const late = await webhook.device();
    await late.boot(firmware.sha256, [1, 0]);
    await webhook.api('PATCH', `/api/devices/${late.id}`, { region: here.id });
    const other = await online({ region: here.id });
    await asked(other);
    const [wave, next] = (await settled(id)).waves;
    expect([wave.total, wave.active, next.total, next.pending]).toEqual([2, 2, 1, 1]);
    expect((await webhook.target(id, late)).error).toEqual({ code: 'up_to_date' });
    await done.result(id, firmware.sha256);
    await other.result(id, firmware.sha256);
    await asked(devices.find((d) => d !== done)!);
  });

  test('end the deployment when their time is over', async () => {
    const device = await online();
    const firmware = await webhook.firmware();
    const policy = { lateJoinersMs: hour };
    const { id } = await post('/api/deployments', { firmwareId: firmware.id, devices: [device.id], policy });
    await asked(device);
    await device.result(id, firmware.sha256);
    expect((await settled(id)).state).toBe('running');
    await database.db.execute(sql`
      update deployments set next_look_at = now(),
        memory = jsonb_set(memory, '{resolvedAt}', to_jsonb((memory->>'resolvedAt')::float8 - ${hour}::float8)) where id = ${id}`);
    await until('its end', async () => (await get(id)).state === 'completed');
  });
});

describe('a maintenance window', () => {
  const hhmm = (ms: number) => new Date(ms).toISOString().slice(11, 16);
  /** Open now by UTC, closed now by a clock twelve hours away. */
  const around = () => ({ from: hhmm(Date.now() - 3_600_000), to: hhmm(Date.now() + 3_600_000) });
  const open = (id: string, window: object) =>
    database.db.execute(sql`
      update deployments set policy = jsonb_set(policy, '{window}', ${JSON.stringify(window)}::jsonb), next_look_at = now()
      where id = ${id}`);

  test('lets each device start by the clock of its region', async () => {
    const [utc, far] = [await region(), await region('Etc/GMT+12')];
    const devices = [await online({ region: utc.id }), await online({ region: far.id }), await online()];
    const { id: firmwareId } = await webhook.firmware();
    const body = { firmwareId, devices: devices.map((d) => d.id), policy: { window: around() } };
    const { windows } = await post('/api/deployments/dry_run', body);
    expect(windows).toEqual([
      { timeZone: 'UTC', devices: 2, opensAt: null },
      { timeZone: 'Etc/GMT+12', devices: 1, opensAt: expect.any(String) },
    ]);
    expect(Date.parse(windows[1].opensAt)).toBeGreaterThan(Date.now() + 9 * 3_600_000);
    const { id } = await post('/api/deployments', body);
    await Promise.all([asked(devices[0]!), asked(devices[2]!)]);
    expect((await settled(id)).counts).toMatchObject({ sent: 2, pending: 1 });
    expect(devices[1]!.requests()).toEqual([]);
  });

  test('that is closed everywhere is waited for, and says until when', async () => {
    const device = await online();
    const { id: firmwareId } = await webhook.firmware();
    const later = { from: hhmm(Date.now() + 3 * 3_600_000), to: hhmm(Date.now() + 4 * 3_600_000) };
    const made = await post('/api/deployments', {
      firmwareId,
      devices: [device.id],
      policy: { window: later },
    });
    const waiting = await settled(made.id);
    expect([waiting.counts.pending, waiting.policy.window.days.length]).toEqual([1, 7]);
    expect(Date.parse(waiting.windowOpensAt)).toBeGreaterThan(Date.now() + 60_000);
    await open(made.id, { ...around(), days: waiting.policy.window.days });
    await asked(device);
    expect((await settled(made.id)).windowOpensAt).toBeNull();
  });

  test('that has closed keeps back what was sent but not answered, not what is under way', async () => {
    const [silent, busy] = [await online(), await online()];
    const { id: firmwareId } = await webhook.firmware();
    const { id } = await post('/api/deployments', {
      firmwareId,
      devices: [silent.id, busy.id],
      policy: { window: around() },
    });
    await Promise.all([asked(silent), asked(busy)]);
    await busy.accept(id);
    const closed = {
      from: hhmm(Date.now() + 7_200_000),
      to: hhmm(Date.now() + 10_800_000),
      days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
    };
    await open(id, closed);
    await silent.subscribe();
    await busy.subscribe();
    await until('the one under way', () => busy.requests().length === 2);
    await settled(id);
    expect(silent.requests().length).toBe(1);
  });

  test.each([
    [{ from: '24:00', to: '01:00' }],
    [{ from: '1:00', to: '02:00' }],
    [{ from: '01:00' }],
    [{ from: '01:00', to: '02:00', days: [] }],
    [{ from: '01:00', to: '02:00', days: ['mon', 'mon'] }],
    [{ from: '01:00', to: '02:00', days: ['monday'] }],
    [{ from: '01:00', to: '02:00', zone: 'UTC' }],
  ])('%j is none', async (window) => {
    const body = { firmwareId: randomUUID(), devices: [], policy: { window } };
    expect((await post('/api/deployments', body)).code).toBe('invalid_request');
  });
});

describe('a child component', () => {
  const uno = (sha256: string, version: string, hardware = 'arduino-uno') => ({
    component: 'uno',
    hardware,
    version,
    securityVersion: 0,
    sha256,
  });
  const old = 'c'.repeat(64);
  const report = (device: TestDevice, children: object[], seq: [number, number] = [1, 0]) =>
    device.send('status/health', {
      seq,
      state: 'ok',
      running: [device.running('d'.repeat(64)), ...children],
      boot: { count: seq[0], reason: 'power_on' },
    });
  async function sketch(): Promise<Json> {
    const file = { version: `2.0.${Date.now() % 1e6}`, fileName: `${mark()}.bin` };
    const { s3Path } = await post('/api/s3/presigned_upload', file);
    webhook.objects.objects.set(s3Path, Buffer.from(randomUUID()));
    return post('/api/firmwares/metadata', {
      ...file,
      s3Path,
      hardware: 'arduino-uno',
      component: 'uno',
      releaseNote: '',
    });
  }
  async function parent(children: object[]): Promise<TestDevice> {
    const device = await online();
    expect((await report(device, children)).status).toBe(204);
    return device;
  }

  test('gets its firmware where a device reports one of that hardware; the dry run says who has none', async () => {
    const [has, other, unsaid, none] = [
      await parent([uno(old, '1')]),
      await parent([uno(old, '1', 'arduino-mega')]),
      await parent([{ ...uno(old, '1'), hardware: undefined }]),
      await parent([]),
    ];
    const firmware = await sketch();
    const devices = [has, other, unsaid, none].map((d) => d.id);
    const dry = await post('/api/deployments/dry_run', { firmwareId: firmware.id, devices });
    expect([dry.targets, dry.excludedCounts]).toEqual([
      1,
      {
        no_component: 1,
        other_hardware: 2,
        pinned: 0,
        other_channel: 0,
        cannot_decrypt: 0,
        up_to_date: 0,
        downgrade: 0,
      },
    ]);
    expect(dry.excluded).toContainEqual({ device: none.id, reason: 'no_component' });
    expect(
      (await post('/api/deployments', { firmwareId: firmware.id, devices: [none.id, other.id] })).code,
    ).toBe('no_targets');
    const shown = (await webhook.api('GET', `/api/devices/${has.id}`)).body.running;
    expect(shown).toContainEqual({ ...uno(old, '1'), expected: null });
  });

  test('succeeds by what its parent has read back and the version that its program says', async () => {
    const device = await parent([uno(old, '1')]);
    const firmware = await sketch();
    const made = await post('/api/deployments', { firmwareId: firmware.id, devices: [device.id] });
    expect(made.firmware).toMatchObject({ component: 'uno', hardware: 'arduino-uno' });
    const request = await asked(device);
    const manifest = JSON.parse(Buffer.from(request.body.manifest.split('.')[1], 'base64url').toString());
    expect(manifest).toMatchObject({ component: 'uno', hardware: 'arduino-uno' });
    await device.accept(made.id);
    await device.critical('firmware/download/result', {
      deployment: made.id,
      attempt: 1,
      outcome: 'succeeded',
      running: uno(firmware.sha256, firmware.version),
    });
    const target = await webhook.target(made.id, device);
    expect([target.state, target.component]).toEqual(['succeeded', 'uno']);
  });

  test.each<[string, (firmware: Json) => object]>([
    ['another digest', (f) => uno(old, f.version)],
    ['another version line', (f) => uno(f.sha256, '1')],
    ['the digest of another component', (f) => ({ ...uno(f.sha256, f.version), component: 'main' })],
  ])('does not succeed by %s', async (_, running) => {
    const device = await parent([uno(old, '1')]);
    const firmware = await sketch();
    const { id } = await post('/api/deployments', { firmwareId: firmware.id, devices: [device.id] });
    await asked(device);
    await device.critical('firmware/download/result', {
      deployment: id,
      attempt: 1,
      outcome: 'succeeded',
      running: running(firmware),
    });
    expect((await webhook.target(id, device)).error.code).toBe('attestation_mismatch');
  });

  test('a boot report corrects what timed out, if its version is said too', async () => {
    const device = await parent([uno(old, '1')]);
    const firmware = await sketch();
    const policy = { maxAttempts: 1 };
    const { id } = await post('/api/deployments', { firmwareId: firmware.id, devices: [device.id], policy });
    await asked(device);
    await database.db.execute(
      sql`update targets set deadline_at = now() - interval '1 s' where deployment_id = ${id}`,
    );
    await until('the time-out', async () => (await webhook.target(id, device)).state === 'timed_out');
    await report(device, [uno(firmware.sha256, '1')], [2, 0]);
    expect((await webhook.target(id, device)).state).toBe('timed_out');
    await report(device, [uno(firmware.sha256, firmware.version)], [3, 0]);
    expect((await webhook.target(id, device)).state).toBe('succeeded');
  });

  test('and its parent are updated one after the other, each by its own deployment', async () => {
    const device = await parent([uno(old, '1')]);
    const [child, main] = [await sketch(), await webhook.firmware()];
    const one = await post('/api/deployments', { firmwareId: child.id, devices: [device.id] });
    await asked(device);
    const two = await post('/api/deployments', { firmwareId: main.id, devices: [device.id] });
    expect((await settled(two.id)).counts).toMatchObject({ pending: 1, sent: 0 });
    await device.critical('firmware/download/result', {
      deployment: one.id,
      attempt: 1,
      outcome: 'succeeded',
      running: uno(child.sha256, child.version),
    });
    await until('the other one', () => device.requests().length === 2);
    expect(device.requests()[1]!.body.deployment).toBe(two.id);
  });

  test('that is reported first later joins a deployment that takes late joiners', async () => {
    const here = await region();
    const firmware = await sketch();
    const policy = { lateJoinersMs: 3_600_000 };
    const { id } = await post('/api/deployments', { firmwareId: firmware.id, regions: [here.id], policy });
    const device = await online({ region: here.id });
    await report(device, [uno(old, '1')]);
    expect((await asked(device)).body.deployment).toBe(id);
  });
});

describe('a command that no device would take', () => {
  test.each([
    ['url_too_long', `https://store.test/${'u'.repeat(2048)}`, null],
    ['command_too_large', `https://store.test/${'u'.repeat(1900)}`, 'm'.repeat(2040)],
  ])('fails its target with %s, once', async (code, url, manifest) => {
    const device = await online();
    const { presignForDevice } = webhook.objects;
    const firmware = await webhook.firmware();
    if (manifest)
      await database.db.execute(sql`update firmwares set manifest = ${manifest} where id = ${firmware.id}`);
    webhook.objects.presignForDevice = async () => ({ url, expiresAt: new Date(Date.now() + 60_000) });
    try {
      const { id } = await webhook.deploy(firmware.id, device);
      await until('its failure', async () => (await webhook.target(id, device)).state === 'failed');
      const target = await webhook.target(id, device);
      expect([target.attempt, target.error.code, device.requests()]).toEqual([1, code, []]);
      await until('its end', async () => (await get(id)).state === 'completed');
    } finally {
      webhook.objects.presignForDevice = presignForDevice;
    }
  });
});
