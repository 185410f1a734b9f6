import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { once, type Sink, startSink, startTestBed, type TestBed } from './test-broker.ts';

let bed: TestBed;
let sink: Sink;
beforeAll(async () => {
  sink = await startSink();
  bed = await startTestBed({});
});
afterAll(async () => {
  await bed.close();
  await sink.close();
});

const say = (payload: string) => bed.publish({ topic: 'live/t', payload });
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
const body = '${x}';
const action = (path: string, options = {}) => ({
  connector: 'c',
  parameters: { method: 'post', path, body },
  resource_opts: { health_check_interval: '1h', ...options },
});

describe('what is changed through the API', () => {
  test('takes effect with the next message', async () => {
    expect((await bed.api('POST', '/connectors', { type: 'http', name: 'c', url: sink.url })).status).toBe(
      201,
    );
    expect((await bed.api('POST', '/actions', { type: 'http', name: 'a', ...action('/one') })).status).toBe(
      201,
    );
    const sql = 'SELECT payload as x FROM "live/t"';
    expect((await bed.api('POST', '/rules', { id: 'r', sql, actions: ['http:a'] })).status).toBe(201);
    await say('1');
    await until('the first', () => sink.requests.length === 1);
    await bed.api('PUT', '/actions/http:a', action('/two'));
    await bed.api('PUT', '/rules/r', { sql: `SELECT 'new' as x FROM "live/t"`, actions: ['http:a'] });
    await say('2');
    await until('the second', () => sink.requests.length === 2);
    expect(sink.requests.map(({ path, body }) => [path, body])).toEqual([
      ['/one', '1'],
      ['/two', 'new'],
    ]);
    expect(bed.broker.rules.ruleMetrics('r')).toMatchObject({ matched: 2, passed: 2 });
  });

  test('a new address of the connector moves its actions too', async () => {
    const other = await startSink();
    await bed.api('PUT', '/connectors/http:c', { url: other.url });
    await say('3');
    await until('the third', () => other.requests.length === 1);
    await bed.api('PUT', '/connectors/http:c', { url: sink.url });
    await other.close();
  });

  test('an action that is edited loses its buffer, and one that is disabled discards', async () => {
    sink.respond = (_request, response) => response.writeHead(503).end();
    await say('kept');
    await until('a retry is due', () => bed.broker.rules.actionMetrics('a')?.inflight === 1);
    await bed.api('PUT', '/actions/http:a', action('/three'));
    expect(bed.broker.rules.actionMetrics('a')).toMatchObject({ matched: 0, inflight: 0, queuing: 0 });
    await bed.api('PUT', '/actions/http:a', { ...action('/three'), enable: false });
    await say('thrown away');
    expect(bed.broker.rules.ruleMetrics('r')!['actions.discarded']).toBe(1);
    await bed.api('PUT', '/actions/http:a', action('/three'));
    sink.respond = (_request, response) => response.writeHead(204).end();
  });

  test('a rule that is disabled or removed is silent; one without its action counts a failure', async () => {
    const before = sink.requests.length;
    await bed.api('PUT', '/rules/r', {
      sql: 'SELECT 1 as x FROM "live/t"',
      actions: ['http:a'],
      enable: false,
    });
    await say('5');
    await bed.api('PUT', '/rules/r', { sql: 'SELECT 1 as x FROM "live/t"', actions: ['http:none'] });
    await say('6');
    expect(bed.broker.rules.ruleMetrics('r')!['actions.failed.out_of_service']).toBe(1);
    expect((await bed.api('DELETE', '/rules/r')).status).toBe(204);
    await say('7');
    expect(bed.broker.rules.ruleMetrics('r')).toBeUndefined();
    expect(sink.requests.length).toBe(before);
  });

  test('a secret that is sent back as ****** stays what it was', async () => {
    await bed.api('PUT', '/connectors/http:c', {
      url: sink.url,
      headers: { authorization: 'Bearer s3cret' },
    });
    const { headers } = (await bed.api('GET', '/connectors/http:c')).body;
    expect(headers).toEqual({ authorization: '******' });
    await bed.api('PUT', '/connectors/http:c', { url: sink.url, headers, pool_size: 2 });
    await bed.api('POST', '/rules', { id: 'r', sql: 'SELECT 1 as x FROM "live/t"', actions: ['http:a'] });
    const before = sink.requests.length;
    await say('8');
    await until('the row', () => sink.requests.length > before);
    expect(sink.requests.at(-1)!.headers.authorization).toBe('Bearer s3cret');
  });

  test.each([
    ['POST', '/connectors', { type: 'mqtt', name: 'm' }, /mqtt/],
    [
      'POST',
      '/actions',
      { type: 'http', name: 'x', connector: 'c', resource_opts: { buffer_mode: 'volatile_offload' } },
      /buffer_mode/,
    ],
    [
      'POST',
      '/rules',
      { id: 'x', sql: 'SELECT 1 as a FROM "t"', actions: [{ function: 'republish' }] },
      /actions|list of texts/,
    ],
    ['POST', '/banned', { as: 'peerhost', who: '10.0.0.1' }, /by clientid/],
    ['POST', '/banned', { as: 'clientid', who: 'd', until: 1_893_456_000 }, /support until/],
    ['POST', '/publish/bulk', [{ topic: 't', payload: '', retain: true }], /support retain/],
    ['GET', '/clients?fields=mqueue_len', undefined, /support fields/],
  ])('%s %s of what is not supported is 400 and names it', async (method, path, body, message) => {
    const answer = await bed.api(method, path, body);
    expect([answer.status, answer.body.code]).toEqual([400, 'BAD_REQUEST']);
    expect(answer.body.message).toMatch(message);
  });
});

test('a banned device is cut off and stays out until the ban is lifted', async () => {
  const pair = await bed.ca.leaf('bad-1');
  const client = await bed.online(pair);
  const closed = once(client, 'close');
  expect((await bed.api('POST', '/banned', { as: 'clientid', who: 'bad-1' })).status).toBe(200);
  await closed;
  await expect(bed.online(pair)).rejects.toThrow();
  const again = await bed.api('POST', '/banned', { as: 'clientid', who: 'bad-1' });
  expect(again).toMatchObject({ status: 400, body: { code: 'ALREADY_EXISTS' } });
  expect((await bed.api('DELETE', '/banned/clientid/bad-1')).status).toBe(204);
  await (await bed.online(pair)).endAsync();
});
