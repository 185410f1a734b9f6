/** The issuer as a client sees it: discovered when it is first needed, so a copy starts while it is away. */
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { AppError } from '../../errors.ts';
import { share } from '../../shared.ts';
import { type Claims, readClaim } from './claims.ts';
import type { Flow } from './flow.ts';
import { isLoopback, type OidcSettings } from './settings.ts';
import type { LoggedOut } from './users.ts';

const timeoutS = 5;
const refreshMs = 3600_000;
const logoutMaxAgeS = 600;
/** No `none`, and none whose key is a shared secret. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout';

export interface Issuer {
  /** Where the browser goes, and what is to be remembered meanwhile. */
  begin(redirectUri: string): Promise<{ url: URL; flow: Pick<Flow, 'state' | 'nonce' | 'verifier'> }>;
  /** The verified claims of who came back to `url`. Throws `oidc_denied`, `oidc_failed`, `oidc_unavailable`. */
  finish(url: URL, flow: Flow): Promise<Claims>;
  /** OpenID Connect Back-Channel Logout 1.0 §2.6. Throws `logout_token_invalid`, `oidc_unavailable`. */
  readLogout(token: string): Promise<LoggedOut>;
}

export function createIssuer(settings: OidcSettings): Issuer {
  let latest: Awaited<ReturnType<typeof discover>> | null = null;
  const discovered = share(
    async () => {
      try {
        latest = await discover(settings);
      } catch (cause) {
        // What was true an hour ago is better than nobody's login.
        if (!latest) throw unavailable(cause);
      }
      return latest;
    },
    () => refreshMs,
  );
  return {
    async begin(redirectUri) {
      const { config } = await discovered();
      const verifier = client.randomPKCECodeVerifier();
      const flow = { state: client.randomState(), nonce: client.randomNonce(), verifier };
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: 'openid email profile',
        state: flow.state,
        nonce: flow.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      });
      return { url, flow };
    },
    async finish(url, { state, nonce, verifier }) {
      const { config } = await discovered();
      try {
        const tokens = await client.authorizationCodeGrant(config, url, {
          pkceCodeVerifier: verifier,
          expectedState: state,
          expectedNonce: nonce,
          idTokenExpected: true,
        });
        const claims = tokens.claims()! as Claims;
        const complete =
          typeof claims.email === 'string' && readClaim(claims, settings.roleClaim) !== undefined;
        if (complete || !config.serverMetadata().userinfo_endpoint) return claims;
        // Many issuers keep the ID token small. What is signed wins over what is only told.
        const told = await client.fetchUserInfo(config, tokens.access_token, String(claims.sub));
        return { ...told, ...claims };
      } catch (error) {
        throw refuse(error);
      }
    },
    async readLogout(token) {
      const { keys } = await discovered();
      try {
        const { payload, protectedHeader } = await jwtVerify(token, keys, {
          issuer: settings.issuer,
          audience: settings.clientId,
          algorithms,
          requiredClaims: ['iat', 'jti', 'events'],
          maxTokenAge: logoutMaxAgeS,
          clockTolerance: 30,
        });
        if (!/^(logout\+)?jwt$/i.test(protectedHeader.typ ?? 'JWT')) throw invalid('It is of another type.');
        return readLogoutClaims(payload);
      } catch (error) {
        if (error instanceof AppError) throw error;
        if (isAway(error)) throw unavailable(error);
        throw invalid('It does not verify.', error);
      }
    },
  };
}

/** How long a logout token's `jti` must be remembered. */
export const logoutMemoryMs = (logoutMaxAgeS + 60) * 1000;

async function discover({ issuer, clientId, clientSecret }: OidcSettings) {
  const server = new URL(issuer);
  const authenticate: client.ClientAuth = (as, who, body, headers) => {
    if (clientSecret === null) return client.None()(as, who, body, headers);
    // OpenID Connect Discovery 1.0 §3: basic where the issuer does not say.
    const methods = as.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const way = methods.includes('client_secret_basic') ? client.ClientSecretBasic : client.ClientSecretPost;
    return way(clientSecret)(as, who, body, headers);
  };
  const isLocal = server.protocol === 'http:' && isLoopback(server);
  const config = await client.discovery(server, clientId, undefined, authenticate, {
    execute: [client.enableNonRepudiationChecks, ...(isLocal ? [client.allowInsecureRequests] : [])],
    timeout: timeoutS,
  });
  const address = new URL(config.serverMetadata().jwks_uri ?? '');
  if (address.protocol !== 'https:' && !isLocal) throw new Error(`keys of the issuer are at ${address.href}`);
  return { config, keys: createRemoteJWKSet(address, { timeoutDuration: timeoutS * 1000 }) };
}

function readLogoutClaims(payload: JWTPayload): LoggedOut {
  const { iss, sub, sid, jti, events, nonce } = payload;
  // A nonce would make it an ID token that somebody passes off as this.
  if (nonce !== undefined) throw invalid('It has a nonce.');
  const event = typeof events === 'object' && events !== null && (events as Claims)[logoutEvent];
  if (typeof event !== 'object' || event === null) throw invalid('It is not about a logout.');
  if (typeof jti !== 'string' || (sid !== undefined && typeof sid !== 'string'))
    throw invalid('It is malformed.');
  if (sub === undefined && sid === undefined) throw invalid('It names neither a user nor a session.');
  return { issuer: iss!, subject: sub, sid, jti };
}

function refuse(error: unknown): AppError {
  if (error instanceof client.AuthorizationResponseError) {
    if (error.error === 'access_denied')
      return new AppError('oidc_denied', 'The issuer refused the login.', { cause: error });
    if (/^(server_error|temporarily_unavailable)$/.test(error.error)) return unavailable(error);
  }
  if (isAway(error)) return unavailable(error);
  return new AppError('oidc_failed', 'What the issuer sent does not verify.', { cause: error });
}

/** No answer, or one that says that there is none now. */
function isAway(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout) return true;
  if (error instanceof TypeError && /fetch failed/.test(error.message)) return true;
  const { code, cause } = (error ?? {}) as { code?: string; cause?: unknown };
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') return true;
  if (cause instanceof Response) return cause.status >= 500;
  return cause !== undefined && cause !== error && isAway(cause);
}

function unavailable(cause: unknown): AppError {
  return new AppError('oidc_unavailable', 'The single sign-on does not answer.', { cause });
}

function invalid(why: string, cause?: unknown): AppError {
  return new AppError('logout_token_invalid', `The logout token is refused. ${why}`, { cause });
}
