/**
 * Pages by what they end with, not by how many rows go before: each costs the same, and none repeats or leaves out a row when others come or
 * go meanwhile. A cursor is the sort keys of the last row, as text, and opaque to clients.
 */
import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { AppError } from '../errors.ts';
import { isUnreadable } from './query.ts';

export interface Paging {
  limit: number;
  offset: number;
  cursor?: string | undefined;
}

interface Key {
  by: SQL | PgColumn;
  type: string;
  descends: boolean;
}

type Values = (string | null)[];

/** The keys of an order; together they tell any two rows apart. The first so many may be null, all of them together, which is less than everything. */
export class Order {
  readonly #name: string;
  readonly #keys: [Key, ...Key[]];
  readonly #nulls: number;

  /** `name`: of this order of this list, so that a cursor of another one is refused. */
  constructor(name: string, keys: [Key, ...Key[]], { nulls = 0 } = {}) {
    this.#name = name;
    this.#keys = keys;
    this.#nulls = nulls;
  }

  get by(): SQL[] {
    return this.#keys.map(({ by, descends }, at) => {
      if (at >= this.#nulls) return descends ? sql`${by} desc` : sql`${by}`;
      return descends ? sql`${by} desc nulls last` : sql`${by} nulls first`;
    });
  }

  /** To be selected as `key`. */
  get key(): SQL<Values> {
    const texts = this.#keys.map(({ by }) => sql`(${by})::text`);
    return sql`json_build_array(${sql.join(texts, sql`, `)})`;
  }

  /**
   * What is behind the cursor, as parts that follow one another; each is one range of an index. Throws `invalid_request`.
   */
  behind(cursor: string): SQL[] {
    const values = this.#read(cursor);
    const [{ by, descends }] = this.#keys;
    if (this.#nulls === 0) return [this.#from(0, values)];
    const isNull = sql`${by} is null`;
    if (values[0] === null) {
      const rest = sql`${isNull} and ${this.#from(this.#nulls, values)}`;
      return descends ? [rest] : [rest, sql`${by} is not null`];
    }
    return descends ? [this.#from(0, values), isNull] : [this.#from(0, values)];
  }

  cursorOf(key: Values): string {
    return writeCursor(this.#name, key);
  }

  #from(at: number, values: Values): SQL {
    const keys = this.#keys.slice(at);
    const typed = keys.map(({ type }, i) => sql`${values[at + i]}::text::${sql.raw(type)}`);
    const [first, ...others] = keys;
    const sign = (key: Key) => sql.raw(key.descends ? '<' : '>');
    if (others.every(({ descends }) => descends === first!.descends)) {
      const row = (of: (SQL | PgColumn)[]) => sql`(${sql.join(of, sql`, `)})`;
      return sql`${row(keys.map(({ by }) => by))} ${sign(first!)} ${row(typed)}`;
    }
    // The first comparison is what an index can begin at.
    return sql`(${first!.by} ${sign(first!)}= ${typed[0]} and (${first!.by} ${sign(first!)} ${typed[0]} or ${this.#from(at + 1, values)}))`;
  }

  #read(cursor: string): Values {
    const values = readCursor(this.#name, cursor);
    const areNull = this.#nulls > 0 && values[0] === null;
    const fits = values.every((one, at) =>
      areNull && at < this.#nulls ? one === null : typeof one === 'string',
    );
    if (values.length !== this.#keys.length || !fits) throw noCursor();
    return values as Values;
  }
}

/** `name`: of the list and its order. */
export function writeCursor(name: string, values: Values): string {
  return Buffer.from(JSON.stringify([name, ...values])).toString('base64url');
}

/** What stands in one of that name, as anybody may have written it. Throws `invalid_request`. */
export function readCursor(name: string, cursor: string): unknown[] {
  try {
    const [its, ...values] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (its === name) return values;
  } catch {
    // Not even JSON: refused like all that no page has told.
  }
  throw noCursor();
}

/** Throws `invalid_request`. */
export function refuseOffset({ offset }: { offset: number }): void {
  if (offset > 0) throw new AppError('invalid_request', 'cursor: cannot be given beside an offset');
}

export function noCursor(cause?: unknown): AppError {
  return new AppError(
    'invalid_request',
    'cursor: must be the `next` of another page of this list, in this order.',
    { cause },
  );
}

const typeOf = (column: PgColumn) => column.getSQLType().replace('serial', 'int').replace('bigint', 'int8');
export const up = (by: PgColumn): Key => ({ by, type: typeOf(by), descends: false });
export const down = (by: PgColumn): Key => ({ by, type: typeOf(by), descends: true });

/** `read`: rows in the order, with `key`, which is taken out of them, of those for which the condition holds. `next` null: there are no more. */
export async function readPage<Row extends { key: Values }>(
  order: Order,
  { limit, offset, cursor }: Paging,
  read: (where: SQL | undefined, limit: number, offset: number) => Promise<Row[]>,
): Promise<{ rows: Row[]; next: string | null }> {
  const found: Row[] = [];
  // One more than asked for, which tells whether there is a next page.
  if (cursor === undefined) found.push(...(await read(undefined, limit + 1, offset)));
  else {
    refuseOffset({ offset });
    for (const part of order.behind(cursor)) {
      if (found.length > limit) break;
      found.push(
        ...(await read(part, limit + 1 - found.length, 0).catch((error: unknown) => {
          // Its keys are anybody's words until the database has read them.
          throw isUnreadable(error) ? noCursor(error) : error;
        })),
      );
    }
  }
  const shown = found.slice(0, limit);
  const next = found.length > limit ? order.cursorOf(shown.at(-1)!.key) : null;
  return { rows: shown.map(({ key: _, ...row }) => row as Row), next };
}
