import { expect, test } from 'vitest';
import { createRouter } from './http.ts';
import { limitRate } from './rate-limit.ts';
import { startSuite } from './testing-suite.ts';

const { webhook } = await startSuite({ requestsPerMinute: 60 });

/** A router whose caller and clock the test says. */
function limited(perMinute: number) {
  const at = { ms: 0 };
  const app = createRouter();
  app.use(async (c, next) => {
    c.set('caller', { name: c.req.header('who') ?? 'somebody', role: 'viewer', userId: null, reach: null });
    await next();
  });
  app.use(limitRate(perMinute, () => at.ms));
  app.get('/', (c) => c.text('ok'));
  app.onError((error, c) => c.text((error as Error & { code: string }).code, 429));
  return { at, ask: (who = 'somebody') => app.request('/', { headers: { who } }) };
}

test('a minute’s worth at once, then steadily, each caller on its own', async () => {
  const { at, ask } = limited(60);
  for (let i = 59; i >= 0; i--) {
    const { status, headers } = await ask();
    expect([status, headers.get('ratelimit-policy'), headers.get('ratelimit')]).toEqual([
      200,
      '"caller";q=60;w=60',
      `"caller";r=${i};t=${60 - i}`,
    ]);
  }
  expect((await ask()).status).toBe(429);
  expect((await ask('another')).status).toBe(200);
  at.ms += 999;
  expect((await ask()).status).toBe(429);
  at.ms += 1;
  expect((await ask()).status).toBe(200);
  expect((await ask()).status).toBe(429);
  at.ms += 3_600_000;
  expect((await ask()).headers.get('ratelimit')).toBe('"caller";r=59;t=1');
});

test('a caller that asks too often is told when to ask again; who has not logged in yet has no share', async () => {
  const answers = [];
  for (let i = 0; i < 70; i++) answers.push(await webhook.api('GET', '/api/me'));
  const refused = answers.find(({ status }) => status !== 200)!;
  expect([refused.status, refused.body.code]).toEqual([429, 'too_many_requests']);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(refused.headers.get('ratelimit')).toMatch(/^"caller";r=0;t=\d+$/);
  expect((await webhook.api('GET', '/api/openapi.json', undefined, {})).headers.get('ratelimit')).toBeNull();
});
