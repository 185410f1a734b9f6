/** Against a real issuer (oidc-provider), over real HTTP. */
import { randomUUID } from 'node:crypto';
import { decodeJwt, UnsecuredJWT } from 'jose';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { cheapPasswords, type Json } from '../../testing.ts';
import { startSuite } from '../../testing-suite.ts';
import { ensureAdmin } from '../auth.ts';
import { TestBrowser } from './testing-browser.ts';
import { type Account, clientId, clientSecret, startIssuer } from './testing-issuer.ts';

const issuer = await startIssuer();
afterAll(() => issuer.close());
const { database, webhook } = await startSuite({
  admin: { email: 'root@example.com', password: 'correct horse' },
  oidc: {
    issuer: issuer.url,
    clientId,
    clientSecret,
    roleClaim: 'groups',
    roles: new Map([
      ['flota-admins', { role: 'admin', holds: null }],
      ['flota-ops', { role: 'operator', holds: null }],
      ['seoul-ops', { role: 'operator', holds: { regions: ['Seoul'], divisions: [], queries: [] } }],
      ['lab-ops', { role: 'operator', holds: { regions: [], divisions: ['Lab', 'Not there'], queries: [] } }],
      ['pilot-ops', { role: 'operator', holds: { regions: [], divisions: [], queries: ['tag = pilot'] } }],
      ['beta-ops', { role: 'operator', holds: { regions: [], divisions: [], queries: ['channel = beta'] } }],
      ['flota-viewers', { role: 'viewer', holds: null }],
      ['lost', { role: 'admin', holds: { regions: ['Not there'], divisions: [], queries: [] } }],
    ]),
    button: 'Company account',
  },
});
const { url } = webhook.copy;
issuer.register(url);
beforeEach(() => {
  issuer.tamper = null;
});

const account = (given: Account = {}): string => {
  const sub = randomUUID();
  issuer.accounts.set(sub, { email: `${sub}@Company.example`, groups: ['flota-ops'], ...given });
  return sub;
};
const emailOf = (sub: string) => `${sub}@company.example`;
async function logIn(sub: string, browser = new TestBrowser(), returnTo = '/') {
  const end = await browser.send(await browser.reachCallback(url, sub, returnTo));
  return { browser, end };
}
const me = async (browser: TestBrowser): Promise<Json> =>
  JSON.parse((await browser.send(`${url}/api/me`)).text);
const refusedBy = (code: string) => `${url}/?login_error=${code}`;
const user = async (sub: string): Promise<Json> =>
  (await webhook.api('GET', '/api/users')).body.find((one: Json) => one.email === emailOf(sub));
const change = (id: string, body: object) => webhook.api('PATCH', `/api/users/${id}`, body);
const audit = async (filter: string): Promise<Json[]> =>
  (await webhook.api('GET', `/api/audit?${filter}`)).body.items;

