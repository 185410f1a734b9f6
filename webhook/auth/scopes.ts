/**
 * What a token may do beside its role and its reach. Every route has a scope by its path and its method, without saying so; one whose path
 * begins with a word that is not here is closed to tokens with scopes, and `docs/declared.test.ts` names it.
 */
import { AppError } from '../errors.ts';

const areas = [
  'accounts',
  'certificates',
  'deployments',
  'devices',
  'firmware',
  'notifications',
  'system',
] as const;
type Area = (typeof areas)[number];

/** `read` reads everything; to write something is to read it, too. */
export const scopes = [
  'read',
  ...areas.flatMap((area) => [`${area}:read`, `${area}:write`] as const),
] as const;
export type Scope = (typeof scopes)[number];

/** By the first step of the path. */
const areaOf: Record<string, Area> = {
  me: 'accounts',
  users: 'accounts',
  tokens: 'accounts',
  certificates: 'certificates',
  deployments: 'deployments',
  approvals: 'deployments',
  approval_rules: 'deployments',
  calendar: 'deployments',
  freezes: 'deployments',
  policies: 'deployments',
  devices: 'devices',
  'devices.csv': 'devices',
  bans: 'devices',
  divisions: 'devices',
  groups: 'devices',
  hardware: 'devices',
  jobs: 'devices',
  regions: 'devices',
  surroundings: 'devices',
  live: 'devices',
  firmware: 'firmware',
  firmwares: 'firmware',
  s3: 'firmware',
  uploads: 'firmware',
  crashes: 'firmware',
  encryption: 'firmware',
  packages: 'firmware',
  vulnerabilities: 'firmware',
  notifications: 'notifications',
  events: 'notifications',
  audit: 'system',
  broker: 'system',
  claims: 'system',
  dead_letters: 'system',
  overview: 'system',
  search: 'system',
  trends: 'system',
  show: 'system',
};
/** What its method does not tell; null: any token may, whatever its scopes. */
const exceptions: Record<string, Scope | null> = {
  'GET /api/me': null,
  'POST /api/deployments/dry_run': 'deployments:read',
};

/** Undefined: nobody has said. */
export function scopeOf(method: string, path: string): Scope | null | undefined {
  const route = `${method.toUpperCase()} ${path}`;
  if (route in exceptions) return exceptions[route];
  const area = areaOf[path.split('/')[2] ?? ''];
  return area && `${area}:${method.toUpperCase() === 'GET' ? 'read' : 'write'}`;
}

/** Throws `scope_missing`. `has` null: a person, or a token for everything that its role may do. */
export function ensureScope(has: Scope[] | null | undefined, needed: Scope | null | undefined): void {
  if (!has || needed === null) return;
  if (needed === undefined) throw new AppError('scope_missing', 'This is closed to tokens with scopes.');
  const [area, act] = needed.split(':');
  const isIn =
    has.includes(needed) || (act === 'read' && has.some((one) => one === 'read' || one === `${area}:write`));
  if (!isIn)
    throw new AppError('scope_missing', `This takes the scope ${needed}.`, { data: { scope: needed } });
}
