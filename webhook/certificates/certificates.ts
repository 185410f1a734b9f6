import { randomBytes } from 'node:crypto';
import { and, desc, eq, gt, inArray, isNull, lte, ne, or, type SQL, sql } from 'drizzle-orm';
import { CaError } from '#ca/client.ts';
import { commonNamePatterns, parseSubjectName } from '#ca/subject-names.ts';
import { record } from '../audit/audit.ts';
import { sha256 } from '../auth/auth.ts';
import type { Context } from '../context.ts';
import { anyOf, type Db, query } from '../db/query.ts';
import { beginEpoch } from '../devices/presence.ts';
import type { Reach } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import { findBanned } from './blocked.ts';
import { markRevoked } from './revocation.ts';
import { certificates, enrollmentTokens, renewals } from './table.ts';

export type Profile = 'device' | 'broker' | 'service';

export interface NewToken {
  profile: Profile;
  commonName: string;
  names: string[];
  lifetimeMs: number;
  /** Serial of the certificate whose key the CSR must have. */
  sameKeyAs?: string;
}

/**
 * A one-time token for `POST /api/issue_cert`, bound to a profile and a name. It is shown once; only its hash is kept. Throws
 * `name_invalid` for a name that the CA would never put into a certificate: who redeems the token could do nothing about it.
 */
export async function createToken(
  db: Db,
  input: NewToken,
  actor: string,
): Promise<{ token: string; expiresAt: Date }> {
  checkNames(input);
  const token = randomBytes(32).toString('base64url');
  const expiresAt = new Date(Date.now() + input.lifetimeMs);
  await db.transaction(async (tx) => {
    await tx.insert(enrollmentTokens).values({
      tokenHash: sha256(token),
      profile: input.profile,
      commonName: input.commonName,
      names: input.names,
      createdBy: actor,
      expiresAt,
      ...(input.sameKeyAs !== undefined && { sameKeyAs: input.sameKeyAs }),
    });
    await record(tx, {
      actor,
      action: input.sameKeyAs === undefined ? 'certificate.token' : 'certificate.grant',
      subject: input.commonName,
      detail: {
        profile: input.profile,
        names: input.names,
        ...(input.sameKeyAs && { sameKeyAs: input.sameKeyAs }),
      },
    });
  });
  return { token, expiresAt };
}

function checkNames({ profile, commonName, names }: NewToken): void {
  if (!commonNamePatterns[profile].test(commonName)) {
    throw new AppError('name_invalid', `A ${profile} cannot have the common name ${commonName}.`);
  }
  try {
    for (const name of names) parseSubjectName(name);
  } catch (error) {
    throw toAppError(error);
  }
}

/**
 * A token for one device that lost the way in, its certificate having expired: it works only with a CSR by the key that the device
 * had. A key that is known to others proves nothing, so there is no grant on a compromised one.
 */
export async function createGrant(
  db: Db,
  reach: Reach,
  input: { device: string; lifetimeMs: number },
  actor: string,
): Promise<{ token: string; expiresAt: Date; serial: string }> {
  const [known] = await db
    .select()
    .from(certificates)
    .where(
      and(
        eq(certificates.commonName, input.device),
        reach.holds(certificates.commonName),
        eq(certificates.profile, 'device'),
        hasGoodKey,
      ),
    )
    .orderBy(sql`${certificates.firstSeenAt} desc nulls last`, desc(certificates.notAfter))
    .limit(1);
  if (!known)
    throw new AppError(
      'no_known_key',
      'No certificate of this device is known whose key could vouch for it.',
    );
  const { lifetimeMs, device: commonName } = input;
  const sameKeyAs = known.serial;
  const made = await createToken(
    db,
    { profile: 'device', commonName, names: [], lifetimeMs, sameKeyAs },
    actor,
  );
  return { ...made, serial: known.serial };
}

export interface IssuedView {
  serial: string;
  certificate: string;
  chain: string;
  notAfter: string;
}

