/** `plan` and `status` before a cluster of two nodes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { startTestCluster, type TestCluster } from '../standin/test-cluster.ts';
import { startCliBed } from './test-run.ts';

let cluster: TestCluster;
let cli: Awaited<ReturnType<typeof startCliBed>>;
beforeAll(async () => {
  cluster = await startTestCluster();
  cli = await startCliBed({ apiUrl: cluster.url });
  expect(await cli.run('apply')).toMatchObject({ status: 0 });
});
afterAll(async () => {
  await cli?.close();
  await cluster?.close();
});

test('two nodes that have the same are no difference', async () => {
  expect(await cli.run('plan')).toEqual({
    status: 0,
    text: `No difference: ${cluster.url} is as the files say.`,
  });
});

test('plan tells what one node has and the other has not, or has otherwise, which no list of the broker shows', async () => {
  const mine = { id: 'mine', sql: 'SELECT 1 as a FROM "t"', actions: ['http:telemetry'] };
  await cluster.b.api('POST', '/rules', mine);
  const { body: action } = await cluster.b.api('GET', '/actions/http:critical');
  const { connector, parameters, resource_opts } = action;
  const settings = { connector, parameters, description: action.description };
  await cluster.b.api('PUT', '/actions/http:critical', {
    ...settings,
    resource_opts: { ...resource_opts, request_ttl: '7s' },
  });
  await cluster.a.api('DELETE', '/rules/log');
  const { status, text } = await cli.run('plan');
  expect(status).toBe(2);
  expect(text).toContain('! rule mine  is on emqx@b and not on emqx@a');
  expect(text).toContain('! rule log  is on emqx@b and not on emqx@a');
  expect(text).toContain(
    '! action critical  is not the same on emqx@a and emqx@b: resource_opts.request_ttl',
  );
  expect(text.match(/^!/gm)).toHaveLength(3);
  expect(text).toContain('emqx ctl conf cluster_sync status');
  expect(text).toContain('+ rule log  is not on the broker');

  // The answering node is as the files say, and yet the cluster is not.
  const { id, sql, actions, description, enable } = (await cluster.b.api('GET', '/rules/log')).body;
  await cluster.a.api('POST', '/rules', { id, sql, actions, description, enable });
  const second = await cli.run('plan');
  expect(second.status).toBe(2);
  expect(second.text).toContain('! rule mine  is on emqx@b and not on emqx@a');
  expect(second.text).toMatch(/No difference: .* is as the files say\.$/);
  await cluster.b.api('DELETE', '/rules/mine');
  await cluster.b.api('PUT', '/actions/http:critical', { ...settings, resource_opts });
  expect((await cli.run('plan')).status).toBe(0);
});

test('a node that does not say what it has is no agreement', async () => {
  cluster.silent.add('emqx@b');
  const planned = await cli.run('plan');
  expect(planned).toMatchObject({ status: 2 });
  expect(planned.text).toMatch(/^! emqx@b does not tell what it has: .*Bad node/);
  const told = await cli.run('status');
  expect(told.status).toBe(1);
  expect(told.text).toContain('emqx@b did not tell its counts: what follows is of the others.');
  cluster.silent.clear();
});

test('status adds the nodes up, and names the one on which something was lost', async () => {
  cli.sink.respond = (_request, response) => response.writeHead(400).end();
  const publish = { topic: 'devices/d/log', payload: '{}' };
  for (let i = 0; i < 2; i++) await cluster.b.publish(publish);
  await until('the losses', async () => {
    const { body } = await cluster.b.api('GET', '/actions/http:telemetry/metrics');
    return body.metrics.failed === 2;
  });
  cli.sink.respond = (_request, response) => response.writeHead(204).end();
  await cluster.a.publish(publish);
  await until('the success', async () => {
    const { body } = await cluster.a.api('GET', '/actions/http:telemetry/metrics');
    return body.metrics.success === 1;
  });
  const { status, text } = await cli.run('status');
  expect(status).toBe(1);
  expect(text).toMatch(/^emqx@a: EMQX 5\.8\.9, running\nemqx@b: EMQX 5\.8\.9, running\n/);
  // MATCHED, SUCCESS, RETRIED, FAILED
  expect(text).toMatch(/^telemetry +connected +3 +1 +0 +2 /m);
  expect(text).toContain('LOST by action telemetry: 2 failed on emqx@b');
  await cli.run('status', { reset: true });
  expect((await cli.run('status')).status).toBe(0);
});
