import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { ConfigError, environmentSchema, parseEnvironment, toConfig } from './config.ts';

const complete = {
  DATABASE_URL: 'postgres://localhost/flota',
  S3_BUCKET: 'flota',
  BROKER_API_URL: 'http://127.0.0.1:18083',
  BROKER_API_KEY: 'key',
  BROKER_API_SECRET: 'secret',
  CA_URL: 'https://127.0.0.1:8444',
  CA_CLIENT_CERT: 'cert.pem',
  CA_CLIENT_KEY: 'key.pem',
  CA_ROOT: 'root.pem',
  WEBHOOK_TOKEN: 'x'.repeat(16),
  FIRMWARE_KEYS: 'keys.json',
};
const read = (path: string) => (path === 'keys.json' ? '{"keys":[{"kty":"EC","kid":"a"}]}' : path);
const configure = (env: Record<string, string>, readFile = read) =>
  toConfig(parseEnvironment(environmentSchema, env), readFile);
const problemsOf = (env: Record<string, string>, readFile = read): string[] => {
  try {
    configure(env, readFile);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
};

test('a complete environment becomes a configuration, with the defaults of the rest', () => {
  expect(configure(complete)).toMatchObject({
    port: 8080,
    internalPort: 8081,
    admin: null,
    ca: { cert: 'cert.pem' },
  });
});

test('every variable that is missing is named at once; an empty one counts as missing', () => {
  const problems = problemsOf({ S3_BUCKET: '' });
  expect(problems.map((p) => p.split(':')[0]).sort()).toEqual(Object.keys(complete).sort());
});

test.each([
  ['PORT', 'eighty'],
  ['PORT', '70000'],
  ['TELEMETRY_RAW_HOURS', '0'],
  ['TELEMETRY_RAW_HOURS', '721'],
  ['WEBHOOK_WORKERS', '0'],
  ['WEBHOOK_WORKERS', 'auto'],
  ['DATABASE_URL', 'mysql://x'],
  ['S3_DEVICE_URL', 'http://store'],
  ['CA_URL', 'http://ca'],
  ['PRICE_PER_MB', '0'],
  ['PRICE_CURRENCY', 'won'],
  ['WEBHOOK_TOKEN', 'short'],
  ['FLOTA_ADMIN_EMAIL', 'nobody'],
  ['CDN_URL', 'http://cdn.example.org'],
  ['CDN_URL', 'https://cdn.example.org/?x=1'],
  ['CDN_URL', `https://cdn.example.org/${'x'.repeat(150)}`],
])('%s=%s is refused', (name, value) => {
  expect(problemsOf({ ...complete, [name]: value }).join()).toContain(name);
});

const oidc = {
  PUBLIC_URL: 'https://flota.example.org',
  OIDC_ISSUER: 'https://id.example.org/realms/flota',
  OIDC_CLIENT_ID: 'flota',
  OIDC_CLIENT_SECRET: 'secret',
  OIDC_ROLES:
    'cn=admins=admin, ops=operator@region:New York@division:A=B@region:Busan, x=viewer@query:tag =pilot or name =admin',
};

test('a single sign-on is read whole, and there is none without an issuer', () => {
  expect(configure({ ...complete, ...oidc }).oidc).toEqual({
    issuer: oidc.OIDC_ISSUER,
    clientId: 'flota',
    clientSecret: 'secret',
    roleClaim: 'groups',
    roles: new Map([
      ['cn=admins', { role: 'admin', holds: null }],
      [
        'ops',
        { role: 'operator', holds: { regions: ['New York', 'Busan'], divisions: ['A=B'], queries: [] } },
      ],
      [
        'x',
        { role: 'viewer', holds: { regions: [], divisions: [], queries: ['tag =pilot or name =admin'] } },
      ],
    ]),
    button: 'Single sign-on',
  });
  expect(configure({ ...complete, ...oidc, OIDC_ISSUER: 'http://127.0.0.1:9' }).oidc).toBeDefined();
  expect(configure(complete).oidc).toBeUndefined();
});

test.each([
  [{ OIDC_ISSUER: 'http://id.example.org' }, 'OIDC_ISSUER: must be https'],
  [{ OIDC_ISSUER: 'http://127.0.0.1.example.org' }, 'OIDC_ISSUER: must be https'],
  [{ OIDC_ISSUER: 'https://id.example.org/?a=b' }, 'OIDC_ISSUER: must have no query'],
  [{ OIDC_ISSUER: '' }, 'OIDC_ISSUER: is needed with OIDC_CLIENT_ID'],
  [{ OIDC_CLIENT_ID: '' }, 'OIDC_CLIENT_ID: is needed'],
  [{ OIDC_ROLES: '' }, 'OIDC_ROLES: is needed'],
  [{ OIDC_ROLES: 'ops=owner' }, 'OIDC_ROLES: "ops=owner" must be group=viewer|operator|admin'],
  [{ OIDC_ROLES: 'admin' }, 'OIDC_ROLES: "admin" must be'],
  [{ OIDC_ROLES: 'a=admin@Busan' }, 'OIDC_ROLES: "a=admin@Busan" must be'],
  [{ OIDC_ROLES: 'a=admin@region:' }, 'OIDC_ROLES: "a=admin@region:" must be'],
  [{ OIDC_ROLES: 'a=admin@query:online = yes' }, 'the query of a, at character 1: online changes'],
  [{ OIDC_ROLES: 'a=admin@query:tag =' }, 'OIDC_ROLES: the query of a, at character 6'],
  [{ OIDC_ROLES: 'a=admin,a=viewer' }, 'OIDC_ROLES: "a" is there twice'],
  [{ PUBLIC_URL: '' }, 'PUBLIC_URL: is needed with OIDC_ISSUER'],
])('a single sign-on with %j is refused', (change, problem) => {
  expect(problemsOf({ ...complete, ...oidc, ...change }).join('\n')).toContain(problem);
});

test('queries of a single sign-on that somebody in all of its groups would have can be asked together', () => {
  const OIDC_ROLES = Array.from({ length: 51 }, (_, n) => `g${n}=admin@query:tag = ${n}`).join();
  expect(problemsOf({ ...complete, ...oidc, OIDC_ROLES })).toEqual([
    'OIDC_ROLES: the queries of admin together, at character 692: more than 50 comparisons',
  ]);
});

test('secrets may come in files, whose last line break is no part of them', () => {
  const { BROKER_API_SECRET: _, DATABASE_URL: __, ...rest } = complete;
  const env = { ...rest, BROKER_API_SECRET_FILE: 'secret', DATABASE_URL_FILE: 'url' };
  const files: Record<string, string> = { secret: 's3cret\n', url: 'postgres://db/flota\r\n' };
  const readFile = (path: string) => files[path] ?? '';
  expect(parseEnvironment(environmentSchema, env, readFile)).toMatchObject({
    BROKER_API_SECRET: 's3cret',
    DATABASE_URL: 'postgres://db/flota',
  });
  const problems = (more: Record<string, string>): string => {
    try {
      parseEnvironment(environmentSchema, { ...env, ...more }, readFile);
      return '';
    } catch (error) {
      return (error as ConfigError).message;
    }
  };
  expect(problems({ BROKER_API_SECRET: 'x' })).toContain(
    'BROKER_API_SECRET and BROKER_API_SECRET_FILE: give one',
  );
  expect(problems({ WEBHOOK_TOKEN: '', WEBHOOK_TOKEN_FILE: 'empty' })).toContain('WEBHOOK_TOKEN_FILE');
});

test('a certificate, key or key set may stand in its variable itself', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';
  const keys = '{"keys":[{"kty":"EC","kid":"b"}]}';
  const config = configure({ ...complete, CA_ROOT: pem, FIRMWARE_KEYS: keys });
  expect(config.ca.ca).toBe(pem);
  expect(config.trustedKeys.keys[0]!.kid).toBe('b');
});