describe('a login', () => {
  test('ends in an ordinary session, where it was going, and the audit log names the issuer', async () => {
    const sub = account();
    const { browser, end } = await logIn(sub, undefined, '/devices?search=a');
    expect(end.location).toBe(`${url}/devices?search=a`);
    expect(await me(browser)).toEqual({ email: emailOf(sub), role: 'operator', reach: null, sso: true });
    expect(end.cookies.find((line) => line.startsWith('flota_session='))).toMatch(
      /HttpOnly; SameSite=Strict/,
    );
    const made = await user(sub);
    expect(made).toMatchObject({ role: 'operator', disabled: false, issuer: issuer.url });
    const entries = await audit(`subject=${made.id}`);
    expect(entries.map(({ action, detail }) => [action, detail.issuer])).toEqual([
      ['session.start', issuer.url],
      ['user.create', issuer.url],
    ]);
  });

  test('takes PKCE, state and nonce along, and keeps them from scripts and other sites’ requests', async () => {
    const browser = new TestBrowser();
    const { location, cookies } = await browser.send(`${url}/api/oidc/login`);
    const asked = new URL(location!).searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      redirect_uri: `${url}/api/oidc/callback`,
      state: expect.stringMatching(/.{32}/),
      nonce: expect.stringMatching(/.{32}/),
    });
    expect(cookies).toEqual([
      expect.stringMatching(/^flota_oidc=.*Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/),
    ]);
  });

  test('gives the highest role that the groups have, anew each time', async () => {
    const sub = account({ groups: ['flota-ops', 'others', 'flota-admins'] });
    const { browser } = await logIn(sub);
    expect((await me(browser)).role).toBe('admin');
    issuer.accounts.set(sub, { email: emailOf(sub), groups: ['flota-ops'] });
    await logIn(sub);
    expect((await me(browser)).role).toBe('operator');
    const { id } = await user(sub);
    expect((await audit(`subject=${id}&action=user.change`))[0].detail).toMatchObject({ role: 'operator' });
  });

  test('gives the role for the places that the groups have it for, and no more by a lower role for all', async () => {
    const [region, division] = await Promise.all(
      [
        ['regions', 'Seoul'],
        ['divisions', 'Lab'],
      ].map(async ([kind, name]) => (await webhook.api('POST', `/api/${kind}`, { name })).body.id),
    );
    const sub = account({ groups: ['seoul-ops', 'lab-ops', 'flota-viewers'] });
    const { browser } = await logIn(sub);
    const both = { regions: [region], divisions: [division] };
    expect(await me(browser)).toMatchObject({ role: 'operator', reach: both });
    issuer.accounts.set(sub, { email: emailOf(sub), groups: ['seoul-ops'] });
    await logIn(sub);
    // The session from before, too.
    expect((await me(browser)).reach).toEqual({ regions: [region], divisions: [] });
    issuer.accounts.set(sub, { email: emailOf(sub), groups: ['seoul-ops', 'flota-ops'] });
    await logIn(sub);
    expect((await me(browser)).reach).toBeNull();
    expect((await change((await user(sub)).id, { reach: both })).body.code).toBe('oidc_user');
    expect((await logIn(account({ groups: ['lost'] }))).end.location).toBe(refusedBy('oidc_no_role'));
  });

  test('gives it for the queries that its groups have, alone or beside places', async () => {
    const sub = account({ groups: ['pilot-ops'] });
    const { browser } = await logIn(sub);
    const nowhere = { regions: [], divisions: [] };
    expect((await me(browser)).reach).toEqual({ ...nowhere, query: 'tag = pilot' });
    issuer.accounts.set(sub, { email: emailOf(sub), groups: ['pilot-ops', 'seoul-ops', 'beta-ops'] });
    await logIn(sub);
    expect((await me(browser)).reach).toMatchObject({
      regions: [expect.any(String)],
      query: '(channel = beta) or (tag = pilot)',
    });
  });

  test.each([
    ['whose groups map to no role', { groups: ['others'] }, 'oidc_no_role'],
    ['that has no groups', { groups: undefined }, 'oidc_no_role'],
    ['whose e-mail is not verified', { email_verified: false }, 'oidc_no_email'],
    ['whose e-mail is not verified, as text', { email_verified: 'false' }, 'oidc_no_email'],
    ['without an e-mail', { email: undefined }, 'oidc_no_email'],
    ['that has the e-mail of a local account', { email: 'ROOT@example.com' }, 'oidc_email_taken'],
  ])('of an account %s is refused', async (_, given, code) => {
    const before = (await webhook.api('GET', '/api/users')).body;
    const { browser, end } = await logIn(account(given as Account));
    expect(end.location).toBe(refusedBy(code));
    expect((await me(browser)).code).toBe('unauthenticated');
    expect((await webhook.api('GET', '/api/users')).body).toEqual(before);
  });

  test.each([['others'], ['lost']])(
    'of one that has no role any more (%s) ends what began when it had one',
    async (group) => {
      const sub = account();
      const { browser } = await logIn(sub);
      const { secret } = JSON.parse(
        (
          await browser.send(`${url}/api/me/tokens`, {
            method: 'POST',
            body: JSON.stringify({ name: 'mine' }),
            headers: { 'content-type': 'application/json' },
          })
        ).text,
      ) as Json;
      const byToken = () => webhook.api('GET', '/api/me', undefined, { authorization: `Bearer ${secret}` });
      expect((await byToken()).status).toBe(200);
      issuer.accounts.set(sub, { email: emailOf(sub), groups: [group] });
      expect((await logIn(sub)).end.location).toBe(refusedBy('oidc_no_role'));
      expect((await me(browser)).code).toBe('unauthenticated');
      expect((await byToken()).status).toBe(401);
      const { id } = await user(sub);
      expect((await audit(`subject=${id}`))[0]).toMatchObject({ action: 'session.end', actor: issuer.url });
    },
  );

  test('under another e-mail leaves it the author of what its tokens ask for', async () => {
    const sub = account({ groups: ['flota-admins'] });
    const { browser } = await logIn(sub);
    const send = async (path: string, body: unknown, headers = {}) =>
      JSON.parse(
        (
          await browser.send(`${url}${path}`, {
            method: 'POST',
            body: JSON.stringify(body),
            headers: { 'content-type': 'application/json', ...headers },
          })
        ).text,
      ) as Json;
    const machine = await send('/api/tokens', { name: `ci ${sub}`, role: 'operator' });
    const own = await send('/api/me/tokens', { name: 'mine' });
    await webhook.api('PUT', '/api/approval_rules', { rules: [{ hardware: null, aboveDevices: 0 }] });
    const [{ id: firmwareId }, device] = [await webhook.firmware(), await webhook.device()];
    const ask = { firmwareId, devices: [device.id] };
    const asked: string[] = [];
    for (const { secret } of [machine, own])
      asked.push((await send('/api/deployments', ask, { authorization: `Bearer ${secret}` })).id);
    issuer.accounts.set(sub, { email: `new-${emailOf(sub)}`, groups: ['flota-admins'] });
    await logIn(sub, browser);
    expect((await me(browser)).email).toBe(`new-${emailOf(sub)}`);
    const approve = { digest: 'a'.repeat(64) };
    for (const id of asked)
      expect((await send(`/api/deployments/${id}/approve`, approve)).code).toBe('approval_by_author');
    await webhook.api('PUT', '/api/approval_rules', { rules: [] });
  });

  test('of a disabled user is refused, and its session is over', async () => {
    const sub = account();
    const { browser } = await logIn(sub);
    await change((await user(sub)).id, { disabled: true });
    expect((await me(browser)).code).toBe('unauthenticated');
    expect((await logIn(sub)).end.location).toBe(refusedBy('oidc_disabled'));
    await change((await user(sub)).id, { disabled: false });
    expect((await logIn(sub)).end.location).toBe(`${url}/`);
  });

  test('makes a user without a password, whose role only the issuer changes', async () => {
    const sub = account();
    await logIn(sub);
    const { id } = await user(sub);
    for (const body of [{ role: 'admin' }, { password: 'one of our own' }])
      expect((await change(id, body)).body.code).toBe('oidc_user');
    for (const password of ['', 'null', 'one of our own']) {
      const login = await webhook.api('POST', '/api/login', { email: emailOf(sub), password }, {});
      expect([400, 401]).toContain(login.status);
    }
  });

  test('ends for good where the configuration makes its user the local admin', async () => {
    const sub = account();
    const { browser } = await logIn(sub);
    const local = { email: emailOf(sub), password: 'break the glass' };
    await ensureAdmin(database.db, cheapPasswords(), local);
    expect((await me(browser)).code).toBe('unauthenticated');
    expect(await user(sub)).toMatchObject({ role: 'admin', issuer: null });
    expect((await webhook.api('POST', '/api/login', local, {})).status).toBe(200);
    expect((await logIn(sub)).end.location).toBe(refusedBy('oidc_email_taken'));
    await change((await user(sub)).id, { disabled: true });
  });

  test('of an admin does not stand in for the last local one', async () => {
    await logIn(account({ groups: ['flota-admins'] }));
    const root = (await webhook.api('GET', '/api/users')).body.find(
      (u: Json) => u.email === 'root@example.com',
    );
    expect((await change(root.id, { disabled: true })).body.code).toBe('last_admin');
  });
});

