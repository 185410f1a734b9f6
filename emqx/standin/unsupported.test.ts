/** What EMQX has and the stand-in does not is refused by name when it is given, never done differently. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { mountedTopic } from '#emqx/protocol.ts';
import { compare } from './compare.ts';
import { createConfiguration } from './configuration.ts';
import { startTestBed, type TestBed } from './test-broker.ts';

const connectors = { http: { c: { url: 'http://127.0.0.1:9' } } };
const actions = { http: { a: { connector: 'c' } } };

test.each([
  ['SELECT base64_encode(payload) as p FROM "t"', 'the function base64_encode'],
  ['SELECT coalesce(payload.a, payload.b, 1) as v FROM "t"', 'the function coalesce'],
  ['SELECT float(\'1e3\') as v FROM "t"', 'the function float'],
  ['SELECT split(payload.x, \'\') as v FROM "t"', 'the function split'],
  ['SELECT payload.a[1] as v FROM "t"', 'an index'],
  ['SELECT clientid FROM "t" WHERE NOT (qos = 1)', 'NOT'],
  ['SELECT clientid FROM "t" WHERE qos = 1 AND qos IN (1, 2)', 'IN'],
  ['SELECT clientid FROM "t" WHERE qos = 1 OR qos = 2', 'OR'],
  ['SELECT clientid FROM "t" WHERE (qos = 1)', 'parentheses'],
  ['SELECT clientid FROM "t" WHERE qos NOT IN (1, 2)', 'NOT'],
  ['SELECT clientid FROM "t" WHERE CASE WHEN qos = 1 THEN true END', 'CASE'],
  ['SELECT qos + 1 as v FROM "t"', 'arithmetic'],
  ['SELECT qos -1 as v FROM "t"', 'arithmetic'],
  ['SELECT qos * 2 as v FROM "t"', 'arithmetic'],
  ['FOREACH payload.l as e DO e.v as v FROM "t"', 'FOREACH'],
])('at its start: %s', (sql, name) => {
  const start = () =>
    createConfiguration({ connectors, actions, rule_engine: { rules: { r: { sql } } } }, () => {});
  expect(start).toThrow(`rule r: the stand-in does not support ${name} in rule SQL`);
  expect(start).toThrow(expect.objectContaining({ code: 'config_invalid' }));
});

test('at its start: an index in a template', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
  const http = { a: { connector: 'c', parameters: { body: '${a[1]}' } } };
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
  const message = 'action a: the stand-in does not support an index in a template: ${a[1]}';
  expect(() => createConfiguration({ connectors, actions: { http } }, () => {})).toThrow(message);
});

test('=~ on a missing field does not match', () => {
  expect([compare('=~', undefined, 'a/#'), compare('=~', 'a/b', 'a/#')]).toEqual([false, true]);
});

describe('as EMQX does it', () => {
  let bed: TestBed;
  beforeAll(async () => {
    bed = await startTestBed({}, { conf: 'mqtt.max_packet_size = 64KB' });
  });
  afterAll(() => bed.close());

  test.each([
    [{ qos: 'one' }, 'qos'],
    [{ clientid: 5 }, 'clientid'],
    [{ publish_received_at: '2026' }, 'publish_received_at'],
  ])('rule_test refuses a context of the wrong type: %j', async (fields, name) => {
    const context = { event_type: 'message_publish', topic: 't', ...fields };
    const answer = await bed.api('POST', '/rule_test', { sql: 'SELECT * FROM "t"', context });
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining(name) } });
  });

  test('a payload above the packet limit is refused by the API', async () => {
    const send = (bytes: number) => bed.publish({ topic: 't', payload: 'x'.repeat(bytes), qos: 1 });
    expect(await send(70_000)).toBe(400);
    expect(await send(60_000)).toBe(202);
  });

  test('a message with QoS 0 waits for who is away, once', async () => {
    const pair = await bed.ca.leaf('dev-1');
    const device = await bed.online(pair, { clean: false });
    await device.subscribeAsync(['ack', 'control/command'], { qos: 1 });
    await device.endAsync();
    await until('it is away', async () => !(await bed.client('dev-1'))?.connected);
    const send = (payload: string, qos: number) =>
      bed.publish({ topic: mountedTopic('dev-1', 'ack'), payload, qos });
    await send('waits', 0);
    const heard: string[] = [];
    const back = bed.connect(pair, { clean: false });
    back.on('message', (topic, payload) => heard.push(`${topic} ${payload}`));
    await until('what waited', () => heard.length > 0);
    await back.endAsync();
    const again = bed.connect(pair, { clean: false });
    again.on('message', (topic, payload) => heard.push(`${topic} ${payload}`));
    await send('last', 1);
    await until('the last one', () => heard.includes('ack last'));
    expect(heard).toEqual(['ack waits', 'ack last']);
  });
});
