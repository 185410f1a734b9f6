import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { afterAll, expect, test } from 'vitest';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/query.ts';
import { send } from '../outbox/send.ts';
import { createRecordingBroker, openDatabase } from '../testing.ts';
import { createMemoryStore } from '../testing-store.ts';
import { startTargets } from './starts.ts';
import { deployments } from './table.ts';

const database = await openDatabase();
afterAll(() => database.close());

const underWay = 2_500;
const started = 200;

/** Rows that the index of what is under way has given in this transaction. */
const read = async (tx: Db) =>
  (
    await query<{ n: number }>(
      tx,
      sql`select pg_stat_get_xact_tuples_returned('targets_one_active'::regclass)::int as n`,
    )
  )[0]!.n;

test('a start reads what it starts, though the planner was last told that nothing is under way', async () => {
  await database.db.transaction(async (tx) => {
    const id = await rollout(tx);
    const [row] = await tx.select().from(deployments).where(eq(deployments.id, id));
    const look = { soonAt: null, opensAt: null, frozenUntil: null, sweptAt: null };
    const before = await read(tx);
    const action = { upToWave: 0, limit: started, window: null, started: underWay };
    expect(await startTargets(tx, row!, action, look, Date.now())).toMatchObject({ count: started });
    const between = await read(tx);
    expect(between - before).toBeLessThan(underWay);
    const broker = createRecordingBroker();
    const context = {
      ...{ db: tx, broker, objects: createMemoryStore(), signer: null },
      log() {},
      live: { changed() {} },
    } as unknown as Context;
    await send(context);
    expect(broker.sent).toHaveLength(started);
    expect((await read(tx)) - between).toBeLessThan(underWay);
  });
});

/** In the middle: most have been started, which the planner has not seen. */
async function rollout(tx: Db): Promise<string> {
  const [deployment, firmware] = [randomUUID(), randomUUID()];
  await tx.execute(sql`
    insert into devices (id, name, hardware, online, reachable)
    select 'dev-' || n, 'Device ' || n, 'esp32-s3', true, true from generate_series(1, ${underWay + 2 * started}::int) n`);
  await tx.execute(sql`
    insert into firmwares (id, name, version, file_name, author, hardware, component, security_version, release_note,
      s3_path, size_bytes, sha256, manifest)
    values (${firmware}, 'one', '1.0.0', 'firmware.bin', 'test', 'esp32-s3', 'main', 0, '', 'path', 1, repeat('a', 64), 'm')`);
  await tx.execute(sql`
    insert into deployments (id, firmware_id, state, selection, policy, memory, created_by)
    values (${deployment}, ${firmware}, 'running', '{}', '{}', '{}', 'test')`);
  await tx.execute(sql`
    insert into targets (deployment_id, device_id, component, state, total_bytes)
    select ${deployment}, id, 'main', 'pending', 1 from devices`);
  await tx.execute(sql`analyze devices, targets`);
  await tx.execute(sql`
    update targets set state = 'sent', attempt = 1
    where device_id in (select id from devices order by id limit ${underWay}::int)`);
  return deployment;
}
