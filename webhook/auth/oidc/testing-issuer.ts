/** For tests only: a real issuer (oidc-provider) on a port of its own, that can be away and says what it is told. */
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';
import { listen } from '#deploy/lab/primitives/listen.ts';

export interface Account {
  email?: string;
  email_verified?: boolean | string;
  groups?: string[];
}

export interface TestIssuer {
  url: string;
  /** Who may log in, by subject, which is what its login form is given. */
  accounts: Map<string, Account>;
  /** As the issuer would: claims over those of a good logout token. */
  signLogout(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** Rewrites what the token endpoint sends, for attacks. */
  tamper: ((body: Record<string, unknown>) => unknown) | null;
  /** Signs anything with the issuer's key. */
  sign(payload: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** Before anybody logs in: where the webhook is. */
  register(webhookUrl: string): void;
  close(): Promise<void>;
  /** Stops and starts listening, on the same port. */
  away(): Promise<void>;
  back(): Promise<void>;
}

export const clientId = 'flota';
export const clientSecret = 'a secret of the client and nobody else';

export async function startIssuer(): Promise<TestIssuer> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: 'issuer-key', alg: 'RS256', use: 'sig' };
  const accounts = new Map<string, Account>();
  let handle: ReturnType<Provider['callback']> | null = null;
  const server: Server = createServer((request, response) => {
    const { tamper } = issuer;
    if (tamper && request.url === '/token') rewrite(response, tamper);
    void handle!(request, response);
  });
  const port = await listen(server);
  const url = `http://127.0.0.1:${port}`;

  const sign: TestIssuer['sign'] = (payload, header = {}) =>
    new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'issuer-key', ...header }).sign(privateKey);
  const issuer: TestIssuer = {
    url,
    accounts,
    tamper: null,
    sign,
    signLogout: (claims, header) =>
      sign(
        {
          iss: url,
          aud: clientId,
          iat: Math.floor(Date.now() / 1000),
          jti: crypto.randomUUID(),
          events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
          ...claims,
        },
        { typ: 'logout+jwt', ...header },
      ),
    register(webhookUrl) {
      handle = createProvider(url, jwk, accounts, webhookUrl).callback();
    },
    close: () => end(server),
    away: () => end(server),
    back: async () => void (await listen(server, port)),
  };
  return issuer;
}

function end(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

function createProvider(
  url: string,
  jwk: object,
  accounts: Map<string, Account>,
  webhookUrl: string,
): Provider {
  return new Provider(url, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [`${webhookUrl}/api/oidc/callback`],
        backchannel_logout_uri: `${webhookUrl}/api/oidc/backchannel-logout`,
        backchannel_logout_session_required: true,
      },
    ],
    jwks: { keys: [jwk as never] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['groups'] },
    // Without its dispatcher, which refuses the loopback addresses that all is on here.
    fetch: (to, options) => {
      const { dispatcher: _, ...plain } = (options ?? {}) as RequestInit & { dispatcher?: unknown };
      return fetch(to, plain);
    },
    pkce: { required: () => true },
    cookies: { keys: ['for tests'] },
    features: {
      devInteractions: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    // Nobody is asked to consent.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client!.clientId,
        accountId: ctx.oidc.session!.accountId!,
      });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...accounts.get(sub) }) }),
  });
}

/** The provider writes its answer at once: it is kept back, changed and sent. */
function rewrite(
  response: import('node:http').ServerResponse,
  change: NonNullable<TestIssuer['tamper']>,
): void {
  const end = response.end.bind(response);
  response.end = ((chunk: unknown) => {
    void Promise.resolve(change(JSON.parse(String(chunk)))).then((changed) => {
      const body = Buffer.from(JSON.stringify(changed));
      response.setHeader('content-length', body.length);
      end(body);
    });
    return response;
  }) as typeof response.end;
}