/**
 * Redeems a token. The token is bound to the CSR before the CA is asked, so that two callers cannot both use it, while the one
 * whose answer was lost may ask again with the same CSR and gets the same certificate.
 */
export async function redeemToken(context: Context, token: string, csr: string): Promise<IssuedView> {
  const csrHash = sha256(csr);
  const [row] = await context.db
    .update(enrollmentTokens)
    .set({ usedByCsr: csrHash, usedAt: new Date() })
    .where(
      and(
        eq(enrollmentTokens.tokenHash, sha256(token)),
        gt(enrollmentTokens.expiresAt, new Date()),
        or(isNull(enrollmentTokens.usedByCsr), eq(enrollmentTokens.usedByCsr, csrHash)),
      ),
    )
    .returning();
  if (!row) throw new AppError('token_invalid', 'The token is unknown, used, or has expired.');
  const { profile, commonName, names } = row;
  try {
    if (profile === 'device' && (await findBanned(context.db, [commonName])).has(commonName))
      throw new AppError('device_banned', 'This device is banned.');
    const sameKeyAs = row.sameKeyAs === null ? undefined : await readVouching(context.db, row.sameKeyAs);
    const request = { profile, commonName, names, csr, ...(sameKeyAs && { sameKeyAs }) };
    const isStill = sql`select 1 from ${enrollmentTokens} where ${enrollmentTokens.tokenHash} = ${row.tokenHash}`;
    const issued = await issue(context, request, isStill);
    if (!issued) throw new AppError('token_invalid', 'The device of the token was deleted meanwhile.');
    if (profile === 'device') await beginEpoch(context.db, commonName, issued.serial);
    return issued;
  } catch (error) {
    // A refused CSR has cost nothing: the token may be tried with a corrected one. Any other fault may have come after the CA
    // had issued, so the token stays bound to this CSR.
    const refused =
      error instanceof AppError && (error.code.startsWith('csr_') || error.code === 'device_banned');
    if (!refused) throw error;
    await context.db
      .update(enrollmentTokens)
      .set({ usedByCsr: null, usedAt: null })
      .where(eq(enrollmentTokens.tokenHash, row.tokenHash));
    throw error;
  }
}

/**
 * Asks the CA and keeps what it answers. CA errors come out as `AppError`s of the same codes.
 * @param asks selects a row that is there for as long as somebody may have it, and goes with its device: where it is gone by then, what was made
 * is revoked, and null returned
 */
export async function issue(
  context: Context,
  request: { profile: Profile; commonName: string; names?: string[]; csr: string; sameKeyAs?: string },
  asks: SQL,
): Promise<IssuedView | null> {
  const issued = await context.authority.issue(request).catch((error: unknown) => {
    throw toAppError(error);
  });
  const isAsked = await context.db.transaction(async (tx) => {
    // A deletion waits here, and finds the certificate afterwards; or it was first.
    const [asking] = await query(tx, sql`${asks} for key share`);
    await tx
      .insert(certificates)
      .values({
        serial: issued.serial,
        profile: request.profile,
        commonName: issued.commonName,
        certificate: issued.certificate,
        chain: issued.chain,
        notBefore: new Date(issued.notBefore),
        notAfter: new Date(issued.notAfter),
        csrHash: sha256(request.csr),
      })
      .onConflictDoNothing();
    if (!asking)
      await markRevoked(tx, eq(certificates.serial, issued.serial), 'cessationOfOperation', 'system');
    return asking !== undefined;
  });
  if (!isAsked) {
    context.wake();
    return null;
  }
  const { serial, certificate, chain, notAfter } = issued;
  return { serial, certificate, chain, notAfter };
}

/** PEM. It stays the same for as long as the CA does, so a copy asks once. */
export async function readRoot({ authority }: Pick<Context, 'authority'>): Promise<string> {
  let root = roots.get(authority);
  if (!root) {
    root = (
      await authority.trust().catch((error: unknown) => {
        throw toAppError(error);
      })
    ).root;
    roots.set(authority, root);
  }
  return root;
}
const roots = new WeakMap<Context['authority'], string>();

