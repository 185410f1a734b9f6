/** What successes leave expected on a device, also where messages come late; and the figure for what was there before. */
import { readdirSync, readFileSync } from 'node:fs';
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Json, TestDevice } from '../testing.ts';
import { sha256Of } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { countDrifted } from './expected.ts';
import { everything } from './reach.ts';
import { components } from './table.ts';

const { database, webhook } = await startSuite();
const { db } = database;

async function begun(device: TestDevice) {
  const firmware = await webhook.firmware();
  const before = device.requests().length;
  const { id } = await webhook.deploy(firmware.id, device);
  await until('a request', () => device.requests()[before]);
  return { id, sha256: firmware.sha256, version: firmware.version };
}
const expected = async ({ id }: TestDevice): Promise<Json> =>
  (await webhook.api('GET', `/api/devices/${id}`)).body.running[0].expected;
const succeeded = (id: string, device: TestDevice) =>
  until('the success', async () => (await webhook.target(id, device)).state === 'succeeded');

test('a success that is heard late does not overrule the newer one', async () => {
  const device = await webhook.device();
  await device.subscribe();
  const first = await begun(device);
  const refused = { error: { code: 'boot_failed' } };
  await device.result(first.id, sha256Of('what was there before'), 'failed', { seq: [1, 30], ...refused });
  await until('the failure', async () => (await webhook.target(first.id, device)).state === 'failed');
  const second = await begun(device);
  await device.result(second.id, second.sha256, 'succeeded', { seq: [1, 50] });
  await succeeded(second.id, device);
  await device.result(first.id, first.sha256, 'succeeded', { seq: [1, 40] });
  await succeeded(first.id, device);
  expect(await expected(device)).toMatchObject({ sha256: second.sha256, version: second.version });
  expect(await countDrifted(db, everything)).toBe(0);
});

test('one that is heard after a report of another image has drifted at once', async () => {
  const device = await webhook.device();
  await device.subscribe();
  const update = await begun(device);
  await device.boot(sha256Of('an older image'), [9, 0]);
  await device.result(update.id, update.sha256, 'succeeded', { seq: [8, 0] });
  await succeeded(update.id, device);
  expect(await countDrifted(db, everything)).toBe(1);
});

test('the migration fills in what earlier successes left, and leaves out what was reported before', async () => {
  const now = await db.select().from(components);
  await db.execute(
    sql`update components set expected_sha256 = null, expected_version = null, expected_at = null`,
  );
  const folder = new URL('../db/migrations/', import.meta.url);
  const name = readdirSync(folder).find((file) => file.endsWith('_channels.sql'))!;
  const migration = readFileSync(new URL(name, folder), 'utf8');
  await db.execute(sql.raw(migration.split('--> statement-breakpoint').at(-1)!));
  const digests = (rows: typeof now) => rows.map((row) => [row.deviceId, row.expectedSha256]).sort();
  const late = (rows: typeof now) => rows.filter((row) => row.sha256 === row.expectedSha256);
  expect(late(now).length).toBeGreaterThan(0);
  expect(digests(late(await db.select().from(components)))).toEqual(digests(late(now)));
  expect(await countDrifted(db, everything)).toBe(0);
});
