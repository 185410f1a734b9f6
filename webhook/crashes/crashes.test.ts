import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { query } from '../db/query.ts';
import { between, meanOf } from '../deployments/health/values.ts';
import { espImage } from '../firmware/testing-images.ts';
import { defaultRetention, sweepOnce } from '../retention/retention.ts';
import { type Json, sha256Of, startTestWebhook, type TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { createSymboliser } from './symbols.ts';
import { buildElf } from './testing-elf.ts';

const { database, webhook } = await startSuite();
const { db } = database;

const image = 'a'.repeat(64);
const newElf = () => createHash('sha256').update(randomUUID()).digest('hex');
const crashOf = (elf: string, more: object = {}) => ({
  ...{ id: randomUUID(), reason: 'LoadProhibited', task: 'main', elf },
  ...{ pc: '0x420083f2', backtrace: ['0x420083f2', '0x42008129'], ...more },
});
let boots = 1;
const tell = async (device: TestDevice, crash: object, more: object = {}) => {
  const count = boots++;
  const { status } = await device.send('status/health', {
    ...{ seq: [count, 0], state: 'ok', running: [device.running(image)] },
    ...{ boot: { count, reason: 'watchdog' }, crash, ...more },
  });
  expect(status).toBe(204);
};
const get = async (path: string): Promise<Json> => {
  const { status, body } = await webhook.api('GET', path);
  expect([path, status]).toEqual([path, 200]);
  return body;
};
const groupsOf = async (elf: string): Promise<Json[]> =>
  (await get('/api/crashes?limit=1000')).items.filter((one: Json) => one.elf.startsWith(elf.slice(0, 8)));

describe('crashes of devices', () => {
  test('are grouped by ELF and first calls, whatever else they say', async () => {
    const [one, other] = [await webhook.device(), await webhook.device()];
    const elf = newElf();
    await tell(one, crashOf(elf));
    // The same place: the beginning of the ELF, another reason, leading zeros, no crashed call in the backtrace, another depth.
    await tell(
      other,
      crashOf(elf.slice(0, 9), { reason: 'abort', pc: '0x00420083f2', backtrace: ['0x42008129'] }),
    );
    await tell(other, crashOf(elf, { backtrace: ['0x42008129', '0x3', '0x4', '0x5', '0x6', '0x7'] }));
    await tell(other, crashOf(elf, { backtrace: ['0x42008129', '0x3', '0x4', '0x5', '0x6', '0x8'] }));
    await tell(other, crashOf(newElf()));
    const groups = await groupsOf(elf);
    expect(groups.map((g) => [g.frames.length, g.reports, g.devices]).sort()).toEqual([
      [2, 2, 2],
      [6, 2, 1],
    ]);
    const group = groups.find((g) => g.devices === 2)!;
    expect(group).toMatchObject({ elf, reason: 'abort', firmware: null, place: null });
    const page = await get(`/api/crashes/${group.id}`);
    expect(page).toMatchObject({ symbols: 'no_elf', task: 'main', corrupted: false });
    expect(page.affected.map((d: Json) => d.device)).toEqual([other.id, one.id]);
    expect(page.trend).toHaveLength(30);
    expect(page.trend.at(-1).reports + page.trend.at(-2).reports).toBe(2);
    const reports = await get(`/api/crashes/${group.id}/reports?limit=1`);
    expect(reports).toMatchObject({ total: 2, items: [{ device: other.id, runningVersion: '1' }] });
  });

  test('count once, however often and on whatever way they are told', async () => {
    const device = await webhook.device();
    const elf = newElf();
    const crash = crashOf(elf);
    const health = { state: 'ok', running: [device.running(image)], crash };
    // On trial, twice; then by the boot, twice; by another boot as well.
    await device.send('status/health', health);
    await device.send('status/health', health);
    const row = device.row('status/health', {
      ...health,
      seq: [900, 0],
      boot: { count: 900, reason: 'rollback' },
    });
    await webhook.event(row);
    await webhook.event(row);
    await tell(device, crash);
    expect(await groupsOf(elf)).toMatchObject([{ reports: 1, devices: 1 }]);
    const incidents = await query<{ n: number }>(
      db,
      sql`select count(*)::int as n from device_incidents where device_id = ${device.id} and kind = 'crash'`,
    );
    expect(incidents).toEqual([{ n: 1 }]);
  });

  test('on trial attest nothing, and a health without a crash is what it was', async () => {
    const device = await webhook.device();
    const firmware = await webhook.firmware();
    const { id } = await webhook.deploy(firmware.id, device);
    await device.subscribe();
    await until('the request', () => device.requests().length > 0);
    await device.accept(id);
    const running = [device.running(firmware.sha256)];
    await device.send('status/health', { state: 'ok', running, crash: crashOf(newElf()) });
    expect((await webhook.target(id, device)).state).toBe('accepted');
    await device.result(id, image, 'rolled_back', { error: { code: 'boot_failed' } });
    expect((await webhook.target(id, device)).state).not.toBe('succeeded');
    const before = (await get('/api/crashes')).total;
    await device.boot(image, [boots++, 0], 'watchdog');
    expect((await get('/api/crashes')).total).toBe(before);
  });

  test('of one device are bounded: what it invents beyond 50 a day is let go', async () => {
    const device = await webhook.device();
    const elf = newElf();
    const crashes = Array.from({ length: 60 }, (_, i) => crashOf(elf, { pc: `0x${(i + 16).toString(16)}` }));
    const running = [device.running(image)];
    await Promise.all(crashes.map((crash) => device.send('status/health', { state: 'ok', running, crash })));
    expect(await groupsOf(elf)).toHaveLength(50);
    // Another's are still taken.
    await tell(await webhook.device(), crashOf(elf));
    expect(await groupsOf(elf)).toHaveLength(51);
  });

  test('that are no crashes are refused, and the boot that they came with is a dead letter', async () => {
    const device = await webhook.device();
    for (const flaw of [
      { elf: 'x' },
      { pc: 4 },
      { pc: '4200' },
      { backtrace: Array(33).fill('0x1') },
      { id: '' },
    ]) {
      const crash = crashOf(newElf(), flaw);
      const health = { state: 'ok', running: [device.running(image)], seq: [boots++, 0], crash };
      expect((await device.send('status/health', health)).status).toBe(202);
    }
    const letters = await query<{ detail: string }>(
      db,
      sql`select detail from dead_letters where client_id = ${device.id} order by id`,
    );
    expect(letters.map(({ detail }) => detail.split(':')[0])).toEqual([
      'crash.elf',
      'crash.pc',
      'crash.pc',
      'crash.backtrace',
      'crash.id',
    ]);
  });

  test('are a signal of health gates: the share of the windows that had any', async () => {
    const device = await webhook.device();
    await tell(device, crashOf(newElf()));
    await tell(device, crashOf(newElf()));
    const to = Date.now() + 60_000;
    const mean = meanOf({ kind: 'crashes', marginPercent: 10 }, sql`d`, between(to - 600_000, to), 120_000);
    const rows = await query(db, sql`select ${mean} as value from devices d where id = ${device.id}`);
    expect(rows).toEqual([{ value: expect.closeTo(0.2) }]);
  });

  test('go by their age, and with the device that is deleted', async () => {
    const [old, gone] = [await webhook.device(), await webhook.device()];
    const elf = newElf();
    await tell(old, crashOf(elf));
    await tell(gone, crashOf(elf, { pc: '0x1' }));
    const [group] = (await groupsOf(elf)).filter((g) => g.frames[0] === '0x420083f2');
    await db.execute(
      sql`update crash_groups set last_seen_at = now() - interval '91 days' where id = ${group!.id}`,
    );
    await sweepOnce(db, defaultRetention);
    const [left, ...rest] = await groupsOf(elf);
    expect([left!.frames[0], rest]).toEqual(['0x1', []]);
    await webhook.api('DELETE', `/api/devices/${gone.id}`);
    expect(await get(`/api/crashes/${left!.id}`)).toMatchObject({ affected: [], reports: 1 });
    expect((await get(`/api/crashes/${left!.id}/reports`)).total).toBe(0);
  });

  test('of a new group are told, once', async () => {
    const elf = newElf();
    const device = await webhook.device();
    await tell(device, crashOf(elf));
    await tell(await webhook.device(), crashOf(elf));
    const [group] = await groupsOf(elf);
    const events = await query<Json>(
      db,
      sql`select kind, severity, data from notification_events where key = ${`crash_group/${group!.id}`}`,
    );
    expect(events).toEqual([
      {
        ...{ kind: 'crash_group_new', severity: 'warning' },
        data: {
          group: group!.id,
          reason: 'LoadProhibited',
          pc: '0x420083f2',
          device: device.id,
          version: '1',
        },
      },
    ]);
  });
});

describe('an ELF', () => {
  const { elf, address } = buildElf();

  async function upload(firmwareId: string, content: Buffer, at = webhook) {
    const presigned = await at.api('POST', `/api/firmware/${firmwareId}/elf/presigned_upload`, {
      fileName: 'sensor.elf',
    });
    expect(presigned.status).toBe(200);
    webhook.objects.objects.set(presigned.body.s3Path, content);
    return at.api('POST', `/api/firmware/${firmwareId}/elf`, { s3Path: presigned.body.s3Path });
  }
  async function crashed(): Promise<string> {
    const crash = crashOf(sha256Of(elf), { pc: address, backtrace: [address, '0xdeadbeef'] });
    await tell(await webhook.device(), crash);
    return (await groupsOf(crash.elf))[0]!.id;
  }

  test('that is uploaded to a firmware names the functions and lines of its crashes', async () => {
    const group = await crashed();
    const firmware = await webhook.firmware();
    expect((await get(`/api/firmware/${firmware.id}/elf`)).sha256).toBeNull();
    const { status, body } = await upload(firmware.id, elf);
    expect([status, body.sha256, body.fileName]).toEqual([201, sha256Of(elf), 'sensor.elf']);
    expect((await groupsOf(body.sha256))[0]!.place.function).toMatch(/parse|read_sensor/);
    const page = await get(`/api/crashes/${group}`);
    expect(page).toMatchObject({ symbols: 'known', firmware: { id: firmware.id } });
    const [first, second] = page.backtrace;
    expect(first.calls.map((c: Json) => c.function).at(-1)).toBe('read_sensor');
    expect(first.calls[0]).toMatchObject({
      file: expect.stringMatching(/sensor\.c$/),
      line: expect.any(Number),
    });
    expect(second).toEqual({ address: '0xdeadbeef', calls: [] });
    const listed = (await get(`/api/crashes?firmware=${firmware.id}`)).items;
    expect(listed.map((g: Json) => g.id)).toEqual([group]);
    expect(listed[0].place.function).toMatch(/parse|read_sensor/);
    const trend: Json[] = await get(`/api/crashes/trend?firmware=${firmware.id}`);
    expect(trend.reduce((sum, day) => sum + day.reports, 0)).toBe(1);
    // One that is made later is named as well, though nobody looks at it.
    const late = crashOf(sha256Of(elf), { pc: address, backtrace: [address] });
    await tell(await webhook.device(), late);
    await until('the names of the late group', async () => {
      const found = (await groupsOf(late.elf)).find((g) => g.frames.length === 1);
      return found!.place?.function === first.calls[0].function;
    });
    // What is known needs neither the file nor the tool again.
    webhook.objects.objects.clear();
    expect((await get(`/api/crashes/${group}`)).symbols).toBe('known');
    const audit = await get('/api/audit?action=firmware.elf');
    expect(audit.items[0]).toMatchObject({ subject: firmware.id, detail: { sha256: sha256Of(elf) } });
  });

  test('that is uploaded to a firmware names the crashes whose device knows no more than the digest of its image', async () => {
    const [firmware, other] = [await webhook.firmware(), await webhook.firmware()];
    const crash = (more: object = {}) =>
      crashOf(firmware.sha256, { pc: address, backtrace: [address], ...more });
    await tell(await webhook.device(), crash());
    await upload(other.id, elf);
    const [group] = await groupsOf(firmware.sha256);
    expect((await get(`/api/crashes/${group!.id}`)).symbols).toBe('no_elf');
    await upload(firmware.id, elf);
    expect((await groupsOf(firmware.sha256))[0]).toMatchObject({ firmware: { id: firmware.id } });
    await until('its names', async () => (await groupsOf(firmware.sha256))[0]!.place !== null);
    expect((await get(`/api/crashes?firmware=${firmware.id}`)).items.map((g: Json) => g.id)).toContain(
      group!.id,
    );
    // Another place, after the ELF has come.
    const second = `0x${(Number(address) + 4).toString(16)}`;
    await tell(await webhook.device(), crash({ pc: second, backtrace: [second] }));
    await until('the names of the second', async () => {
      const found = (await groupsOf(firmware.sha256)).find((g) => g.frames[0] === second);
      return found && found.place !== null;
    });
  });

  test('is read without a shell, and one that breaks the tool breaks nothing else', async () => {
    const broken = Buffer.concat([elf.subarray(0, 64), Buffer.from('$(touch /tmp/x)`id`'.repeat(100))]);
    const device = await webhook.device();
    await tell(device, crashOf(sha256Of(broken), { pc: '0x401000' }));
    const firmware = await webhook.firmware();
    expect((await upload(firmware.id, broken)).status).toBe(201);
    const [group] = await groupsOf(sha256Of(broken));
    const page = await get(`/api/crashes/${group!.id}`);
    expect(['failed', 'known']).toContain(page.symbols);
    expect(page.backtrace[0].calls).toEqual([]);
  });

  test('is read once by who look at once, and one that breaks the tool not again for each look', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'flota-tools-'));
    const runs = join(folder, 'runs');
    writeFileSync(join(folder, 'llvm-symbolizer'), '', { mode: 0o755 });
    writeFileSync(join(folder, 'prlimit'), `#!/bin/sh\necho run >>'${runs}'\nexit 1\n`, { mode: 0o755 });
    const symboliser = createSymboliser([folder]);
    const at = (offset: number) => `0x${(Number(address) + offset).toString(16)}`;
    const read = (name: string, ...addresses: string[]) =>
      symboliser
        .symbolise(name, addresses, async (path) => writeFileSync(path, elf))
        .catch((error: Error) => error.message);
    await Promise.all([read('a', at(0)), read('a', at(0)), read('a', at(0))]);
    const count = () => readFileSync(runs, 'utf8').trim().split('\n').length;
    expect(count()).toBe(1);
    expect(await read('a', at(0))).toContain('broke');
    expect(count()).toBe(1);
    // Others are others.
    await read('a', at(4));
    await read('b', at(0));
    expect(count()).toBe(3);
    // What the file store could not give is no fault of the tool.
    const away = symboliser.symbolise('c', [at(0)], () => Promise.reject(new Error('away')));
    await expect(away).rejects.toThrow('away');
    await read('c', at(0));
    expect(count()).toBe(4);
    rmSync(folder, { recursive: true });
  });

  test('without a tool is kept, and said to be of no use here', async () => {
    const none = await startTestWebhook(database, {
      symboliser: createSymboliser(['/nowhere']),
      objects: webhook.objects,
    });
    try {
      const other = Buffer.concat([elf, Buffer.from('more')]);
      await tell(await webhook.device(), crashOf(sha256Of(other)));
      const firmware = await webhook.firmware();
      expect((await upload(firmware.id, other, none)).body).toMatchObject({
        tool: null,
        sha256: sha256Of(other),
      });
      const [group] = await groupsOf(sha256Of(other));
      expect((await none.api('GET', `/api/crashes/${group!.id}`)).body.symbols).toBe('no_tool');
    } finally {
      await none.close();
    }
  });

  test('is refused when it is none, is another than the image says, or was not uploaded for this firmware', async () => {
    const firmware = await webhook.firmware();
    const refusal = async (answer: Promise<Json>) => [(await answer).status, (await answer).body.code];
    expect(await refusal(upload(firmware.id, Buffer.from('PK')))).toEqual([422, 'elf_invalid']);
    expect(await refusal(upload(firmware.id, Buffer.alloc(0)))).toEqual([422, 'object_empty']);
    const attach = (s3Path: string) =>
      refusal(webhook.api('POST', `/api/firmware/${firmware.id}/elf`, { s3Path }));
    expect(await attach(`elf/${randomUUID()}/${randomUUID()}/a.elf`)).toEqual([400, 'invalid_request']);
    expect(await attach(`elf/${firmware.id}/${randomUUID()}/../a.elf`)).toEqual([400, 'invalid_request']);
    expect(await attach(firmware.s3Path)).toEqual([400, 'invalid_request']);
    expect(await attach(`elf/${firmware.id}/${randomUUID()}/a.elf`)).toEqual([422, 'object_missing']);
    const named = await webhook.firmware({ content: espImage(9, { elfSha256: sha256Of('another') }) });
    expect((await get(`/api/firmware/${named.id}/elf`)).sha256).toBe(sha256Of('another'));
    expect(await refusal(upload(named.id, elf))).toEqual([422, 'elf_differs']);
    expect(await refusal(webhook.api('GET', `/api/firmware/${randomUUID()}/elf`))).toEqual([
      404,
      'not_found',
    ]);
  });
});
