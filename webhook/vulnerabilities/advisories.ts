/** Feeds of vulnerabilities, as an operator brings them in: nothing here asks the internet. */
import { inArray, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { keysOfAffected } from '../sbom/keys.ts';
import { matchAdvisories } from './matching.ts';
import { hasMoreValues, maxValues, type Osv, osvSchema, toRanges, vulnerabilityOf } from './osv.ts';
import { advisories, advisoryPackages } from './table.ts';

/** In one request. */
export const maxAdvisories = 1_000;
const maxDetails = 20_000;

export interface Imported {
  /** Taken in, or taken anew. */
  imported: number;
  /** There already as they are, or newer. */
  unchanged: number;
  /** Withdrawn by who wrote them. */
  withdrawn: number;
}

/** All or none. Throws `feed_invalid`, with what is wrong with which. */
export async function importFeed(context: Context, given: unknown[], actor: string): Promise<Imported> {
  const parsed = given.map(parse);
  // Of one that is there twice the last is meant.
  const feed = [...new Map(parsed.map((one) => [one.id, one])).values()];
  const result = await context.db.transaction(async (tx) => {
    const withdrawn = feed.filter((one) => one.withdrawn);
    const ids = withdrawn.map(({ id }) => id);
    if (ids.length > 0) await tx.delete(advisories).where(inArray(advisories.id, ids));
    const rows = feed.filter((one) => !one.withdrawn).map(toRow);
    const written: string[] = [];
    for (let at = 0; at < rows.length; at += 500) {
      const changed = await tx
        .insert(advisories)
        .values(rows.slice(at, at + 500))
        .onConflictDoUpdate({
          target: advisories.id,
          set: Object.fromEntries(
            [
              'vulnerability',
              'aliases',
              'summary',
              'details',
              'severity',
              '"references"',
              'published_at',
              'modified_at',
              'imported_at',
            ].map((column) => [fieldOf(column), sql.raw(`excluded.${column}`)]),
          ),
          setWhere: sql`excluded.modified_at > ${advisories.modifiedAt}`,
        })
        .returning({ id: advisories.id });
      written.push(...changed.map(({ id }) => id));
    }
    const fresh = new Set(written);
    if (written.length > 0)
      await tx.delete(advisoryPackages).where(inArray(advisoryPackages.advisoryId, written));
    const packages = feed.filter(({ id }) => fresh.has(id)).flatMap(toPackages);
    const stored = [];
    for (let at = 0; at < packages.length; at += 500) {
      const part = packages.slice(at, at + 500);
      const inserted = await tx.insert(advisoryPackages).values(part).returning();
      stored.push(...inserted);
    }
    const names = new Map(feed.map((one) => [one.id, vulnerabilityOf(one)]));
    await matchAdvisories(
      tx,
      stored.map((one) => ({ ...one, vulnerability: names.get(one.advisoryId)! })),
    );
    const counts = {
      imported: written.length,
      unchanged: rows.length - written.length,
      withdrawn: ids.length,
    };
    await record(tx, { actor, action: 'vulnerability.import', subject: 'feed', detail: { ...counts } });
    return counts;
  });
  context.live.changed('vulnerability', 'feed');
  return result;
}

function parse(given: unknown, at: number): Osv {
  const id = (given as { id?: unknown } | null)?.id;
  const which = typeof id === 'string' ? ` (${id.slice(0, 60)})` : '';
  const refuse = (why: string) => new AppError('feed_invalid', `Entry ${at + 1}${which} ${why}.`);
  if (hasMoreValues(given, maxValues)) throw refuse(`holds more than ${maxValues} values`);
  const parsed = osvSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw refuse(`is not OSV: ${path.join('.') || 'entry'}: ${message}`);
}

const fieldOf = (column: string) =>
  column.replaceAll('"', '').replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

function toRow(osv: Osv) {
  const { id, aliases, summary, details, published, modified } = osv;
  return {
    id,
    vulnerability: vulnerabilityOf(osv),
    aliases,
    summary,
    details: details.slice(0, maxDetails),
    severity: osv.severity[0]?.score ?? osv.database_specific?.severity ?? null,
    references: osv.references.map(({ url }) => url).slice(0, 50),
    publishedAt: published ? new Date(published) : null,
    modifiedAt: new Date(modified),
    importedAt: new Date(),
  };
}

function toPackages(osv: Osv) {
  return osv.affected.flatMap(({ package: named, ranges, versions }) => {
    const keys = keysOfAffected(
      named,
      ranges.flatMap(({ repo }) => repo ?? []),
    );
    const usable = toRanges(ranges);
    if (keys.length === 0 || (usable.length === 0 && versions.length === 0)) return [];
    return [{ advisoryId: osv.id, keys, name: named?.name ?? keys[0]!, versions, ranges: usable }];
  });
}
