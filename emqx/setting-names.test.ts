import { expect, test } from 'vitest';
import { withBrokerNames } from './setting-names.ts';

function read(env: Record<string, string>) {
  const lines: string[] = [];
  return { env: withBrokerNames(env, (line) => lines.push(line)), lines };
}

test('names of today pass without a word, and so does what is the broker’s own', () => {
  const env = { BROKER_API_KEY: 'key', EMQX_NODE__COOKIE: 'cookie', EMQX_API_KEY__BOOTSTRAP_FILE: 'file' };
  expect(read(env)).toEqual({ env, lines: [] });
});

test('old names are understood, and told in one line', () => {
  const { env, lines } = read({ EMQX_API_URL: 'http://emqx', EMQX_API_SECRET_FILE: '/run/secret' });
  expect(env).toMatchObject({ BROKER_API_URL: 'http://emqx', BROKER_API_SECRET_FILE: '/run/secret' });
  expect(lines).toEqual([
    expect.stringMatching(
      /^EMQX_API_URL, EMQX_API_SECRET_FILE: write BROKER_API_URL, BROKER_API_SECRET_FILE\. /,
    ),
  ]);
});

test('what has both names counts by the new one', () => {
  expect(read({ EMQX_API_KEY: 'old', BROKER_API_KEY: 'new' }).env.BROKER_API_KEY).toBe('new');
});
