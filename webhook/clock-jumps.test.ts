/** The clock is set right by a day, either way: of the database, and of a copy's own machine. */
import { eq, sql } from 'drizzle-orm';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createTimeOut } from './background.ts';
import { createFollowClock } from './clock-jumps.ts';
import { readClock } from './db/clock.ts';
import { defaultPolicy } from './deployments/policy.ts';
import { targets } from './deployments/table.ts';
import { devices } from './devices/table.ts';
import { startSuite } from './testing-suite.ts';

const dayMs = 86_400_000;
const { database, webhook } = await startSuite();
const { db } = database;
const place = { db, log: () => {}, live: { changed() {}, subscribe: () => () => {}, close: async () => {} } };

afterEach(() => vi.restoreAllMocks());

/** A copy's step on a database whose clock is wrong by `offset.ms`; `passed.ms` more have gone by, less than a jump. */
function createStep(offset: { ms: number }, passed = { ms: 0 }) {
  const clocks = {
    database: async () => (await readClock(db)) + offset.ms,
    steady: () => performance.now() + passed.ms,
  };
  return createTimeOut(createFollowClock(clocks));
}

async function startUpdate() {
  const device = await webhook.device();
  await device.connect();
  await device.subscribe();
  const { id } = await webhook.deploy((await webhook.firmware()).id, device);
  await expect.poll(async () => (await webhook.target(id, device)).state).toBe('sent');
  const read = async () => (await db.select().from(targets).where(eq(targets.deploymentId, id)))[0]!;
  return { id, device, read, deadline: (await read()).deadlineAt!.getTime() };
}

describe("the database's clock", () => {
  test('goes ahead by a day: no update under way times out, and none waits a day longer, with two copies', async () => {
    const { read, deadline } = await startUpdate();
    const offset = { ms: 0 };
    // The second reads the clock before the first has moved anything, and moves after it.
    const late = { ms: 0 };
    const copies = [createStep(offset), createStep(late)];
    for (const step of copies) await step(place);
    offset.ms = dayMs;
    late.ms = dayMs - 5_000;
    for (const step of copies) await step(place);
    const { state, attempt, deadlineAt } = await read();
    expect({ state, attempt }).toEqual({ state: 'sent', attempt: 1 });
    expect(Math.abs(deadlineAt!.getTime() - (deadline + dayMs))).toBeLessThan(10_000);
  });

  test('goes back by a day: what was put off until then is done in time', async () => {
    const { id, device, read, deadline } = await startUpdate();
    await db.execute(sql`update targets set deadline_at = deadline_at + interval '1 day', updated_at = updated_at + interval '1 day'
      where deployment_id = ${id}`);
    await db.execute(sql`update devices set connected_at = connected_at + interval '1 day',
      last_seen_at = last_seen_at + interval '1 day' where id = ${device.id}`);
    await db.execute(sql`insert into outbox (device_id, topic, body, send_at)
      values (${device.id}, 'control/command', '{"command": "identify"}', now() + interval '1 day')`);
    const offset = { ms: dayMs };
    const step = createStep(offset);
    await step(place);
    expect((await read()).deadlineAt!.getTime()).toBe(deadline + dayMs);
    offset.ms = 0;
    await step(place);
    expect(Math.abs((await read()).deadlineAt!.getTime() - deadline)).toBeLessThan(10_000);
    await expect.poll(() => webhook.broker.to(device.id, 'control/command')).toHaveLength(1);
    await device.connect(Date.now(), 'AB');
    await device.disconnect();
    const [row] = await db.select().from(devices).where(eq(devices.id, device.id));
    expect(row).toMatchObject({ online: false, certificateSerial: 'AB' });
  });

  test('goes back by a day: what a transaction of before commits after it is done in time, too', async () => {
    const { id, device, read, deadline } = await startUpdate();
    const offset = { ms: dayMs };
    const passed = { ms: 0 };
    const step = createStep(offset, passed);
    await step(place);
    offset.ms = 0;
    await step(place);
    await db.execute(sql`update targets set deadline_at = deadline_at + interval '1 day', updated_at = updated_at + interval '1 day'
      where deployment_id = ${id}`);
    await db.execute(sql`insert into outbox (device_id, topic, body, send_at)
      values (${device.id}, 'control/command', '{"command": "identify"}', now() + interval '1 day')`);
    passed.ms += 10_000;
    await step(place);
    expect(Math.abs((await read()).deadlineAt!.getTime() - deadline)).toBeLessThan(10_000);
    await expect.poll(() => webhook.broker.to(device.id, 'control/command')).toHaveLength(1);
  });
});

describe("a copy's own clock", () => {
  test('is not the one that deadlines go by', async () => {
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + dayMs);
    const { deadline } = await startUpdate();
    expect(Math.abs(deadline - (await readClock(db)) - defaultPolicy.ackTimeoutMs)).toBeLessThan(20_000);
  });

  test('goes back by a day, and its work goes on', async () => {
    const device = await webhook.device();
    await webhook.api('POST', '/api/bans', { device: device.id });
    await expect.poll(() => webhook.broker.banned.has(device.id)).toBe(true);
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() - dayMs);
    await webhook.api('DELETE', `/api/bans/${device.id}`);
    await expect.poll(() => webhook.broker.banned.has(device.id)).toBe(false);
  });
});
