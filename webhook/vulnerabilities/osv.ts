/** The part of OSV (https://ossf.github.io/osv-schema/) that decides which versions are affected. Pure. */
import { z } from '@hono/zod-openapi';
import { compareVersions, plainVersion } from '../sbom/versions.ts';

/** Of one advisory, whatever is in what; the largest have some ten thousands. Whatever is wrong is noted value by value before the first is told. */
export const maxValues = 200_000;

/** Of JSON that does not nest deep. */
export function hasMoreValues(json: unknown, most: number): boolean {
  let left = most;
  const count = (value: unknown): boolean => {
    if (--left < 0) return true;
    return typeof value === 'object' && value !== null && Object.values(value).some(count);
  };
  return count(json);
}

const text = z.string().max(1_000);
const event = z.looseObject({
  introduced: text.optional(),
  fixed: text.optional(),
  last_affected: text.optional(),
  limit: text.optional(),
});
const range = z.looseObject({
  type: z.enum(['SEMVER', 'ECOSYSTEM', 'GIT']),
  repo: text.optional(),
  events: z.array(event).min(1).max(1_000),
});
const severity = z.looseObject({ type: text, score: text });

export const osvSchema = z
  .looseObject({
    id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9:._-]{0,99}$/),
    modified: z.iso.datetime({ offset: true }),
    published: z.iso.datetime({ offset: true }).optional(),
    withdrawn: z.iso.datetime({ offset: true }).optional(),
    aliases: z.array(text).max(100).default([]),
    summary: z.string().max(10_000).default(''),
    details: z.string().max(200_000).default(''),
    severity: z.array(severity).max(20).default([]),
    references: z
      .array(z.looseObject({ url: z.string().max(2_000) }))
      .max(500)
      .default([]),
    database_specific: z.looseObject({ severity: text.optional().catch(undefined) }).optional(),
    affected: z
      .array(
        z.looseObject({
          package: z.looseObject({ ecosystem: text, name: text, purl: text.optional() }).optional(),
          ranges: z.array(range).max(1_000).default([]),
          versions: z.array(text).max(20_000).default([]),
        }),
      )
      .max(2_000)
      .default([]),
  })
  .openapi('OsvAdvisory');
export type Osv = z.infer<typeof osvSchema>;

/** Of a range by versions, its events; commits mean nothing to an SBOM. */
export type Range = { introduced?: string; fixed?: string; lastAffected?: string; limit?: string }[];

export interface Affected {
  versions: string[];
  ranges: Range[];
}

/** The algorithm of OSV's page, "Evaluation". */
export function isAffected(version: string, { versions, ranges }: Affected): boolean {
  const plain = plainVersion(version);
  return versions.some((one) => plainVersion(one) === plain) || ranges.some((one) => isInRange(version, one));
}

function isInRange(version: string, events: Range): boolean {
  const limits = events.flatMap(({ limit }) => limit ?? []);
  const isBefore = (limit: string) => limit === '*' || compareVersions(version, limit) < 0;
  if (limits.length > 0 && !limits.some(isBefore)) return false;
  let affected = false;
  for (const { introduced, fixed, lastAffected } of [...events].sort(byVersion)) {
    if (introduced !== undefined && (introduced === '0' || compareVersions(version, introduced) >= 0))
      affected = true;
    else if (fixed !== undefined && compareVersions(version, fixed) >= 0) affected = false;
    else if (lastAffected !== undefined && compareVersions(version, lastAffected) > 0) affected = false;
  }
  return affected;
}

function byVersion(a: Range[number], b: Range[number]): number {
  const of = (one: Range[number]) => one.introduced ?? one.fixed ?? one.lastAffected ?? one.limit ?? '0';
  if (of(a) === '0' || of(b) === '0') return of(a) === of(b) ? 0 : of(a) === '0' ? -1 : 1;
  return compareVersions(of(a), of(b));
}

/** The first of the versions that mend it for who has this one. */
export function fixedIn(version: string, { ranges }: Affected): string | null {
  const later = ranges
    .flat()
    .flatMap(({ fixed }) => fixed ?? [])
    .filter((fixed) => compareVersions(fixed, version) > 0)
    .sort(compareVersions);
  return later[0] ?? null;
}

export function toRanges(ranges: Osv['affected'][number]['ranges']): Range[] {
  return ranges
    .filter(({ type }) => type !== 'GIT')
    .map(({ events }) =>
      events.map(({ introduced, fixed, last_affected, limit }) => ({
        ...(introduced !== undefined && { introduced }),
        ...(fixed !== undefined && { fixed }),
        ...(last_affected !== undefined && { lastAffected: last_affected }),
        ...(limit !== undefined && { limit }),
      })),
    );
}

/** Under which name it is found. */
export function vulnerabilityOf({ id, aliases }: Pick<Osv, 'id' | 'aliases'>): string {
  const isCve = (name: string) => /^CVE-\d{4}-\d{4,}$/.test(name);
  return isCve(id) ? id : (aliases.find(isCve) ?? id);
}
