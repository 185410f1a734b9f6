import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { startCliBed } from './cli/test-run.ts';
import { createInspector } from './inspect.ts';

let cli: Awaited<ReturnType<typeof startCliBed>>;
beforeAll(async () => {
  cli = await startCliBed();
  cli.freshFiles();
  await cli.run('apply');
});
afterAll(() => cli.close());
const look = (dir = cli.dir) => createInspector(cli.settings.api, dir).inspect();

test('a broker that is as the files say shows every rule and action with its counts and no drift', async () => {
  await cli.bed.publish({ topic: 'devices/d/log', payload: '{}' });
  await until('the row', async () => (await look()).actions.some((one) => one.counts.success === 1));
  const seen = await look();
  expect(seen.version).toMatch(/^5\.8\./);
  expect(seen.drift).toEqual([]);
  expect(seen.rules.find((one) => one.id === 'log')).toMatchObject({
    enabled: true,
    sql: expect.stringMatching(/^SELECT/i),
    counts: { matched: 1, passed: 1 },
    lost: [],
  });
  expect(seen.connectors.find((one) => one.id === 'webhook')).toMatchObject({
    status: 'connected',
    url: cli.sink.url,
  });
});

test('what the dashboard changed, what only the broker has and what it lacks is drift; a secret is never told', async () => {
  const { body } = await cli.bed.api('GET', '/actions/http:telemetry');
  const { connector, parameters, resource_opts, description } = body;
  await cli.bed.api('PUT', '/actions/http:telemetry', {
    connector,
    parameters,
    description,
    resource_opts: { ...resource_opts, request_ttl: '7s' },
  });
  await cli.bed.api('DELETE', '/rules/status');
  await cli.bed.api('POST', '/rules', { id: 'mine', sql: 'SELECT * FROM "t"', actions: [] });
  cli.edit('connector.hocon', 'headers {', 'headers { proxy-authorization = hush,');
  const { drift } = await look();
  expect(drift).toContainEqual({
    kind: 'action',
    id: 'telemetry',
    does: 'update',
    differences: [{ path: 'resource_opts.request_ttl', file: expect.any(String), broker: '7s' }],
  });
  expect(drift).toContainEqual(expect.objectContaining({ kind: 'rule', id: 'status', does: 'create' }));
  expect(drift).toContainEqual(expect.objectContaining({ kind: 'rule', id: 'mine', does: 'foreign' }));
  expect(JSON.stringify(drift)).not.toContain('hush');
});

test('rows that a rule loses are told with the reason', async () => {
  await cli.bed.api('POST', '/rules', { id: 'orphan', sql: 'SELECT * FROM "lost"', actions: ['http:gone'] });
  await cli.bed.publish({ topic: 'lost', payload: '{}' });
  await until('the loss', async () => (await look()).rules.some((one) => one.lost.length > 0));
  expect((await look()).rules.find((one) => one.id === 'orphan')!.lost).toEqual([
    { why: 'actions.failed.out_of_service', count: 1 },
  ]);
});

test('a broker that is away, and files that are not there, are told apart from a fault', async () => {
  const away = createInspector({ url: 'http://127.0.0.1:1', key: 'k', secret: 's' });
  await expect(away.inspect()).rejects.toMatchObject({ code: 'broker_unreachable' });
  const refused = createInspector({ ...cli.settings.api, secret: 'wrong' });
  await expect(refused.inspect()).rejects.toMatchObject({ code: 'api_key_refused' });
  expect((await look('/nowhere')).drift).toBeNull();
});