describe('refused', () => {
  const stale = refusedBy('oidc_stale');
  const failed = refusedBy('oidc_failed');

  test('a callback in a browser that began no login, so nobody is logged in as somebody else', async () => {
    const callback = await new TestBrowser().reachCallback(url, account());
    const victim = new TestBrowser();
    expect((await victim.send(callback)).location).toBe(stale);
    await victim.send(`${url}/api/oidc/login`);
    expect((await victim.send(callback)).location).toBe(stale);
    expect((await me(victim)).code).toBe('unauthenticated');
  });

  test('another state, and a cookie that was changed', async () => {
    const browser = new TestBrowser();
    const callback = new URL(await browser.reachCallback(url, account()));
    callback.searchParams.set('state', 'another');
    expect((await browser.send(callback.href)).location).toBe(stale);
    const again = await browser.reachCallback(url, account());
    const jar = browser.jar(url);
    jar.set('flota_oidc', `A${jar.get('flota_oidc')}`);
    expect((await browser.send(again)).location).toBe(stale);
  });

  test('a callback that comes twice, also with its cookie', async () => {
    const browser = new TestBrowser();
    const callback = await browser.reachCallback(url, account());
    const kept = browser.jar(url).get('flota_oidc')!;
    expect((await browser.send(callback)).location).toBe(`${url}/`);
    expect((await browser.send(callback)).location).toBe(stale);
    browser.jar(url).set('flota_oidc', kept);
    expect((await browser.send(callback)).location).toBe(failed);
  });

  const forged: [string, (claims: Json) => Json | Promise<Json>][] = [
    ['with another nonce', (claims) => issuer.sign({ ...claims, nonce: 'another' })],
    ['without a nonce', ({ nonce, ...claims }) => issuer.sign(claims)],
    ['for another audience', (claims) => issuer.sign({ ...claims, aud: 'another' })],
    ['of another issuer', (claims) => issuer.sign({ ...claims, iss: 'https://other.example' })],
    ['that has expired', (claims) => issuer.sign({ ...claims, exp: claims.iat - 3600 })],
    ['that nobody signed', (claims) => new UnsecuredJWT(claims).encode()],
    [
      'whose signature is another’s',
      async (claims) => `${await issuer.sign(claims)}`.replace(/.{8}$/, 'AAAAAAAA'),
    ],
    ['that is not there', () => undefined],
  ];
  test('not an ID token that was only signed once more: what is forged below differs in one thing', async () => {
    const browser = new TestBrowser();
    const callback = await browser.reachCallback(url, account());
    issuer.tamper = async (body) => ({
      ...body,
      id_token: await issuer.sign(decodeJwt(String(body.id_token))),
    });
    expect((await browser.send(callback)).location).toBe(`${url}/`);
  });

  test.each(forged)('an ID token %s', async (_, forge) => {
    const browser = new TestBrowser();
    const callback = await browser.reachCallback(url, account());
    issuer.tamper = async (body) => ({ ...body, id_token: await forge(decodeJwt(String(body.id_token))) });
    expect((await browser.send(callback)).location).toBe(failed);
    expect((await me(browser)).code).toBe('unauthenticated');
  });

  test('what the user refuses at the issuer', async () => {
    const browser = new TestBrowser();
    const asked = new URL((await browser.send(`${url}/api/oidc/login`)).location!).searchParams;
    const answer = new URLSearchParams({
      error: 'access_denied',
      state: asked.get('state')!,
      iss: issuer.url,
    });
    expect((await browser.send(`${url}/api/oidc/callback?${answer}`)).location).toBe(
      refusedBy('oidc_denied'),
    );
  });

  test.each([
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    'devices',
    '/a\r\nb',
  ])('to go on to %j', async (to) => {
    const { status } = await new TestBrowser().send(
      `${url}/api/oidc/login?return_to=${encodeURIComponent(to)}`,
    );
    expect(status).toBe(400);
  });
});

