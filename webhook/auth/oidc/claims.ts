/** What an issuer says of somebody, as our user. */
import { anyOf } from '../../devices/query/grammar.ts';
import type { Limits } from '../../devices/reach.ts';
import { AppError } from '../../errors.ts';
import { type Role, roles } from '../../http.ts';
import type { Grant, OidcSettings } from './settings.ts';

export type Claims = Record<string, unknown>;

export interface Identity {
  issuer: string;
  subject: string;
  /** The issuer's session, where it names one: by it a back-channel logout finds ours. */
  sid: string | null;
  email: string;
  role: Role;
  /** What the role holds for, places by name; null: the whole fleet. */
  named: Limits | null;
}

/** Throws `oidc_no_role` and `oidc_no_email`. */
export function toIdentity(claims: Claims, settings: OidcSettings): Identity {
  const { sid, email, email_verified: verified } = claims;
  const grant = findGrant(readClaim(claims, settings.roleClaim), settings.roles);
  if (!grant) throw new AppError('oidc_no_role', 'None of the groups of this account has a role here.');
  // Who may write any address into an account of the issuer must not be named by it here.
  if (
    typeof email !== 'string' ||
    !/^[^@\s]+@[^@\s]+$/.test(email) ||
    email.length > 254 ||
    // Some issuers have it as text.
    String(verified) === 'false'
  )
    throw new AppError('oidc_no_email', 'The issuer gives no verified e-mail address of this account.');
  return {
    ...subjectOf(claims),
    sid: typeof sid === 'string' ? sid : null,
    email: email.toLowerCase(),
    ...grant,
  };
}

/** Of verified claims, which have both. */
export const subjectOf = ({ iss, sub }: Claims) => ({ issuer: String(iss), subject: String(sub) });

/** A claim by its name, or by a path of names (`realm_access.roles`); names may hold dots themselves. */
export function readClaim(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  return name.split('.').reduce<unknown>((at, key) => {
    return typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Claims)[key] : undefined;
  }, claims);
}

/** The highest role that the groups have, for all that they have it for: a lower one for more adds nothing to it. */
function findGrant(value: unknown, map: Map<string, Grant>): Pick<Identity, 'role' | 'named'> | null {
  const found = [value].flat().flatMap((group) => (typeof group === 'string' ? (map.get(group) ?? []) : []));
  const role = roles.findLast((one) => found.some((grant) => grant.role === one));
  if (!role) return null;
  const held = found.filter((grant) => grant.role === role).map((grant) => grant.holds);
  if (held.includes(null)) return { role, named: null };
  const all = (kind: 'regions' | 'divisions' | 'queries') => [...new Set(held.flatMap((one) => one![kind]))];
  const queries = all('queries').sort();
  const query = queries.length > 0 ? { query: anyOf(queries) } : {};
  return { role, named: { regions: all('regions'), divisions: all('divisions'), ...query } };
}