/** Of the certificate that a grant goes by, unless its key has become known to others since. */
async function readVouching(db: Db, serial: string): Promise<string> {
  const [row] = await db
    .select({ pem: certificates.certificate })
    .from(certificates)
    .where(and(eq(certificates.serial, serial), hasGoodKey));
  if (!row)
    throw new AppError('token_invalid', 'The certificate whose key was to vouch is gone or compromised.');
  return row.pem;
}

const hasGoodKey = or(
  isNull(certificates.revocationReason),
  ne(certificates.revocationReason, 'keyCompromise'),
);

/** The CA's faults by our codes; any other stays what it is. */
export function toAppError(error: unknown): unknown {
  if (!(error instanceof CaError)) return error;
  switch (error.code) {
    case 'csr_malformed':
    case 'csr_signature_invalid':
    case 'csr_name_mismatch':
    case 'csr_key_refused':
    case 'csr_too_large':
    case 'csr_name_refused':
    case 'csr_extension_refused':
    case 'csr_key_mismatch':
    case 'name_invalid':
      return new AppError(error.code, error.message, { cause: error });
    default:
      return new AppError('ca_unavailable', 'The certificate authority does not answer.', { cause: error });
  }
}

/** The certificate that each device was last seen with, or else the newest one issued to it. */
export async function findCurrent(
  db: Db,
  names: string[],
): Promise<Map<string, { serial: string; notAfter: string }>> {
  if (names.length === 0) return new Map();
  const rows = await db
    .selectDistinctOn([certificates.commonName], {
      commonName: certificates.commonName,
      serial: certificates.serial,
      notAfter: certificates.notAfter,
    })
    .from(certificates)
    .where(and(inArray(certificates.commonName, names), eq(certificates.profile, 'device')))
    .orderBy(
      certificates.commonName,
      sql`${certificates.firstSeenAt} desc nulls last`,
      desc(certificates.notAfter),
    );
  return new Map(rows.map((r) => [r.commonName, { serial: r.serial, notAfter: r.notAfter.toISOString() }]));
}

/** A certificate by its serial; a device's earlier answer to the same CSR. */
export async function findIssued(
  db: Db,
  by: { serial: string } | { device: string; csr: string },
): Promise<typeof certificates.$inferSelect | undefined> {
  const [row] = await db
    .select()
    .from(certificates)
    .where(
      'serial' in by
        ? eq(certificates.serial, by.serial)
        : and(
            eq(certificates.commonName, by.device),
            eq(certificates.profile, 'device'),
            eq(certificates.csrHash, sha256(by.csr)),
            isNull(certificates.revokedAt),
          ),
    )
    .orderBy(desc(certificates.issuedAt))
    .limit(1);
  return row;
}

/** These serials were used in a connection. */
export async function markSeen(db: Db, serials: string[]): Promise<void> {
  await db
    .update(certificates)
    .set({ firstSeenAt: new Date() })
    .where(and(sql`${certificates.serial} ${anyOf(serials)}`, isNull(certificates.firstSeenAt)));
}

/** Of a device that is no more: whatever could still get it a certificate. */
export async function forgetDevice(tx: Db, device: string): Promise<void> {
  const { commonName, profile } = enrollmentTokens;
  await tx.delete(enrollmentTokens).where(and(eq(commonName, device), eq(profile, 'device')));
  await tx.delete(renewals).where(eq(renewals.deviceId, device));
}

/** Tokens that have been out of date for a day tell nobody anything. */
export async function forgetOldTokens(db: Db): Promise<void> {
  await db
    .delete(enrollmentTokens)
    .where(lte(enrollmentTokens.expiresAt, new Date(Date.now() - 24 * 3600_000)));
}
