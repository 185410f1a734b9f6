/**
 * The version of what people change: a column that only a trigger moves (`bump_revision`), so that no writer forgets it, and what a caller
 * expects of it (`If-Match`), which the operation that makes the change checks in its own transaction.
 */
import { createHash } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { bigint, type PgColumn, type PgTable } from 'drizzle-orm/pg-core';
import { AppError } from '../errors.ts';
import type { Db } from './query.ts';

export const revision = () => bigint({ mode: 'number' }).notNull().default(1);

/** Made of `If-Match`; without it, and with `*`, everything is as expected. */
export class Expected {
  readonly #versions: ReadonlySet<string> | null;
  #wasChecked: boolean;

  constructor(versions: Iterable<string> | null) {
    this.#versions = versions && new Set(versions);
    this.#wasChecked = versions === null;
  }

  /** An operation that says it heeds `If-Match` and does not is a fault, which this shows. */
  get wasChecked(): boolean {
    return this.#wasChecked;
  }

  /** Of the row as it is now; nobody changes it until the transaction ends. One that is not there is left to who changes it. Throws `changed_meanwhile`. */
  async ensure(tx: Db, table: PgTable & { id: PgColumn; revision: PgColumn }, id: string): Promise<void> {
    if (!this.#versions) return;
    const [row] = await tx
      .select({ revision: table.revision })
      .from(table)
      .where(eq(table.id, id))
      .for('no key update');
    this.#wasChecked = true;
    if (row) this.ensureIs(row.revision as number);
  }

  /** Of what the caller has read and locked itself. Throws `changed_meanwhile`. */
  ensureIs(version: number | string): void {
    this.#wasChecked = true;
    if (this.#versions && !this.#versions.has(String(version)))
      throw new AppError('changed_meanwhile', 'Somebody has changed it meanwhile: look at it again.');
  }
}

export const anything = new Expected(null);

/** The version of what has no row of its own. Without a hyphen, which ends a revision in an ETag. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
