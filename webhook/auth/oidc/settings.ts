/** Settings of the single sign-on, checked whole. */
import { type Role, roles } from '../../http.ts';

export interface OidcSettings {
  issuer: string;
  clientId: string;
  /** Null: a public client, which PKCE alone protects. */
  clientSecret: string | null;
  roleClaim: string;
  /** By what the claim holds. */
  roles: Map<string, Role>;
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

/** `group=role,group=role`; a group may hold `=`. */
function readRoles(text: string, problems: string[]): Map<string, Role> {
  const map = new Map<string, Role>();
  for (const entry of text.split(',').map((part) => part.trim())) {
    if (entry === '') continue;
    const at = entry.lastIndexOf('=');
    const [group, name] = [entry.slice(0, Math.max(at, 0)).trim(), entry.slice(at + 1).trim()];
    const role = roles.find((known) => known === name);
    if (!group || !role) problems.push(`OIDC_ROLES: "${entry}" must be group=${roles.join('|')}`);
    else if (map.has(group)) problems.push(`OIDC_ROLES: "${group}" is there twice`);
    else map.set(group, role);
  }
  return map;
}
