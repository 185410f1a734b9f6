/**
 * Long work that one copy does at a time: a row and not a lock of the database, which would hold a connection for as long. It ends by
 * itself, so a copy that dies keeps the others waiting for no longer than that.
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { type Db, query } from './query.ts';

const leaseMs = 60_000;
/** A tick of the steady clock between two renewals. */
const renewMs = 10_000;

export interface Lease {
  /** Call it often: it writes now and then. Throws when another copy has taken the lease over. */
  keep(): Promise<void>;
  /** @param done others need not do the same again */
  end(done: boolean): Promise<void>;
}

/**
 * `held`: another copy is at it. `done`: one has done it, and began less than `freshMs` ago. An end that is further away than any can be is
 * of a clock that went back, and holds nobody up.
 */
export async function takeLease(db: Db, name: string, freshMs: number): Promise<Lease | 'held' | 'done'> {
  const holder = randomUUID();
  const now = sql`clock_timestamp()`;
  const within = (ms: number) => sql`make_interval(secs => ${ms / 1000}::float8)`;
  const isFresh = sql`leases.done_at is not null and leases.began_at > ${now} - ${within(freshMs)}`;
  const [mine] = await query(
    db,
    sql`insert into leases (name, holder, began_at, ends_at) values (${name}, ${holder}::uuid, ${now}, ${now} + ${within(leaseMs)})
        on conflict (name) do update
        set holder = excluded.holder, began_at = excluded.began_at, ends_at = excluded.ends_at, done_at = null
        where (leases.ends_at <= ${now} or leases.ends_at > ${now} + ${within(2 * leaseMs)}) and not (${isFresh})
        returning name`,
  );
  if (!mine) {
    const [row] = await query<{ done: boolean }>(
      db,
      sql`select ${isFresh} as done from leases where name = ${name}`,
    );
    return row?.done ? 'done' : 'held';
  }
  const write = (values: ReturnType<typeof sql>) =>
    query(
      db,
      sql`update leases set ${values} where name = ${name} and holder = ${holder}::uuid returning name`,
    );
  let writtenAt = performance.now();
  return {
    async keep() {
      if (performance.now() - writtenAt < renewMs) return;
      const [kept] = await write(sql`ends_at = ${now} + ${within(leaseMs)}`);
      if (!kept) throw new Error(`another copy has taken over: ${name}`);
      writtenAt = performance.now();
    },
    async end(done) {
      await write(done ? sql`ends_at = ${now}, done_at = ${now}` : sql`ends_at = ${now}`);
    },
  };
}
