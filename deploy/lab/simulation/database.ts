/**
 * The product's own database (PGlite, its migrations, its SQL unchanged) in virtual time: functions of `public` stand before those of
 * `pg_catalog`, so that `now()`, `clock_timestamp()` and `gen_random_uuid()` are ours. Each copy of the webhook has a connection of
 * its own, which breaks when the copy dies: at its n-th statement, or just before or after a commit.
 */
import { PGlite, type Transaction } from '@electric-sql/pglite';
import { connect, type Database, overPglite } from '#webhook/db/connect.ts';
import type { Db } from '#webhook/db/query.ts';
import type { Random } from '../primitives/random.ts';
import type { Change, DeploymentRow, TargetRow } from './invariants.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Each change of a target or a deployment, and each message that is remembered, with the transaction that made it. */
const journal = `
  create table sim_journal (id bigserial primary key, tx bigint, at float8, kind text, before jsonb, after jsonb);
  create function sim_write() returns trigger language plpgsql as $$ begin
    insert into sim_journal (tx, at, kind, before, after) values (txid_current(), extract(epoch from now()) * 1000, tg_table_name,
      case when tg_op = 'INSERT' then null else to_jsonb(old) end, to_jsonb(new));
    return null;
  end $$;
  create trigger sim_targets after insert or update on targets for each row execute function sim_write();
  create trigger sim_deployments after insert or update on deployments for each row execute function sim_write();
  create trigger sim_received after insert on received_messages for each row execute function sim_write();`;

const virtualClock = `
  create function public.now() returns timestamptz language sql stable
    as $$ select to_timestamp(current_setting('flota.now_ms')::float8 / 1000) $$;
  create function public.clock_timestamp() returns timestamptz language sql stable as $$ select public.now() $$;
  create function public.gen_random_uuid() returns uuid language sql volatile
    as $$ select md5(pg_catalog.random()::text || pg_catalog.random()::text)::uuid $$;
  set search_path = public, pg_catalog;`;

export interface Mortal {
  database: Database;
  /** Nothing that it has begun goes on, and what it had not committed is undone. */
  die(): void;
}

export class SimulatedDatabase {
  readonly #client: PGlite;
  /** What the checks ask; it sees what is committed. */
  readonly db: Db;
  #time: VirtualTime | null = null;
  #commits = 0;
  #taken = 0;

  private constructor(client: PGlite, db: Db) {
    this.#client = client;
    this.db = db;
  }

  static async open(startMs: number): Promise<SimulatedDatabase> {
    const client = await PGlite.create();
    await client.exec(virtualClock);
    await client.exec(`set flota.now_ms = '${startMs}'`);
    const { db } = await connect({ client });
    await client.exec(journal);
    return new SimulatedDatabase(client, db);
  }

