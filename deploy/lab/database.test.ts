import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type Database } from '#webhook/db/connect.ts';
import { type Cluster, createCluster } from './primitives/postgresql.ts';
import { until } from './primitives/until.ts';

const connections = 4;
let postgresql: Cluster;
let database: Database;
/** Two are for what devices say. */
const pool = (i: number) => (i < 2 ? database.ingest : database.db);

beforeAll(async () => {
  postgresql = await createCluster();
  database = await connect({ url: postgresql.url, connections });
});
afterAll(async () => {
  await database?.close();
  await postgresql?.remove();
});

it('a database that stops in the middle of transactions ends them, and nothing else; every connection works again', async () => {
  for (let round = 0; round < 3; round++) {
    let underWay = 0;
    const transactions = Array.from({ length: connections }, (_, i) =>
      pool(i).transaction(async (tx) => {
        await tx.execute(sql`select 1`);
        underWay++;
        // Some wait for the database when it goes, some are between two statements.
        for (;;) await tx.execute(i % 2 ? sql`select pg_sleep(60)` : sql`select 1`);
      }),
    );
    const ended = Promise.allSettled(transactions);
    await until(
      () => underWay,
      (n) => n === connections,
    );
    await postgresql.stop();
    expect((await ended).every(({ status }) => status === 'rejected')).toBe(true);
    await expect(database.db.execute(sql`select 1`)).rejects.toThrow();
    await postgresql.start();
    await until(
      () =>
        database.db.execute(sql`select 1`).then(
          () => true,
          () => false,
        ),
      Boolean,
    );
    // All at once, so that each takes a connection of its own.
    const pids = await Promise.all(
      Array.from({ length: connections }, (_, i) =>
        pool(i).transaction(async (tx) => {
          const [row] = (await tx.execute(sql`select pg_backend_pid() as pid, pg_sleep(0.3)`)) as unknown as {
            pid: number;
          }[];
          return row!.pid;
        }),
      ),
    );
    expect(new Set(pids).size).toBe(connections);
  }
});

it('a database whose owner is killed ends with it, also in the middle of a long statement', async () => {
  const owner = spawn(process.execPath, [
    ...['--import', 'tsx', '--input-type=module', '--eval'],
    `import postgres from 'postgres';
    import { createCluster } from ${JSON.stringify(new URL('primitives/postgresql.ts', import.meta.url).href)};
    const { url, dir } = await createCluster();
    const sql = postgres(url, { max: 1 });
    const [{ pid }] = await sql\`select pg_backend_pid() as pid\`;
    sql.unsafe('do $$ begin loop end loop; end $$').catch(() => {});
    console.log(JSON.stringify({ pid, dir }));`,
  ]);
  const [line] = await once(owner.stdout, 'data');
  const { pid, dir } = JSON.parse(String(line)) as { pid: number; dir: string };
  const stat = `/proc/${pid}/stat`;
  try {
    await until('it to be at work', () => / R /.test(readFileSync(stat, 'utf8')));
    owner.kill('SIGKILL');
    await until('it to end', () => !existsSync(stat));
  } finally {
    if (existsSync(stat)) process.kill(pid, 'SIGKILL');
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
});
