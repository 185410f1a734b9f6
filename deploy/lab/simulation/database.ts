/**
 * The product's own database (PGlite, its migrations, its SQL unchanged) in virtual time: PGlite asks the process for the time, so
 * `now()` is the process's; ids come from the seed. Each copy of the webhook has a connection of its own, which breaks when
 * the copy dies: at its n-th statement, or just before or after a commit.
 */
import { existsSync, openAsBlob, renameSync, writeFileSync } from 'node:fs';
import { Mutex, PGlite, type Transaction } from '@electric-sql/pglite';
import { connect, type Database, overPglite } from '#webhook/db/connect.ts';
import { Random } from '../primitives/random.ts';
import type { Change, DeploymentRow, TargetRow } from './promises/changes.ts';
import { Statements } from './statements.ts';
import { VirtualTime } from './virtual-time.ts';

/** Each change of a target or a deployment, each message that is remembered, each command that is done with, and in which transaction. */
const journal = `
  create table sim_journal (id bigserial primary key, tx bigint, at float8, kind text, before jsonb, after jsonb);
  create function sim_write() returns trigger language plpgsql as $$ begin
    insert into sim_journal (tx, at, kind, before, after) values (txid_current(), extract(epoch from now()) * 1000, tg_table_name,
      case when tg_op = 'INSERT' then null else to_jsonb(old) end, to_jsonb(coalesce(new, old)));
    return null;
  end $$;
  create trigger sim_targets after insert or update on targets for each row execute function sim_write();
  create trigger sim_deployments after insert or update on deployments for each row execute function sim_write();
  create trigger sim_outbox after delete on outbox for each row execute function sim_write();
  create trigger sim_received after insert on received_messages for each row execute function sim_write();`;

/** Stands before that of `pg_catalog`, whose generator is seeded once for ever. */
const seededIds = `
  create function public.gen_random_uuid() returns uuid language sql volatile
    as $$ select md5(pg_catalog.random()::text || pg_catalog.random()::text)::uuid $$;`;
const ownFunctionsFirst = `set search_path = public, pg_catalog`;

export interface Mortal {
  database: Database;
  /** Nothing that it has begun goes on, and what it had not committed is undone. */
  die(): void;
}

export class SimulatedDatabase {
  readonly #client: PGlite;
  readonly #statements: Statements;
  #time: VirtualTime | null = null;
  /** No transaction begins while another is open. */
  readonly #turns = new Mutex();
  /** Of copies, since the schedule has begun. */
  statements = 0;
  /** Those that may have written. */
  #writes = 0;
  #taken = 0;

  private constructor(client: PGlite) {
    this.#client = client;
    this.#statements = new Statements(client);
  }

  /** Made at that virtual time, of which its partitions are. `file`: where it is kept for later runs, or null; migrations cost seconds. */
  static async open(startMs: number, file: string | null): Promise<SimulatedDatabase> {
    const time = new VirtualTime(startMs, new Random(0));
    try {
      const kept = file !== null && existsSync(file) ? await openAsBlob(file) : await make(file);
      // Also what was only just made: plans, and with them the order of rows, depend on what a database has been through.
      const client = await PGlite.create({ loadDataDir: kept });
      await client.exec(ownFunctionsFirst);
      return new SimulatedDatabase(client);
    } finally {
      time.close();
    }
  }

  /** Empty, at the virtual time's now. */
  async begin(time: VirtualTime, seed: number): Promise<void> {
    this.#time = time;
    this.statements = 0;
    const { rows } = await this.#client.query<{ name: string }>(
      `select quote_ident(c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition`,
    );
    await this.#client.exec(`truncate ${rows.map((r) => r.name).join(', ')} restart identity cascade`);
    await this.#statements.forget();
    await this.#client.exec(`select setseed(${(seed % 10_000) / 10_000})`);
  }

  /** What has been committed since it was last asked: a list of changes for each transaction, in order. */
  async takeChanges(): Promise<Change[][]> {
    if (this.#writes === this.#taken) return [];
    this.#taken = this.#writes;
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
    return (await this.#turns.runExclusive(() => this.#statements.query<Row>(statement))).rows;
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
      this.statements++;
      if (!dead && --left <= 0) die();
      if (dead) return gone;
      const result = await work();
      return dead ? gone : result;
    };
    /** No other copy's statement comes between. */
    const alone = async <T>(work: () => Promise<T>): Promise<T> => {
      if (dead) return gone;
      await time.delay(random.int(0, 5));
      try {
        const result = await time.busy(() =>
          this.#turns.runExclusive(() => {
            if (dead) throw new Error('the copy has died');
            return Promise.race([work(), killed]);
          }),
        );
        return dead ? gone : result;
      } catch (error) {
        if (dead) return gone;
        throw error;
      }
    };

    const mine = {
      query: (...args: Parameters<Statements['query']>) => {
        if (!/^\s*select/i.test(args[0])) this.#writes++;
        return step(() => this.#statements.query(...args));
      },
      exec: (text: string) => step(() => this.#statements.exec(text)),
    };
    const client = {
      query: (...args: Parameters<Statements['query']>) => alone(() => mine.query(...args)),
      exec: (text: string) => alone(() => mine.exec(text)),
      transaction: <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
        alone(async () => {
          await this.#statements.exec('begin');
          try {
            const done = await Promise.race([work(mine as unknown as Transaction), killed]);
            if (--left <= 0) {
              die();
              if (random.chance(0.5)) throw new Error('the copy has died before its commit');
            }
            await this.#statements.exec('commit');
            return done;
          } catch (error) {
            await this.#statements.exec('rollback');
            throw error;
          }
        }),
    };
    return { database: overPglite(client as unknown as PGlite), die };
  }
}

async function make(file: string | null): Promise<Blob> {
  const client = await PGlite.create();
  await client.exec(`${seededIds} ${ownFunctionsFirst}`);
  await connect({ client });
  await client.exec(journal);
  const made = await client.dumpDataDir('none');
  await client.close();
  if (file === null) return made;
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, Buffer.from(await made.arrayBuffer()));
  renameSync(draft, file);
  return made;
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
    case 'outbox':
      return {
        tx,
        at,
        kind: 'removed',
        topic: after.topic,
        deviceId: after.device_id,
        deploymentId: after.deployment_id,
        attempt: after.attempt,
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
