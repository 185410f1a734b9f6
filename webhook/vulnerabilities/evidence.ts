/**
 * Evidence of one vulnerability: which devices had an image with it from when to when, who made that image and rolled it out, what was judged
 * of it, and when it was gone. Signed by the CA, as the audit log's head is.
 */
import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { CaError } from '#ca/client.ts';
import type { Approval } from '../approvals/schema.ts';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/query.ts';
import { everything } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import { getAdvisories, harmless, listFindings, listStatements } from './vulnerabilities.ts';

/** Of one device and one of its components: an image with the vulnerability ran on it. */
export interface Stay extends Record<string, unknown> {
  device: string;
  component: string;
  firmwareId: string;
  /** When it was attested first; null: before our records of it begin. */
  from: string | null;
  /** When another image was attested; null: it runs it still. */
  until: string | null;
}

/** A file of 200,000 lines is about 40 MB. */
const maxStays = 200_000;

/**
 * From the updates that succeeded, each of which a device has attested, what a device attested before its updates (`ran`), and what it
 * attests now. An update that never told its end is not in it.
 */
async function listStays(db: Db, firmwareIds: string[]): Promise<Stay[]> {
  if (firmwareIds.length === 0) return [];
  const ids = sql`${`{${firmwareIds.join(',')}}`}::uuid[]`;
  const rows = await query<Stay & { from: Date | string | null; until: Date | string | null }>(
    db,
    sql`with bad as (select id, component, sha256 from firmwares where id = any(${ids})),
      concerned as (
        select device_id, component from components where (component, sha256) in (select component, sha256 from bad)
        union select t.device_id, t.component from targets t join deployments d on d.id = t.deployment_id
          where t.state = 'succeeded' and d.firmware_id = any(${ids})
        union select t.device_id, t.component from targets t where (t.component, t.ran) in (select component, sha256 from bad)),
      attested as (
        select t.device_id, t.component, f.sha256, t.updated_at as at from targets t
          join concerned using (device_id, component)
          join deployments d on d.id = t.deployment_id join firmwares f on f.id = d.firmware_id where t.state = 'succeeded'
        union all select t.device_id, t.component, t.ran, d.created_at from targets t
          join concerned using (device_id, component) join deployments d on d.id = t.deployment_id where t.ran is not null
        union all select c.device_id, c.component, c.sha256, c.reported_at from components c join concerned using (device_id, component)),
      changes as (
        select *, lag(sha256) over w as before from attested window w as (partition by device_id, component order by at)),
      stays as (
        select device_id, component, sha256, at, before, lead(at) over (partition by device_id, component order by at) as until
        from changes where before is distinct from sha256)
      select s.device_id as device, s.component, b.id as "firmwareId",
        case when s.before is null and not exists (
          select 1 from targets t join deployments d on d.id = t.deployment_id
          where t.device_id = s.device_id and t.component = s.component and t.state = 'succeeded' and d.firmware_id = b.id
            and t.updated_at = s.at) then null else s.at end as "from",
        s.until from stays s join bad b on b.component = s.component and b.sha256 = s.sha256
      order by s.device_id, s.component, s.at limit ${maxStays + 1}`,
  );
  if (rows.length > maxStays)
    throw new AppError(
      'evidence_too_large',
      `More than ${maxStays} lines: no file of evidence is that large.`,
    );
  const iso = (at: Date | string | null) => at && new Date(at).toISOString();
  return rows.map((one) => ({ ...one, from: iso(one.from), until: iso(one.until) }));
}

export async function collect(db: Db, vulnerability: string) {
  const told = await getAdvisories(db, vulnerability);
  const findings = await listFindings(db, everything, vulnerability);
  const ids = findings.map(({ firmwareId }) => firmwareId);
  const vulnerable = findings.filter((one) => !harmless(one)).map(({ firmwareId }) => firmwareId);
  const [statements, firmwares, deployments, stays] = await Promise.all([
    listStatements(db, vulnerability),
    listFirmwares(db, ids),
    listDeployments(db, ids),
    listStays(db, ids),
  ]);
  const open = stays.filter((stay) => vulnerable.includes(stay.firmwareId));
  const running = new Set(open.filter(({ until }) => until === null).map(({ device }) => device)).size;
  const ends = open.flatMap(({ until }) => until ?? []).sort();
  return {
    vulnerability,
    advisories: told.map(({ id, modifiedAt, summary }) => ({
      id,
      summary,
      modifiedAt: modifiedAt.toISOString(),
    })),
    findings: findings.map(({ devices: _, vulnerability: __, ...finding }) => finding),
    statements: statements.map(({ id: _, createdAt, vulnerability: __, ...one }) => ({
      ...one,
      createdAt: createdAt.toISOString(),
    })),
    firmwares,
    deployments,
    devices: stays,
    /** Of firmwares that were not judged harmless. */
    summary: {
      devicesEver: new Set(open.map(({ device }) => device)).size,
      devicesNow: running,
      goneAt: running === 0 ? (ends.at(-1) ?? null) : null,
    },
  };
}
export type Evidence = Awaited<ReturnType<typeof collect>>;

