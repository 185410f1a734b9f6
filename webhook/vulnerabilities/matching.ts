/**
 * Which firmware has what an advisory is about. It is found when an SBOM or an advisory comes, because versions have no order that SQL
 * knows; whoever asks about devices then only joins.
 */
import { arrayOverlaps, eq, inArray } from 'drizzle-orm';
import type { Db } from '../db/query.ts';
import { firmwarePackages } from '../sbom/table.ts';
import { fixedIn, isAffected } from './osv.ts';
import { advisories, advisoryPackages, findings } from './table.ts';

type FirmwarePackage = typeof firmwarePackages.$inferSelect;
type AdvisoryPackage = typeof advisoryPackages.$inferSelect & { vulnerability: string };

/** Keys asked for in one statement. */
const keysAtOnce = 2_000;

/** Anew, after the firmware's packages have changed. */
export async function matchFirmware(tx: Db, firmwareId: string): Promise<void> {
  await tx.delete(findings).where(eq(findings.firmwareId, firmwareId));
  const packages = await tx
    .select()
    .from(firmwarePackages)
    .where(eq(firmwarePackages.firmwareId, firmwareId));
  for (const keys of slices(packages)) {
    const rows = await tx
      .select({ of: advisoryPackages, vulnerability: advisories.vulnerability })
      .from(advisoryPackages)
      .innerJoin(advisories, eq(advisories.id, advisoryPackages.advisoryId))
      .where(arrayOverlaps(advisoryPackages.keys, keys));
    const named = rows.map(({ of, vulnerability }) => ({ ...of, vulnerability }));
    await store(tx, match(packages, named));
  }
}

/** Anew, after these advisories have changed. Their rows of packages are given. */
export async function matchAdvisories(tx: Db, affected: AdvisoryPackage[]): Promise<void> {
  const ids = [...new Set(affected.map(({ advisoryId }) => advisoryId))];
  if (ids.length > 0) await tx.delete(findings).where(inArray(findings.advisoryId, ids));
  for (const keys of slices(affected)) {
    const packages = await tx
      .select()
      .from(firmwarePackages)
      .where(arrayOverlaps(firmwarePackages.keys, keys));
    await store(tx, match(packages, affected));
  }
}

function slices(rows: { keys: string[] }[]): string[][] {
  const keys = [...new Set(rows.flatMap((row) => row.keys))];
  return Array.from({ length: Math.ceil(keys.length / keysAtOnce) }, (_, i) =>
    keys.slice(i * keysAtOnce, (i + 1) * keysAtOnce),
  );
}

function match(packages: FirmwarePackage[], affected: AdvisoryPackage[]): (typeof findings.$inferInsert)[] {
  const byKey = new Map<string, AdvisoryPackage[]>();
  for (const one of affected)
    for (const key of one.keys) {
      const others = byKey.get(key);
      if (others) others.push(one);
      else byKey.set(key, [one]);
    }
  const judge = createJudge();
  return packages.flatMap(({ id, firmwareId, name, version, keys }) => {
    if (version === null) return [];
    const candidates = new Set(keys.flatMap((key) => byKey.get(key) ?? []));
    return [...candidates].flatMap((one) => {
      const verdict = judge(one, version);
      if (!verdict) return [];
      const { advisoryId, vulnerability } = one;
      return [{ advisoryId, vulnerability, firmwareId, packageId: id, package: name, version, ...verdict }];
    });
  });
}

type Verdict = { fixedIn: string | null } | null;

/** Many firmwares have one version of a package, and an advisory may name thousands: each two are compared once. */
function createJudge() {
  const known = new Map<AdvisoryPackage, Map<string, Verdict>>();
  return (one: AdvisoryPackage, version: string): Verdict => {
    const verdicts = known.get(one) ?? new Map<string, Verdict>();
    known.set(one, verdicts);
    let verdict = verdicts.get(version);
    if (verdict === undefined) {
      verdict = isAffected(version, one) ? { fixedIn: fixedIn(version, one) } : null;
      verdicts.set(version, verdict);
    }
    return verdict;
  };
}

async function store(tx: Db, rows: (typeof findings.$inferInsert)[]): Promise<void> {
  for (let at = 0; at < rows.length; at += 1_000)
    await tx
      .insert(findings)
      .values(rows.slice(at, at + 1_000))
      .onConflictDoNothing();
}
