/** What a personal token may: no more than its user may at this moment. */
import type { Limits } from '../devices/reach.ts';
import { type Caller, type Role, roles } from '../http.ts';
import { type Scope, scopes } from './scopes.ts';
import type { apiTokens, users } from './table.ts';

/** What a program may do in somebody's name: with accounts it could make itself another one, which stays. */
export const ownScopes = scopes.filter((scope) => scope !== 'accounts:write') as Exclude<
  Scope,
  'accounts:write'
>[];

/** What a token may of what its user may at this moment. */
export function heldTo(
  user: Pick<typeof users.$inferSelect, 'role' | 'reach'>,
  token: Pick<typeof apiTokens.$inferSelect, 'role' | 'reach' | 'scopes'>,
): Pick<Caller, 'role' | 'reach' | 'scopes'> {
  return {
    role: lesser(token.role, user.role),
    reach: within(token.reach, user.reach),
    scopes: token.scopes ?? ownScopes,
  };
}

export function lesser(a: Role, b: Role): Role {
  return roles[Math.min(roles.indexOf(a), roles.indexOf(b))]!;
}

/** Of these limits what lies within the others by name; it may be nothing at all. */
export function within(limits: Limits | null, of: Limits | null): Limits | null {
  if (limits === null || of === null) return limits ?? of;
  return {
    regions: limits.regions.filter((id) => of.regions.includes(id)),
    divisions: limits.divisions.filter((id) => of.divisions.includes(id)),
    ...(limits.query !== undefined && limits.query === of.query && { query: limits.query }),
  };
}

export function sizeOf(limits: Limits): number {
  return limits.regions.length + limits.divisions.length + Number(limits.query !== undefined);
}
