/** Settings of the single sign-on, checked whole. */
import { anyOf, parseQuery, QueryError, setFields } from '../../devices/query/grammar.ts';
import { type Role, roles } from '../../http.ts';

/** Regions and divisions by name, and queries. */
export interface Holdings {
  regions: string[];
  divisions: string[];
  queries: string[];
}

/** What a group gives; null: for the whole fleet. */
export interface Grant {
  role: Role;
  holds: Holdings | null;
}

export interface OidcSettings {
  issuer: string;
  clientId: string;
  /** Null: a public client, which PKCE alone protects. */
  clientSecret: string | null;
  roleClaim: string;
  /** By what the claim holds. */
  roles: Map<string, Grant>;
  /** On the button of the login page. */
  button: string;
}

export interface OidcEnvironment {
  OIDC_ISSUER?: string | undefined;
  OIDC_CLIENT_ID?: string | undefined;
  OIDC_CLIENT_SECRET?: string | undefined;
  OIDC_ROLE_CLAIM: string;
  OIDC_ROLES?: string | undefined;
  OIDC_BUTTON: string;
}

/** Undefined without an OIDC_ISSUER. */
export function readOidc(env: OidcEnvironment, problems: string[]): OidcSettings | undefined {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_ROLES: given } = env;
  if (!issuer) {
    // The secret may be there for nothing: deploy/compose always names its file.
    for (const name of ['OIDC_CLIENT_ID', 'OIDC_ROLES'] as const)
      if (env[name]) problems.push(`OIDC_ISSUER: is needed with ${name}`);
    return undefined;
  }
  const url = new URL(issuer);
  if (url.protocol !== 'https:' && !isLoopback(url))
    problems.push('OIDC_ISSUER: must be https; only an issuer on 127.0.0.1, ::1 or localhost may be http');
  if (url.search || url.hash || url.username || url.password)
    problems.push('OIDC_ISSUER: must have no query, fragment or login');
  if (!clientId) problems.push('OIDC_CLIENT_ID: is needed with OIDC_ISSUER');
  if (!given) problems.push('OIDC_ROLES: is needed with OIDC_ISSUER');
  return {
    issuer,
    clientId: clientId ?? '',
    clientSecret: env.OIDC_CLIENT_SECRET ?? null,
    roleClaim: env.OIDC_ROLE_CLAIM,
    roles: readRoles(given ?? '', problems),
    button: env.OIDC_BUTTON,
  };
}

export function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

const form = 'group=viewer|operator|admin, after it @region:NAME, @division:NAME or @query:QUERY';
// The first role behind a `=` that is followed by nothing else: a query may hold `=` as well as a group may.
const grant = new RegExp(`^(.*?)=(${roles.join('|')})((?:@(?:region|division|query):[^@]+)*)$`);

/** `group=role,group=role@region:Seoul@division:Lab@query:tag = pilot`; a group may hold `=`. */
function readRoles(text: string, problems: string[]): Map<string, Grant> {
  const map = new Map<string, Grant>();
  for (const entry of text.split(',').map((part) => part.trim())) {
    if (entry === '') continue;
    const [, group = '', role, holds = ''] = grant.exec(entry) ?? [];
    const name = group.trim();
    if (!name || !role) problems.push(`OIDC_ROLES: "${entry}" must be ${form}`);
    else if (map.has(name)) problems.push(`OIDC_ROLES: "${name}" is there twice`);
    else map.set(name, { role: role as Role, holds: readHoldings(holds) });
  }
  const check = (whose: string, queries: string[]) => {
    try {
      parseQuery(anyOf(queries), setFields);
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      problems.push(`OIDC_ROLES: ${whose}, at character ${error.at + 1}: ${error.message}`);
    }
  };
  const queriesOf = ({ holds }: Grant) => holds?.queries ?? [];
  for (const [name, one] of map) for (const query of queriesOf(one)) check(`the query of ${name}`, [query]);
  // Somebody may be in all of these groups.
  for (const role of roles) {
    const all = [...map.values()].flatMap((one) => (one.role === role ? queriesOf(one) : []));
    if (all.length > 1) check(`the queries of ${role} together`, all);
  }
  return map;
}

function readHoldings(text: string): Holdings | null {
  if (text === '') return null;
  const named = text.split('@').slice(1);
  const of = (kind: string) =>
    named.filter((one) => one.startsWith(kind)).map((one) => one.slice(kind.length).trim());
  return { regions: of('region:'), divisions: of('division:'), queries: of('query:') };
}
