/** What Flota promises with a broker of two nodes: `BROKER_*` names the one that the webhook talks to, `BROKER_NODE2_*` the other. */
import { exec } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCliRun } from '#emqx/cli/test-run.ts';
import { until } from '../primitives/until.ts';
import { unwrap } from '../rest.ts';
import { callEmqx } from '../system/broker.ts';
import { type Bed, closed, openBed } from './bed.ts';
import { readEmqxUnderTest, type SecondNode, secondNodeSettings } from './under-test.ts';

const named = readEmqxUnderTest()?.second;
/** Of what connects here (mqtt.js asks for 60 s), and half of it again, as MQTT has it. */
const keepAliveMs = 90_000;
const youngMs = 5_000;

describe('two nodes', () => {
  if (!named) {
    it('are not there', (context) =>
      context.skip(`NOT RUN: no second node (${secondNodeSettings.join(', ')})`));
    return;
  }
  defineNodes(named);
});

function defineNodes(second: SecondNode): void {
  let bed: Bed;
  let cli: ReturnType<typeof createCliRun>;
  let names: { first: string; second: string };
  const run = async (command: string) => (await promisify(exec)(command)).stdout.trim();
  const evaluate = (expression: string) =>
    run(`${second.evalCommand} '${expression.replaceAll("'", "'\\''")}'`);
  const call = async (method: string, path: string, body?: object) => {
    const answer = await callEmqx(bed.stack.emqx, method, path, body && JSON.stringify(body));
    expect(answer.ok, `${method} ${path}: ${answer.status}`).toBe(true);
    return answer.status === 204 ? null : answer.json();
  };
  const running = () => bed.broker.runningNodes();
  const startSecond = async () => {
    await run(second.startCommand);
    await until('both nodes run', async () => (await running()).length === 2, 120_000);
  };
  /** A device that is known to be online, and its client: at the first node or the second. */
  const connected = async (name: string, url?: string) => {
    const id = bed.idOf(name);
    await bed.register(id);
    const pair = await bed.enroll(id);
    const client = await bed.online(pair, { ...(url && { url }) });
    await until(`${name} is online`, () => isOnline(id));
    return { id, pair, client };
  };
  const isOnline = async (id: string) =>
    (await unwrap(bed.rest.api.devices[':id'].$get({ param: { id } }))).online;

  beforeAll(async () => {
    // Presence is compared because a node is gone, or not before the end of this.
    const times = { periodMs: 3_600_000, faultMs: 1_000, youngMs, settledMs: 2_000, watchMs: 2_000 };
    bed = await openBed({ crlRefreshMs: 3_600_000, reconcile: times });
    const { emqx, gate, internalUrl, webhookToken } = bed.stack;
    cli = createCliRun({
      api: emqx,
      webhook: { url: gate?.url ?? internalUrl, token: webhookToken },
      local: true,
    });
    expect(await cli.run('apply')).toMatchObject({ status: 0 });
    const all = await running();
    expect(all).toHaveLength(2);
    const told = await evaluate('node().');
    const own = all.find((name) => told.includes(`'${name}'`));
    if (!own) throw new Error(`BROKER_NODE2_EVAL_CMD says "${told}", the nodes are ${all.join(', ')}`);
    names = { first: all.find((name) => name !== own)!, second: own };
  }, 120_000);
  afterAll(async () => {
    cli?.close();
    await bed?.close();
  });

  it('a kick and a ban at one node end the connection at the other, and lifting the ban lets the device in again', async () => {
    const { id, pair, client } = await connected('elsewhere', second.mqttUrl);
    const kicked = closed(client);
    expect(await bed.broker.kick(id)).toBe(true);
    await kicked;
    const again = await bed.online(pair, { url: second.mqttUrl });
    const banned = closed(again);
    await unwrap(bed.rest.api.bans.$post({ json: { device: id, reason: 'stolen' } }));
    await banned;
    while ((await bed.attempt(pair, { url: second.mqttUrl })) === 'kicked');
    expect((await bed.rest.api.bans[':device'].$delete({ param: { device: id } })).status).toBe(204);
    const isIn = () =>
      bed.online(pair, { url: second.mqttUrl }).then(
        () => true,
        () => false,
      );
    await until('the device is let in again', isIn);
  });

  it('what is counted is of both nodes, and each node has its share', async () => {
    const count = 20;
    const clients = [await connected('here'), await connected('there', second.mqttUrl)];
    const read = async () => {
      const { metrics, node_metrics } = await call('GET', '/rules/log/metrics');
      const of = (node: string) =>
        node_metrics.find((one: { node: string }) => one.node === node).metrics.matched as number;
      return { all: metrics.matched as number, first: of(names.first), second: of(names.second) };
    };
    const before = await read();
    const line = () => JSON.stringify({ id: randomUUID(), at: null, level: 'info', message: 'counted' });
    for (const { client } of clients)
      for (let i = 0; i < count; i++) await client.publishAsync('log', line(), { qos: 1 });
    const after = await until(read, ({ all }) => all >= before.all + 2 * count);
    expect(after.first - before.first).toBeGreaterThanOrEqual(count);
    expect(after.second - before.second).toBeGreaterThanOrEqual(count);
    expect(after.all).toBe(after.first + after.second);
    const told = await cli.run('status');
    for (const name of Object.values(names))
      expect(told.text).toMatch(new RegExp(`^${name}: EMQX .*, running$`, 'm'));
  });

  it('plan names the node that alone has a rule, which no list of the broker shows', async () => {
    expect(await cli.run('plan')).toMatchObject({ status: 0 });
    // As a cluster call that reached one node only leaves it.
    const path = '[rule_engine, rules, only_here]';
    const sql = '<<"SELECT 1 as a FROM \\"t\\"">>';
    const told = await evaluate(
      `{ok, _} = emqx:update_config(${path}, #{<<"sql">> => ${sql}, <<"actions">> => []}), changed.`,
    );
    expect(told).toContain('changed');
    try {
      const planned = await cli.run('plan');
      expect(planned.status).toBe(2);
      expect(planned.text).toContain(`! rule only_here  is on ${names.second} and not on ${names.first}`);
      expect(planned.text).toMatch(/No difference: .* is as the files say\.$/);
    } finally {
      await evaluate(`emqx:remove_config(${path}), ok.`);
    }
    expect(await cli.run('plan')).toMatchObject({ status: 0 });
  });

  it('when a node is killed its devices are offline within the keep-alive, those of the other stay online, and a change is taken over when it is back', {
    timeout: 360_000,
  }, async () => {
    const stays = await connected('stays');
    const dies = await connected('dies', second.mqttUrl);
    const since = performance.now();
    await until(
      'both connections are old enough to be judged',
      () => performance.now() > since + youngMs + 1_000,
      30_000,
    );
    const gone = closed(dies.client);
    await run(second.killCommand);
    await gone;
    const killed = performance.now();
    await until('its device is offline', async () => !(await isOnline(dies.id)), keepAliveMs);
    expect(performance.now() - killed).toBeLessThan(keepAliveMs);
    expect(await isOnline(stays.id)).toBe(true);
    expect(stays.client.connected).toBe(true);

    expect((await cli.run('status')).text).toContain(`${names.second}: EMQX ?, not running`);
    const { id, sql, actions, description, enable } = await call('GET', '/rules/log');
    const changed = sql.replace('SELECT', 'SELECT 7 as seven,');
    await call('PUT', `/rules/${id}`, { sql: changed, actions, description, enable });
    await startSecond();
    await until(
      'the node that was down has the change',
      async () => !(await cli.run('plan')).text.includes('is not the same on'),
      60_000,
    );
    expect((await cli.run('plan')).text).toMatch(/~ rule log/);
    expect((await cli.run('apply')).text).toBe('updated rule log');
    expect(await cli.run('plan')).toMatchObject({ status: 0 });
    // Its device comes back to it.
    const back = await bed.online(dies.pair, { url: second.mqttUrl });
    await until('the device is online again', () => isOnline(dies.id));
    expect(back.connected).toBe(true);
  });
}
