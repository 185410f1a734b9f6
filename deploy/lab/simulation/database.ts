/**
 * The product's own database (PGlite, its migrations, its SQL unchanged) in virtual time: PGlite asks the process for the time, so
 * `now()` is the process's; ids come from the seed. Each copy of the webhook has a connection of its own, which breaks when
 * the copy dies: at its n-th statement, or just before or after a commit.
 */
import { existsSync, openAsBlob, renameSync, writeFileSync } from 'node:fs';
import { Mutex, type PGlite, type Transaction } from '@electric-sql/pglite';
import { connect, type Database, overPglite } from '#webhook/db/connect.ts';
import { openPglite } from '#webhook/db/pglite.ts';
import { Random } from '../primitives/random.ts';
import { createJournal, type JournalRow, mayBeNoted, takeJournal, toTransactions } from './journal.ts';
import type { Change } from './promises/changes.ts';
import { Statements } from './statements.ts';
import { VirtualTime } from './virtual-time.ts';

/** Stands before that of `pg_catalog`, whose generator is seeded once for ever. */
const seededIds = `
  create function public.gen_random_uuid() returns uuid language sql volatile
    as $$ select md5(pg_catalog.random()::text || pg_catalog.random()::text)::uuid $$;`;
const ownFunctionsFirst = `set search_path = public, pg_catalog`;
const planOnce = `set plan_cache_mode = force_generic_plan`;

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
  /** Those that may have written to the journal. */
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
      const client = await openPglite({ loadDataDir: kept });
      await client.exec(`${ownFunctionsFirst}; ${planOnce}`);
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
    return toTransactions(await this.query<JournalRow>(takeJournal));
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
        if (mayBeNoted(args[0])) this.#writes++;
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
  const client = await openPglite();
  await client.exec(`${seededIds} ${ownFunctionsFirst}`);
  await connect({ client });
  await client.exec(createJournal);
  const made = await client.dumpDataDir('none');
  await client.close();
  if (file === null) return made;
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, Buffer.from(await made.arrayBuffer()));
  renameSync(draft, file);
  return made;
}