export interface SignedEvidence {
  /** The text that is signed, as it is: a JSON object. */
  evidence: string;
  sha256: string;
  signedAt: string;
  /** Compact JWS (ES256) of the issuing CA over `{sha256, at}`. */
  signature: string;
  /** PEM: with which it is checked. */
  issuing: string;
}

/** Throws `ca_unavailable`. The audit log says who had it made, and its digest. */
export async function sign(context: Context, vulnerability: string, actor: string): Promise<SignedEvidence> {
  const { authority, db } = context;
  const body = {
    type: 'flota-evidence',
    madeAt: new Date().toISOString(),
    madeBy: actor,
    ...(await collect(db, vulnerability)),
  };
  const evidence = JSON.stringify(body);
  const sha256 = createHash('sha256').update(evidence).digest('hex');
  try {
    const [{ at, jws }, { issuing }] = [await authority.attest(sha256), await authority.trust()];
    await db.transaction((tx) =>
      record(tx, { actor, action: 'vulnerability.evidence', subject: vulnerability, detail: { sha256 } }),
    );
    return { evidence, sha256, signedAt: at, signature: jws, issuing };
  } catch (error) {
    if (!(error instanceof CaError)) throw error;
    throw new AppError('ca_unavailable', 'The CA, which signs evidence, does not answer.', { cause: error });
  }
}

/** Who brought each in, and with what it is signed. */
async function listFirmwares(db: Db, ids: string[]) {
  if (ids.length === 0) return [];
  const rows = await query<{
    id: string;
    name: string;
    version: string;
    hardware: string;
    sha256: string;
    author: string;
    registeredAt: Date | string;
    manifest: string | null;
    sbomSha256: string | null;
  }>(
    db,
    sql`select f.id, f.name, f.version, f.hardware, f.sha256, f.author, f.created_at as "registeredAt", f.manifest, s.sha256 as "sbomSha256"
      from firmwares f left join firmware_sboms s on s.firmware_id = f.id
      where f.id = any(${`{${ids.join(',')}}`}::uuid[]) order by f.created_at`,
  );
  return rows.map((row) => ({ ...row, registeredAt: new Date(row.registeredAt).toISOString() }));
}

/** Of these firmwares, and of what has taken their place on a device: who ordered each, and who approved it where one had to. */
async function listDeployments(db: Db, ids: string[]) {
  if (ids.length === 0) return [];
  const rows = await query<{
    id: string;
    firmwareId: string;
    firmware: string;
    version: string;
    createdBy: string;
    createdAt: Date | string;
    finishedAt: Date | string | null;
    state: string;
    brings: boolean;
    /** Null: it took nobody else's word. */
    approval: Approval | null;
  }>(
    db,
    sql`select d.id, f.id as "firmwareId", f.name as firmware, f.version, d.created_by as "createdBy", d.created_at as "createdAt",
        d.finished_at as "finishedAt", d.state, d.approval, f.id = any(${`{${ids.join(',')}}`}::uuid[]) as brings
      from deployments d join firmwares f on f.id = d.firmware_id
      where f.id = any(${`{${ids.join(',')}}`}::uuid[]) or exists (
        select 1 from targets t join firmwares b on b.sha256 = t.ran and b.component = t.component
        where t.deployment_id = d.id and t.state = 'succeeded' and b.id = any(${`{${ids.join(',')}}`}::uuid[]))
      order by d.created_at limit 1000`,
  );
  const iso = (at: Date | string | null) => at && new Date(at).toISOString();
  return rows.map((row) => ({ ...row, createdAt: iso(row.createdAt)!, finishedAt: iso(row.finishedAt) }));
}