describe('back-channel logout', () => {
  const logOut = async (token: string) =>
    webhook.api(
      'POST',
      '/api/oidc/backchannel-logout',
      new URLSearchParams({ logout_token: token }).toString(),
      {
        'content-type': 'application/x-www-form-urlencoded',
      },
    );
  const isIn = async (browser: TestBrowser) => (await me(browser)).role !== undefined;

  test('the issuer’s own ends the session that it is about, and no other', async () => {
    const sub = account();
    const [{ browser }, { browser: elsewhere }] = [await logIn(sub), await logIn(sub)];
    const page = await browser.send(`${issuer.url}/session/end`);
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)![1]!;
    const body = new URLSearchParams({ xsrf, logout: 'yes' });
    await browser.send(`${issuer.url}/session/end/confirm`, { method: 'POST', body });
    await expect.poll(() => isIn(browser)).toBe(false);
    expect(await isIn(elsewhere)).toBe(true);
    const ended = await audit(`action=session.end&subject=${(await user(sub)).id}`);
    expect(ended.map((entry) => entry.actor)).toEqual([issuer.url]);
  });

  test('by subject ends all sessions of that user, once for each token', async () => {
    const [sub, other] = [account(), account()];
    const sessions = [await logIn(sub), await logIn(sub), await logIn(other)];
    const token = await issuer.signLogout({ sub });
    expect((await logOut(token)).status).toBe(200);
    expect(await Promise.all(sessions.map(({ browser }) => isIn(browser)))).toEqual([false, false, true]);
    const { browser } = await logIn(sub);
    const replayed = await logOut(token);
    expect([replayed.status, replayed.body.code]).toEqual([400, 'logout_token_invalid']);
    expect(await isIn(browser)).toBe(true);
  });

  const old = () => Math.floor(Date.now() / 1000) - 3600;
  test.each<[string, (sub: string) => Promise<string> | string]>([
    ['of another issuer', (sub) => issuer.signLogout({ sub, iss: 'https://other.example' })],
    ['for another client', (sub) => issuer.signLogout({ sub, aud: 'another' })],
    ['that is old', (sub) => issuer.signLogout({ sub, iat: old() })],
    ['without iat', (sub) => issuer.signLogout({ sub, iat: undefined })],
    ['without jti', (sub) => issuer.signLogout({ sub, jti: undefined })],
    ['about no event', (sub) => issuer.signLogout({ sub, events: undefined })],
    ['about another event', (sub) => issuer.signLogout({ sub, events: { other: {} } })],
    ['with a nonce', (sub) => issuer.signLogout({ sub, nonce: 'n' })],
    ['about nobody', () => issuer.signLogout({})],
    ['of another type', (sub) => issuer.signLogout({ sub }, { typ: 'at+jwt' })],
    ['that nobody signed', (sub) => new UnsecuredJWT({ sub, iss: issuer.url, aud: clientId }).encode()],
    ['that is no token', () => 'nothing'],
  ])('a token %s is refused and ends nothing', async (_, make) => {
    const sub = account();
    const { browser } = await logIn(sub);
    const { status, body } = await logOut(await make(sub));
    expect([status, body.code]).toEqual([400, 'logout_token_invalid']);
    expect(await isIn(browser)).toBe(true);
  });
});

