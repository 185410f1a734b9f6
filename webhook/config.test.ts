import { expect, test } from 'vitest';
import { ConfigError, environmentSchema, parseEnvironment, toConfig } from './config.ts';

const complete = {
  DATABASE_URL: 'postgres://localhost/flota',
  S3_BUCKET: 'flota',
  EMQX_API_URL: 'http://127.0.0.1:18083',
  EMQX_API_KEY: 'key',
  EMQX_API_SECRET: 'secret',
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
  ['DATABASE_URL', 'mysql://x'],
  ['S3_DEVICE_URL', 'http://store'],
  ['CA_URL', 'http://ca'],
  ['WEBHOOK_TOKEN', 'short'],
  ['FLOTA_ADMIN_EMAIL', 'nobody'],
])('%s=%s is refused', (name, value) => {
  expect(problemsOf({ ...complete, [name]: value }).join()).toContain(name);
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