test('a CDN is used whole or not at all, with a key that CloudFront takes', () => {
  const rsa = (modulusLength: number) =>
    generateKeyPairSync('rsa', { modulusLength }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    }) as string;
  const cdn = { CDN_URL: 'https://d1.cloudfront.net', CDN_KEY_PAIR_ID: 'K1', CDN_PRIVATE_KEY: rsa(2048) };
  expect(configure(complete).store.cdn).toBeUndefined();
  expect(configure({ ...complete, ...cdn }).store.cdn).toMatchObject({ keyPairId: 'K1' });
  expect(problemsOf({ ...complete, CDN_URL: cdn.CDN_URL })).toEqual([
    'CDN_KEY_PAIR_ID: is needed with CDN_URL',
    'CDN_PRIVATE_KEY: is needed with CDN_URL',
  ]);
  for (const key of [rsa(1024), 'no key'])
    expect(problemsOf({ ...complete, ...cdn, CDN_PRIVATE_KEY: key })).toEqual([
      expect.stringMatching(/^CDN_PRIVATE_KEY: must be/),
    ]);
});

test('where notifications may go is a list of networks, and e-mail takes a sender', () => {
  const smtp = { SMTP_URL: 'smtp://u:p@mail.example:587' };
  expect(configure(complete).courier).toEqual({ allowedNetworks: [], mail: null });
  const networks = { NOTIFY_ALLOWED_NETWORKS: '10.1.0.0/16, fd00:1::/32' };
  expect(configure({ ...complete, ...smtp, ...networks, SMTP_FROM: 'flota@example.com' })).toMatchObject({
    courier: {
      allowedNetworks: ['10.1.0.0/16', 'fd00:1::/32'],
      mail: { url: smtp.SMTP_URL, from: 'flota@example.com', requireTls: true },
    },
    silentHours: 24,
  });
  expect(problemsOf({ ...complete, ...smtp })).toEqual(['SMTP_FROM: is needed with SMTP_URL']);
  for (const wrong of ['10.1.0.0', 'localhost', '10.0.0.0/8,', '10.0.0.0/40'])
    expect(problemsOf({ ...complete, NOTIFY_ALLOWED_NETWORKS: wrong }).join(), wrong).toContain(
      'NOTIFY_ALLOWED_NETWORKS',
    );
});

test('what a megabyte costs is known when it is said, in a currency', () => {
  expect(configure(complete).transferPrice).toBeNull();
  const price = { PRICE_PER_MB: '0.4', PRICE_CURRENCY: 'EUR' };
  expect(configure({ ...complete, ...price }).transferPrice).toEqual({ perMegabyte: 0.4, currency: 'EUR' });
});

test('what does not go together is refused', () => {
  expect(problemsOf({ ...complete, FLOTA_ADMIN_EMAIL: 'a@example.com' }).join()).toContain(
    'FLOTA_ADMIN_PASSWORD',
  );
  expect(problemsOf({ ...complete, PORT: '9', INTERNAL_PORT: '9' }).join()).toContain('must differ');
  const unreadable = (path: string) => {
    if (path === 'root.pem') throw new Error('ENOENT');
    return path;
  };
  const problems = problemsOf(complete, unreadable);
  expect(problems).toEqual(['CA_ROOT: ENOENT', expect.stringMatching(/^FIRMWARE_KEYS: must be/)]);
  expect(() => configure(complete, unreadable)).toThrow(ConfigError);
});