describe('an issuer that is away', () => {
  test('is said on the login page, before and in the middle of a login; local accounts log in', async () => {
    const away = refusedBy('oidc_unavailable');
    const browser = new TestBrowser();
    const callback = await browser.reachCallback(url, account());
    await issuer.away();
    try {
      expect((await browser.send(callback)).location).toBe(away);
      const local = { email: 'root@example.com', password: 'correct horse' };
      expect((await webhook.api('POST', '/api/login', local, {})).status).toBe(200);
    } finally {
      await issuer.back();
    }
    expect((await logIn(account())).end.location).toBe(`${url}/`);
  });

  test('does not keep a copy from starting, and is found once it is there', async () => {
    const late = await startIssuer();
    await late.away();
    const { webhook: copy } = await startSuite({
      oidc: {
        issuer: late.url,
        clientId,
        clientSecret: null,
        roleClaim: 'groups',
        roles: new Map(),
        button: 'B',
      },
    });
    const begin = () => new TestBrowser().send(`${copy.copy.url}/api/oidc/login`);
    expect((await begin()).location).toBe(`${copy.copy.url}/?login_error=oidc_unavailable`);
    late.register(copy.copy.url);
    await late.back();
    expect((await begin()).location).toMatch(`${late.url}/auth?`);
    await late.close();
  });
});

test('the login page is told of the button', async () => {
  expect((await webhook.api('GET', '/api/oidc', undefined, {})).body).toEqual({ button: 'Company account' });
});
