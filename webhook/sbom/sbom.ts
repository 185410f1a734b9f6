/** What firmwares are made of: taken in, and asked about. */
import { createHash, randomUUID } from 'node:crypto';
import { and, arrayOverlaps, eq, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { Order, type Paging, readPage, up } from '../db/keyset.ts';
import { type Db, query } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { contains } from '../db/search.ts';
import { AppError } from '../errors.ts';
import * as firmware from '../firmware/firmware.ts';
import type { PresignedUrl } from '../firmware/objects.ts';
import { matchFirmware } from '../vulnerabilities/matching.ts';
import { type Package, readSbom } from './document.ts';
import { keysOfPackage, nameKey, parsePurl } from './keys.ts';
import { firmwarePackages, firmwareSboms } from './table.ts';
import { compareVersions } from './versions.ts';

export type Sbom = typeof firmwareSboms.$inferSelect;
/** `signed`: the firmware's signed manifest names this document's digest. */
export type SbomView = Sbom & { signed: boolean };

/** Also those of an image file: a linux of a gateway has thousands of packages. */
export const maxSbomBytes = 8 * 1024 * 1024;

/** Takes the place of the one before. The manifest is signed again, with its digest, where this process has a signer. Throws `sbom_invalid`. */
export async function attach(
  context: Context,
  id: string,
  content: Uint8Array,
  actor: string,
  expected = anything,
): Promise<SbomView> {
  const { db, objects, signer } = context;
  const image = await firmware.get(db, id);
  const read = readSbom(content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const s3Path = `${image.version}/${randomUUID()}/sbom`;
  const type = read.format === 'spdx-tag-value' ? 'text/spdx' : 'application/json';
  await objects.put(s3Path, Buffer.from(content).toString('utf8'), type);
  const manifest = await signer?.sign({ ...firmware.toManifest(image), sbom: sha256 });
  const packages = distinct(read.packages);
  const values = {
    firmwareId: id,
    format: read.format,
    specVersion: read.specVersion,
    sha256,
    sizeBytes: content.length,
    s3Path,
    packages: packages.length,
    unversioned: packages.filter(({ version }) => version === null).length,
    badPurls: packages.filter(({ purl }) => purl !== null && !parsePurl(purl)).length,
    uploadedBy: actor,
    uploadedAt: new Date(),
  };
  await db.transaction(async (tx) => {
    await firmware.change(tx, id, expected);
    await tx
      .insert(firmwareSboms)
      .values(values)
      .onConflictDoUpdate({ target: firmwareSboms.firmwareId, set: values });
    await tx.delete(firmwarePackages).where(eq(firmwarePackages.firmwareId, id));
    const rows = packages.map((one) => ({
      ...one,
      firmwareId: id,
      purl: parsePurl(one.purl) ? one.purl : null,
      keys: keysOfPackage(one),
    }));
    for (let at = 0; at < rows.length; at += 1_000)
      await tx.insert(firmwarePackages).values(rows.slice(at, at + 1_000));
    if (manifest) await firmware.setManifest(tx, id, manifest);
    await matchFirmware(tx, id);
    const { format } = read;
    const detail = { sha256, format, packages: packages.length };
    await record(tx, { actor, action: 'firmware.sbom', subject: id, detail });
  });
  context.live.changed('firmware', id);
  return get(db, id);
}

function distinct(packages: Package[]): Package[] {
  const keyOf = ({ name, version, purl, cpe }: Package) => JSON.stringify([name, version, purl, cpe]);
  return [...new Map(packages.map((one) => [keyOf(one), one])).values()];
}

/** Null: it has none. Throws `not_found` where there is no such firmware. */
export async function find(db: Db, id: string): Promise<SbomView | null> {
  const { manifest } = await firmware.get(db, id);
  const [row] = await db.select().from(firmwareSboms).where(eq(firmwareSboms.firmwareId, id));
  return row
    ? { ...row, signed: manifest !== null && firmware.readManifest(manifest).sbom === row.sha256 }
    : null;
}

async function get(db: Db, id: string): Promise<SbomView> {
  const found = await find(db, id);
  if (!found) throw new AppError('not_found', 'This firmware has no SBOM.');
  return found;
}

export async function presignDocument({ db, objects }: Context, id: string): Promise<PresignedUrl> {
  const { s3Path, format } = await get(db, id);
  return objects.presignDownload(s3Path, format === 'spdx-tag-value' ? 'sbom.spdx' : 'sbom.json');
}

/** Of one firmware, by name. */
const byName = new Order('packages of a firmware', [up(firmwarePackages.name), up(firmwarePackages.id)]);

export async function listPackages(db: Db, id: string, paging: Paging) {
  const { name, version, purl, cpe } = firmwarePackages;
  const { rows: items, next } = await readPage(byName, paging, (behind, limit, offset) =>
    db
      .select({ name, version, purl, cpe, key: byName.key })
      .from(firmwarePackages)
      .where(and(eq(firmwarePackages.firmwareId, id), behind))
      .orderBy(...byName.by)
      .limit(limit)
      .offset(offset),
  );
  return { items, total: (await get(db, id)).packages, next };
}

export interface PackageFilter {
  /** A package URL without version, or a name. */
  name: string;
  /** Only versions before it. */
  below?: string | undefined;
}

/** The firmwares with a package of this name, and their versions of it; a fleet has few firmwares, so versions are compared here. */
export async function findFirmwares(
  db: Db,
  { name, below }: PackageFilter,
): Promise<{ firmwareId: string; name: string; version: string | null; purl: string | null }[]> {
  const key = name.startsWith('pkg:') ? name.toLowerCase().replace(/@.*$/, '') : nameKey(name);
  const { firmwareId, version, purl } = firmwarePackages;
  const rows = await db
    .select({ firmwareId, name: firmwarePackages.name, version, purl })
    .from(firmwarePackages)
    .where(
      name.startsWith('pkg:')
        ? arrayOverlaps(firmwarePackages.keys, [key])
        : sql`(${arrayOverlaps(firmwarePackages.keys, [key])} or lower(${firmwarePackages.name}) = ${name.toLowerCase()})`,
    );
  if (below === undefined) return rows;
  return rows.filter((one) => one.version !== null && compareVersions(one.version, below) < 0);
}

const byVersion = new Order('packages', [
  { by: sql`name`, type: 'text', descends: false },
  { by: sql`version is null`, type: 'bool', descends: false },
  { by: sql`coalesce(version, '')`, type: 'text', descends: false },
]);

/** Packages of all firmwares by name and version, with how many firmwares have them. */
export async function search(
  db: Db,
  filter: { search?: string | undefined } & Paging,
): Promise<{
  items: { name: string; version: string | null; firmwares: number }[];
  total: number;
  next: string | null;
}> {
  const where = filter.search ? contains(firmwarePackages.name, filter.search) : undefined;
  type Row = { name: string; version: string | null; firmwares: number; total: number; key: string[] };
  const { rows, next } = await readPage(byVersion, filter, (behind = sql`true`, limit, offset) =>
    query<Row>(
      db,
      sql`select *, ${byVersion.key} as key from (
          select name, version, count(distinct firmware_id)::int as firmwares, (count(*) over ())::int as total
          from firmware_packages where ${where ?? sql`true`} group by name, version) p
        where ${behind} order by ${sql.join(byVersion.by, sql`, `)} limit ${limit} offset ${offset}`,
    ),
  );
  return { items: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0, next };
}
