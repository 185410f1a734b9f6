/** What an issuer says of somebody, as our user. */
import { AppError } from '../../errors.ts';
import { type Role, roles } from '../../http.ts';
import type { OidcSettings } from './settings.ts';

export type Claims = Record<string, unknown>;

export interface Identity {
  issuer: string;
  subject: string;
  /** The issuer's session, where it names one: by it a back-channel logout finds ours. */
  sid: string | null;
  email: string;
  role: Role;
}

/** Throws `oidc_no_role` and `oidc_no_email`. */
export function toIdentity(claims: Claims, settings: OidcSettings): Identity {
  const { iss, sub, sid, email, email_verified: verified } = claims;
  const role = findRole(readClaim(claims, settings.roleClaim), settings.roles);
  if (!role) throw new AppError('oidc_no_role', 'None of the groups of this account has a role here.');
  // Who may write any address into an account of the issuer must not be named by it here.
  if (
    typeof email !== 'string' ||
    !/^[^@\s]+@[^@\s]+$/.test(email) ||
    email.length > 254 ||
    verified === false
  )
    throw new AppError('oidc_no_email', 'The issuer gives no verified e-mail address of this account.');
  return {
    issuer: String(iss),
    subject: String(sub),
    sid: typeof sid === 'string' ? sid : null,
    email: email.toLowerCase(),
    role,
  };
}

/** A claim by its name, or by a path of names (`realm_access.roles`); names may hold dots themselves. */
export function readClaim(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  return name.split('.').reduce<unknown>((at, key) => {
    return typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Claims)[key] : undefined;
  }, claims);
}

/** The highest of those that the groups map to. */
function findRole(value: unknown, map: Map<string, Role>): Role | null {
  const found = [value].flat().map((group) => (typeof group === 'string' ? map.get(group) : undefined));
  return roles.findLast((role) => found.includes(role)) ?? null;
}
