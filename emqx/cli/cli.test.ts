import { existsSync, rmSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { readmeRule } from './readme-rule.ts';
import { startCliBed } from './test-run.ts';

let cli: Awaited<ReturnType<typeof startCliBed>>;
beforeAll(async () => {
  cli = await startCliBed();
});
afterAll(() => cli.close());
beforeEach(async () => {
  cli.freshFiles();
  for (const kind of ['rule', 'action', 'connector'])
    for (const id of await idsOf(kind))
      await cli.bed.api('DELETE', `/${kind}s/${kind === 'rule' ? '' : 'http:'}${id}`);
  await cli.run('apply');
});
const idsOf = async (kind: string): Promise<string[]> => {
  const { body } = await cli.bed.api('GET', `/${kind}s`);
  return (body.data ?? body).map((one: any) => one.id ?? one.name);
};
const rule = async (id: string) => (await cli.bed.api('GET', `/rules/${id}`)).body;
/** What the dashboard does: it sends the whole rule back. */
const inDashboard = async (id: string, change: object) => {
  const { sql, actions, description, enable } = await rule(id);
  await cli.bed.api('PUT', `/rules/${id}`, { sql, actions, description, enable, ...change });
};

describe('apply', () => {
  test('makes everything, with what the deployment says, and then has nothing to do', async () => {
    expect(await idsOf('rule')).toContain('firmware');
    expect((await cli.bed.api('GET', '/connectors/http:webhook')).body).toMatchObject({
      url: cli.sink.url,
      headers: { authorization: '******' },
      pool_type: 'hash',
    });
    const again = await cli.run('apply');
    expect(again).toMatchObject({ status: 0, text: expect.stringMatching(/^Nothing to do/) });
    expect((await cli.run('plan')).status).toBe(0);
  });

  test('the rows arrive with the token, which no file has', async () => {
    cli.sink.requests.length = 0;
    await cli.bed.publish({ topic: 'devices/d/log', payload: '{}' });
    await until('the row', () => cli.sink.requests.length === 1);
    expect(cli.sink.requests[0]!.headers.authorization).toBe('Bearer token-1');
    await cli.run('apply', { secrets: true }, { webhook: { url: cli.sink.url, token: 'token-2' } });
    await cli.bed.publish({ topic: 'devices/d/log', payload: '{}' });
    await until('the next row', () => cli.sink.requests.length === 2);
    expect(cli.sink.requests[1]!.headers.authorization).toBe('Bearer token-2');
    // Without a token the broker keeps the one that it has, also when the connector is changed.
    cli.edit('connector.hocon', 'pool_size = 8', 'pool_size = 4');
    await cli.run('apply', {}, { webhook: { url: null, token: null } });
    await cli.bed.publish({ topic: 'devices/d/log', payload: '{}' });
    await until('the last row', () => cli.sink.requests.length === 3);
    expect(cli.sink.requests[2]!.headers.authorization).toBe('Bearer token-2');
  });

  test('removes what it once made, and leaves what others made', async () => {
    await cli.bed.api('POST', '/rules', {
      id: 'mine',
      sql: 'SELECT 1 as a FROM "t"',
      actions: ['http:telemetry'],
    });
    // A copy made in the dashboard has our description too.
    const { sql, description } = await rule('log');
    await cli.bed.api('POST', '/rules', { id: 'log-copy', sql, description, actions: [] });
    rmSync(join(cli.dir, 'log.hocon'));
    const planned = await cli.run('plan');
    expect(planned.status).toBe(2);
    expect(planned.text).toContain('- rule log ');
    expect(planned.text).toContain('? rule mine ');
    const { text } = await cli.run('apply');
    expect(text).toContain('removed rule log');
    expect(text).toContain('left alone: rule mine');
    expect(await idsOf('rule')).toEqual(expect.arrayContaining(['mine', 'log-copy', 'data']));
    expect(await idsOf('rule')).not.toContain('log');
  });

  test('a step that fails says what was done, and the next apply does the rest', async () => {
    cli.edit('connector.hocon', 'pool_size = 8', 'pool_size = 4');
    cli.edit('log.hocon', 'Log lines of devices', 'Lines');
    cli.edit('data.hocon', 'Sensor values', 'Values');
    // In front of the broker: refuses one step.
    let refuse = true;
    const proxy = http.createServer((request, response) => {
      if (refuse && request.method === 'PUT' && request.url!.endsWith('/rules/log')) {
        response.writeHead(500).end('{"code":"INTERNAL_ERROR","message":"disk full"}');
        return;
      }
      const { method, headers, url } = request;
      request.pipe(
        http.request(cli.settings.api.url, { method, headers, path: url }, (answer) => {
          response.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(response);
        }),
      );
    });
    const api = { ...cli.settings.api, url: `http://127.0.0.1:${await listen(proxy)}` };
    await expect(cli.run('apply', {}, { api })).rejects.toThrow(
      /update rule log failed: .*disk full[\s\S]*done: update connector webhook, update rule data[\s\S]*not done: update rule log/,
    );
    refuse = false;
    expect((await cli.run('apply', {}, { api })).text).toBe('updated rule log');
    expect((await cli.run('plan')).status).toBe(0);
    proxy.closeAllConnections();
    proxy.close();
  });

  test('nothing is applied when anything is wrong', async () => {
    cli.edit('data.hocon', 'Sensor values', 'Values');
    cli.edit('log.hocon', 'SELECT', 'SELEC');
    await expect(cli.run('apply')).rejects.toThrow(/log\.hocon:\d+: rule log: /);
    cli.freshFiles();
    cli.edit('data.hocon', 'Sensor values', 'Values');
    cli.write('x.hocon', 'connectors.http.x { url = "http://a", headers { authorization = "******" } }');
    await expect(cli.run('apply')).rejects.toThrow(/connector x .*write the secret/);
    expect((await rule('data')).description).toMatch(/^Sensor values/);
    // What the deployment has to say is not guessed for a broker elsewhere, nor is a token anywhere.
    cli.freshFiles();
    for (const path of await idsOf('rule')) await cli.bed.api('DELETE', `/rules/${path}`);
    for (const path of await idsOf('action')) await cli.bed.api('DELETE', `/actions/http:${path}`);
    await cli.bed.api('DELETE', '/connectors/http:webhook');
    await expect(cli.run('apply', {}, { webhook: { url: cli.sink.url, token: null } })).rejects.toThrow(
      /WEBHOOK_TOKEN/,
    );
    await expect(cli.run('apply', {}, { webhook: { url: null, token: 't' }, local: false })).rejects.toThrow(
      /WEBHOOK_URL/,
    );
    expect(await idsOf('rule')).toEqual([]);
  });
});

describe('plan', () => {
  test('shows what differs, value by value, and which bodies that changes', async () => {
    cli.edit('progress.hocon', "'message' as event", "'news' as event");
    cli.edit('actions/telemetry.hocon', 'request_ttl = 20s', 'request_ttl = 20000ms');
    cli.edit('actions/telemetry.hocon', 'max_buffer_bytes = 4MB', 'max_buffer_bytes = 8MB');
    const { status, text } = await cli.run('plan');
    expect(status).toBe(2);
    expect(text).toContain('resource_opts.max_buffer_bytes: "4MB" → "8MB"');
    expect(text).not.toContain('request_ttl');
    expect(text).toMatch(/- SELECT 'message' as event.*\n.*\+ SELECT 'news' as event/);
    expect(text).toContain('rule progress: 1 of 1 samples change');
    expect(text).toMatch(
      /- POST \/emqx\/events \{.*"event":"message"[\s\S]*\+ POST \/emqx\/events \{.*"event":"news"/,
    );
    expect(text).toContain('rule log: nothing changes');
    expect(text).not.toContain('\x1b');
  });

  test('is silent about times that rule_test fills in by itself, which are others in each test', async () => {
    cli.edit(
      'disconnected.hocon',
      "SELECT 'disconnected' as event, clientid",
      "SELECT clientid, 'disconnected' as event",
    );
    expect((await cli.run('plan')).text).toMatch(/rule disconnected: nothing changes for \d samples/);
  });
});

describe('pull', () => {
  test('takes over the values that were changed in the dashboard, and nothing else of the file', async () => {
    const sql = (await rule('progress')).sql.replace('topic, payload', 'payload, topic');
    await inDashboard('progress', { sql, enable: false });
    const { body } = await cli.bed.api('GET', '/actions/http:telemetry');
    const { connector, description, parameters, resource_opts } = body;
    await cli.bed.api('PUT', '/actions/http:telemetry', {
      ...{ connector, description, parameters },
      resource_opts: { ...resource_opts, request_ttl: '30s', inflight_window: 50 },
    });
    const before = { progress: cli.file('progress.hocon'), telemetry: cli.file('actions/telemetry.hocon') };
    const { status, text } = await cli.run('pull');
    expect(status).toBe(0);
    expect(text).toContain('request_ttl = "30s"');
    expect(cli.file('progress.hocon')).toBe(
      before.progress
        .replace('topic, payload, client_attrs', 'payload, topic, client_attrs')
        .replace('actions = ["http:telemetry"]\n', 'actions = ["http:telemetry"]\n  enable = false\n'),
    );
    expect(cli.file('actions/telemetry.hocon')).toBe(
      before.telemetry
        .replace('request_ttl = 20s', 'request_ttl = 30s')
        .replace('inflight_window = 100', 'inflight_window = 50'),
    );
    expect((await cli.run('plan')).status).toBe(0);
  });

  test('what was made in the dashboard becomes a file, and what was deleted is told', async () => {
    await cli.bed.api('POST', '/connectors', {
      type: 'http',
      name: 'own',
      url: 'http://127.0.0.1:9',
      headers: { 'X-A': '1' },
    });
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
    const parameters = { method: 'put', path: '/x', body: '{"a":"${a}"}' };
    await cli.bed.api('POST', '/actions', { type: 'http', name: 'own', connector: 'own', parameters });
    const sql = 'SELECT 1 as a\nFROM "t/#"';
    await cli.bed.api('POST', '/rules', { id: 'own', sql, actions: ['http:own'], description: 'Mine' });
    await cli.bed.api('DELETE', '/rules/status');
    const { text } = await cli.run('pull');
    expect(text).toMatch(/rule own → .*own\.hocon \(new\)/);
    expect(text).toMatch(/rule status is not on the broker: delete it at .*status\.hocon:1/);
    expect(cli.file('own.hocon')).toContain('sql = """SELECT 1 as a\nFROM "t/#"');
    expect(existsSync(join(cli.dir, 'status.hocon'))).toBe(true);
    rmSync(join(cli.dir, 'status.hocon'));
    expect((await cli.run('plan')).status).toBe(0);
    // On another broker the files make the same again.
    for (const path of ['/rules/own', '/actions/http:own', '/connectors/http:own'])
      await cli.bed.api('DELETE', path);
    await cli.run('apply');
    expect(await rule('own')).toMatchObject({ sql: `${sql}\n`, actions: ['http:own'] });
    expect((await cli.bed.api('GET', '/actions/http:own')).body.parameters).toMatchObject(parameters);
    expect((await cli.bed.api('GET', '/connectors/http:own')).body.headers).toEqual({ 'X-A': '1' });
  });

  test('what belongs to the deployment stays out of the files', async () => {
    const before = cli.file('connector.hocon');
    const { headers, url } = (await cli.bed.api('GET', '/connectors/http:webhook')).body;
    await cli.bed.api('PUT', '/connectors/http:webhook', { url: `${url}/other`, headers, pool_type: 'hash' });
    const { text } = await cli.run('pull');
    expect(text).toContain("url is the deployment's");
    expect(cli.file('connector.hocon')).toBe(
      before
        .replace('connect_timeout = 5s', 'connect_timeout = 15s')
        .replace('health_check_interval = 5s', 'health_check_interval = 15s'),
    );
  });

  test('writes nothing when the files could not be read afterwards', async () => {
    await inDashboard('log', { description: 'New' });
    await cli.bed.api('POST', '/rules', {
      id: 'odd',
      sql: 'SELECT 1 as a FROM "t"',
      actions: ['http:nowhere'],
    });
    const { text } = await cli.run('pull');
    expect(text).toContain('rule odd was left out');
    expect(cli.file('log.hocon')).toContain('description = "New"');
    expect(existsSync(join(cli.dir, 'odd.hocon'))).toBe(false);
  });
});

describe('test', () => {
  test('runs every sample on the broker, and tells of each that fails where it stands', async () => {
    const good = await cli.run('test');
    expect(good.status).toBe(0);
    expect(good.text).toMatch(/ok {6}progress: half way \(not compared: cert\)/);
    cli.edit(
      'connected.hocon',
      'event = connected, clientid = "dev-1"',
      'event = connected, clientid = "dev-2"',
    );
    const bad = await cli.run('test');
    expect(bad.status).toBe(1);
    expect(bad.text).toMatch(/FAILED {2}connected: with a certificate {2}.*connected\.hocon:10/);
    expect(bad.text).toContain('1 failed');
  });
});

describe('status', () => {
  test('is quiet while all goes well, and exits 1 when something is lost', async () => {
    await cli.run('status', { reset: true });
    cli.sink.requests.length = 0;
    await cli.bed.publish({ topic: 'devices/d/log', payload: '{}' });
    await until('the row', () => cli.sink.requests.length === 1);
    await until('it is counted', async () =>
      /telemetry +connected +1 +1/.test((await cli.run('status')).text),
    );
    expect((await cli.run('status')).status).toBe(0);
    cli.sink.respond = (_request, response) => response.writeHead(500).end();
    await cli.bed.publish({ topic: 'devices/d/log', payload: '{}' });
    await until('the loss', async () => (await cli.run('status')).status === 1);
    cli.sink.respond = (_request, response) => response.writeHead(204).end();
    expect((await cli.run('status', { reset: true })).text).toContain('LOST by action telemetry: 1 failed');
    expect(await cli.run('status')).toMatchObject({
      status: 0,
      text: expect.stringContaining('Nothing was lost.'),
    });
  });
});

describe.each(['5.8.9', '5.8.11', '6.2.2'] as const)('whose HTTP API is that of %s', (version) => {
  test('a broker is found, set up, compared and tested', async () => {
    const its = await startCliBed({ version });
    const summary = async (name: string) => {
      const { status, text } = await its.run(name);
      return `${name} ${status} ${text.split('\n', 1)[0]}`;
    };
    try {
      expect(await its.run('apply')).toMatchObject({ status: 0 });
      expect(await summary('plan')).toMatch(/^plan 0 /);
      expect(await summary('test')).toMatch(/^test 0 /);
      expect(await summary('status')).toBe(`status 0 emqx@127.0.0.1: EMQX ${version}, running`);
      // Whatever holds by default in that version is neither a difference nor written.
      await its.bed.api('POST', '/connectors', { type: 'http', name: 'own', url: 'http://127.0.0.1:9' });
      expect(await its.run('pull')).toMatchObject({ status: 0 });
      expect(
        its.file('connectors/own.hocon').split('\n').slice(1).join('\n').replace(/\s+/g, ' ').trim(),
      ).toBe('connectors.http.own { url = "http://127.0.0.1:9" }');
      expect(await summary('plan')).toMatch(/^plan 0 /);
    } finally {
      await its.close();
    }
  });
});

describe('bad input is one clear message', () => {
  const brokerOf = async (version: string) => {
    const server = http.createServer((_request, response) =>
      response.end(JSON.stringify([{ node: 'emqx@old', version, node_status: 'running' }])),
    );
    return { server, url: `http://127.0.0.1:${await listen(server)}` };
  };

  test.each(['plan', 'apply', 'pull', 'test', 'status'])(
    '%s, with the key refused, another version, nobody there',
    async (name) => {
      await expect(cli.run(name, {}, { api: { ...cli.settings.api, secret: 'no' } })).rejects.toThrow(
        /refused the API key/,
      );
      const other = await brokerOf('5.7.2');
      await expect(cli.run(name, {}, { api: { ...cli.settings.api, url: other.url } })).rejects.toThrow(
        /emqx@old .* is EMQX 5\.7\.2.* 5\.8/,
      );
      other.server.close();
      other.server.closeAllConnections();
    },
  );

  test('a broker that is away', async () => {
    await expect(
      cli.run('plan', {}, { api: { ...cli.settings.api, url: 'http://127.0.0.1:1' } }),
    ).rejects.toThrow(/cannot reach EMQX at 127\.0\.0\.1:1/);
  });

  test.each([
    [
      'rule_engine.rules.x { sql = "SELECT 1 as a FROM \\"t\\"", actions = ["http:none"] }',
      /x\.hocon:1: rule x: unknown action/,
    ],
    [
      'rule_engine.rules.log { sql = "SELECT 1 as a FROM \\"t\\"" }',
      /x\.hocon:1: rule log is already in .*log\.hocon:1/,
    ],
    ['rule_engine {\n rules {', /x\.hocon:2:\d+: this "\{" is never closed/],
  ])('%s', async (text, message) => {
    cli.write('x.hocon', text);
    for (const name of ['plan', 'apply', 'pull', 'test'])
      await expect(cli.run(name)).rejects.toThrow(message);
  });
});

test('a rule of one’s own needs a file and no code, as README.md says: above 40 degrees, to my own address', async () => {
  expect((await cli.run('test')).text).toMatch(/ok {6}hot: hot/);
  await cli.run('apply');
  cli.sink.requests.length = 0;
  const device = await cli.bed.online(await cli.bed.ca.leaf('dev-1'));
  for (const temperature of [39, 40.5])
    await device.publishAsync(
      'data/sensors',
      JSON.stringify({ id: 'x', at: null, values: { temperature } }),
      { qos: 1 },
    );
  await until('the alarm', () => cli.sink.requests.some(({ path }) => path === '/my/alarm'));
  await until('both rows', () => cli.sink.requests.filter(({ path }) => path === '/emqx/events').length >= 3);
  expect(
    cli.sink.requests.filter(({ path }) => path === '/my/alarm').map(({ body }) => JSON.parse(body)),
  ).toEqual([{ clientid: 'dev-1', t: 40.5 }]);
  // And without its file it is gone.
  rmSync(join(cli.dir, readmeRule.file));
  expect((await cli.run('apply')).text).toBe(
    'removed rule hot\nremoved action alarm\nremoved connector mine',
  );
  await device.endAsync();
});