  /** Empty, at the virtual time's now. */
  async begin(time: VirtualTime, seed: number): Promise<void> {
    this.#time = time;
    const { rows } = await this.#client.query<{ name: string }>(
      `select quote_ident(c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition`,
    );
    await this.#client.exec(`truncate ${rows.map((r) => r.name).join(', ')} restart identity cascade`);
    await this.#client.exec(`select setseed(${(seed % 10_000) / 10_000})`);
    await this.#stamp(this.#client);
  }

  /** What has been committed since it was last asked: a list of changes for each transaction, in order. */
  async takeChanges(): Promise<Change[][]> {
    if (this.#commits === this.#taken) return [];
    this.#taken = this.#commits;
    const rows = await this.query<JournalRow>(
      `with taken as (delete from sim_journal returning *)
       select tx::text, at, kind, before, after from taken order by id`,
    );
    const transactions: Change[][] = [];
    for (const change of rows.map(toChange)) {
      const last = transactions.at(-1);
      if (last && last[0]!.tx === change.tx) last.push(change);
      else transactions.push([change]);
    }
    return transactions;
  }

  async query<Row>(statement: string): Promise<Row[]> {
    await this.#stamp(this.#client);
    return (await this.#client.query<Row>(statement)).rows;
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** A connection that breaks at its `statements`-th statement (null: never by itself); `onDeath` hears of it. */
  connect(random: Random, statements: number | null, onDeath: () => void): Mortal {
    const time = this.#time!;
    const gone = new Promise<never>(() => {});
    let left = statements ?? Number.POSITIVE_INFINITY;
    let dead = false;
    let kill = () => {};
    const killed = new Promise<never>((_, reject) => {
      kill = () => reject(new Error('the copy has died'));
    });
    killed.catch(() => {});
    const die = () => {
      if (dead) return;
      dead = true;
      kill();
      onDeath();
    };
    /** One statement of this copy; whoever waits for one of a dead copy waits for ever, as the dead do. */
    const step = async <T>(work: () => Promise<T>): Promise<T> => {
      if (!dead && --left <= 0) die();
      if (dead) return gone;
      const result = await work();
      return dead ? gone : result;
    };
    const alone = <T>(work: () => Promise<T>): Promise<T> =>
      step(async () => {
        await time.delay(random.int(0, 5));
        return time.busy(async () => {
          await this.#stamp(this.#client);
          this.#commits++;
          return work();
        });
      });

    const client = {
      query: (...args: Parameters<PGlite['query']>) => alone(() => this.#client.query(...args)),
      exec: (...args: Parameters<PGlite['exec']>) => alone(() => this.#client.exec(...args)),
      transaction: async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
        if (dead) return gone;
        await time.delay(random.int(0, 5));
        let result: T;
        this.#commits++;
        try {
          result = await time.busy(() =>
            this.#client.transaction(async (tx) => {
              if (dead) throw new Error('the copy has died');
              await this.#stamp(tx);
              const mine = {
                query: (...args: Parameters<Transaction['query']>) => step(() => tx.query(...args)),
                exec: (...args: Parameters<Transaction['exec']>) => step(() => tx.exec(...args)),
                rollback: () => tx.rollback(),
              };
              const done = await Promise.race([work(mine as unknown as Transaction), killed]);
              if (--left <= 0) {
                die();
                if (random.chance(0.5)) throw new Error('the copy has died before its commit');
              }
              return done;
            }),
          );
        } catch (error) {
          if (dead) return gone;
          throw error;
        }
        return dead ? gone : result;
      },
    };
    return { database: overPglite(client as unknown as PGlite), die };
  }

  async #stamp(client: PGlite | Transaction): Promise<void> {
    await client.exec(`set flota.now_ms = '${Date.now()}'`);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: rows as the database writes them
type Row = Record<string, any>;
interface JournalRow {
  tx: string;
  at: number;
  kind: string;
  before: Row | null;
  after: Row;
}

function toChange({ tx, at, kind, before, after }: JournalRow): Change {
  switch (kind) {
    case 'targets':
      return { tx, at, kind: 'target', before: before && toTarget(before), after: toTarget(after) };
    case 'deployments':
      return {
        tx,
        at,
        kind: 'deployment',
        before: before && toDeployment(before),
        after: toDeployment(after),
      };
    default:
      return { tx, at, kind: 'received', deviceId: after.device_id, messageId: after.message_id };
  }
}

function toTarget(row: Row): TargetRow {
  return {
    deploymentId: row.deployment_id,
    deviceId: row.device_id,
    component: row.component,
    wave: row.wave,
    state: row.state,
    attempt: row.attempt,
    attemptsForgiven: row.attempts_forgiven,
    errorCode: row.error_code,
    hasDeadline: row.deadline_at !== null,
  };
}

function toDeployment(row: Row): DeploymentRow {
  return {
    id: row.id,
    order: `${row.created_at} ${row.id}`,
    firmwareId: row.firmware_id,
    state: row.state,
    policy: row.policy,
    gates: row.memory.gates,
    wave: row.memory.wave,
    resolvedAt: row.memory.resolvedAt,
  };
}
