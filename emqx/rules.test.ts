import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readmeRule } from './cli/readme-rule.ts';
import { fromJs, type Row } from './json.ts';
import { brokerEventSchema, mountedTopic, requestTopic, topics } from './protocol.ts';
import { loadRules, readRules, rulesDir } from './rules.ts';
import { schema, withDefaults } from './schema.ts';
import { parseSql } from './sql.ts';
import { evaluate, selectsFrom } from './standin/evaluate.ts';
import { compileTemplate } from './template.ts';
import { toBytes, toMilliseconds } from './units.ts';

const withReadmeRule = mkdtempSync(join(tmpdir(), 'rules-'));
cpSync(rulesDir, withReadmeRule, { recursive: true });
writeFileSync(join(withReadmeRule, readmeRule.file), readmeRule.text);
afterAll(() => rmSync(withReadmeRule, { recursive: true }));

/** Whoever follows README.md leaves all of this true. */
describe.each([
  ['as they are', rulesDir],
  ['with the rule of README.md', withReadmeRule],
])('the rules %s', (_, dir) => {
  const { config, samples } = readRules(dir);
  const rules = Object.entries(config.rule_engine.rules).map(([id, rule]) => ({
    id,
    ...rule,
    statement: parseSql(rule.sql),
  }));
  /** Rules that post elsewhere are anybody's own. */
  const toWebhook = rules.filter(({ actions }) =>
    actions.some((name) => config.actions.http[name.replace('http:', '')]!.connector === 'webhook'),
  );
  const selecting = (topic: string) => toWebhook.filter(({ statement }) => selectsFrom(statement, topic));

  const uplinks = Object.entries(topics).flatMap(([topic, about]) =>
    (topic.startsWith('cert/renew/') ? [topic, `/${topic}`] : [topic]).map((name) => ({
      topic: name,
      ...about,
    })),
  );

  describe('each topic of the protocol', () => {
    test.each(uplinks)(
      '$topic ($direction, $class) is selected by its rule alone',
      ({ topic, direction, class: kind }) => {
        const actions = selecting(mountedTopic('dev-1', topic)).map((rule) => rule.actions);
        expect(actions).toEqual(direction === 'up' ? [[`http:${kind}`]] : []);
      },
    );

    test('nothing else is selected', () => {
      const from = toWebhook
        .flatMap(({ statement }) => statement.from)
        .filter((name) => !name.startsWith('$events/'));
      const wanted = uplinks
        .filter(({ direction }) => direction === 'up')
        .map(({ topic }) => `devices/+/${topic}`);
      expect(from.sort()).toEqual(wanted.sort());
      for (const topic of [
        'devices/dev-1',
        'devices/dev-1/x/log',
        'devices/a/b/log',
        'log',
        '$SYS/brokers',
        'devices//log/x',
      ])
        expect(selecting(topic)).toEqual([]);
    });
  });

  describe('presence', () => {
    test.each(['client_connected', 'client_disconnected', 'session_subscribed'])(
      '%s goes to one critical rule',
      (event) => {
        expect(selecting(`$events/${event}`).map((rule) => rule.actions)).toEqual([['http:critical']]);
      },
    );

    test('a subscription is told of only on the topic by which commands come', () => {
      const rule = config.rule_engine.rules.subscribed!;
      expect(rule.sql).toContain(`'devices/+/${requestTopic}'`);
    });
  });

  describe('every rule', () => {
    test.each(rules)('$id has a description and samples', ({ id, description }) => {
      expect(description).toMatch(/\w{3}/);
      expect(samples.some(({ rule }) => rule === id)).toBe(true);
    });

    test.each(samples)('$rule: $name', ({ rule, given, receives }) => {
      const { statement, actions } = rules.find(({ id }) => id === rule)!;
      const event = fromJs(given) as Row;
      const name = String(given.event);
      const topic = name === 'message.publish' ? String(given.topic) : `$events/${name.replace('.', '_')}`;
      const row = selectsFrom(statement, topic) && evaluate(statement, event);
      const rows = row ? [row] : [];
      const action = config.actions.http[actions[0]!.replace('http:', '')] as {
        parameters: { body: string };
      };
      const bodies = rows.map((row) => JSON.parse(String(compileTemplate(action.parameters.body)(row))));
      expect(bodies).toEqual(receives);
      if (toWebhook.some(({ id }) => id === rule))
        for (const body of bodies) expect(brokerEventSchema.parse(body)).toEqual(body);
    });
  });

  describe('the actions', () => {
    test.each(Object.entries(config.actions.http).filter(([, { connector }]) => connector === 'webhook'))(
      '%s survives a short outage and is bounded',
      (_id, action) => {
        const options = withDefaults(schema.action, action).resource_opts as Record<string, string>;
        const health = toMilliseconds(options.health_check_interval, Number.NaN);
        const ttl = toMilliseconds(options.request_ttl, Number.NaN);
        expect(ttl).toBeLessThan(Number.POSITIVE_INFINITY);
        expect(ttl).toBeGreaterThan(2 * health);
        expect(options.inflight_window).toBe(100);
        expect(
          toBytes(options.max_buffer_bytes, 256e6) * Number(options.worker_pool_size),
        ).toBeLessThanOrEqual(128 * 1024 ** 2);
      },
    );

    test('telemetry keeps less, and for less long, than what is critical', () => {
      const [critical, telemetry] = ['critical', 'telemetry'].map(
        (id) => config.actions.http[id]!.resource_opts as Record<string, string>,
      );
      expect(toMilliseconds(telemetry!.request_ttl, 0)).toBeLessThan(
        toMilliseconds(critical!.request_ttl, 0),
      );
      expect(toBytes(telemetry!.max_buffer_bytes, 0)).toBeLessThan(toBytes(critical!.max_buffer_bytes, 0));
    });

    test('post to the webhook that is given, with its token, and the files keep theirs', () => {
      const loaded = loadRules({ dir, webhookUrl: 'http://10.0.0.1:8081', webhookToken: 't' });
      expect(loaded.connectors.http.webhook).toMatchObject({
        url: 'http://10.0.0.1:8081',
        headers: { authorization: 'Bearer t' },
      });
      expect(JSON.stringify(loaded)).not.toContain('replace-me');
      expect(JSON.stringify(loaded)).not.toContain('samples');
    });
  });
});

describe('a broken rule file is refused with file and line', () => {
  const dirs: string[] = [];
  afterAll(() => {
    for (const dir of dirs) rmSync(dir, { recursive: true });
  });
  const withFile = (name: string, text: string) => {
    const dir = mkdtempSync(join(tmpdir(), 'rules-'));
    dirs.push(dir);
    cpSync(rulesDir, dir, { recursive: true });
    writeFileSync(join(dir, name), text);
    return () => readRules(dir);
  };

  test.each([
    [
      'rule_duplicate',
      '\nrule_engine.rules.log { sql = "SELECT 1 as a FROM t", actions = [] }',
      /x\.hocon:2: .*log\.hocon/,
    ],
    [
      'action_unknown',
      'rule_engine.rules.x {\n sql = "SELECT 1 as a FROM t", actions = ["http:nope"] }',
      /x\.hocon:2: .*http:nope/,
    ],
    ['connector_unknown', '\n\nactions.http.x { connector = nope }', /x\.hocon:3: .*nope/],
    ['rule_invalid', 'rule_engine.rules.x { actions = [] }', /x\.hocon:1: .*sql/],
    ['rule_invalid', 'samples = []', /x\.hocon:1: /],
    [
      'rule_duplicate',
      'rule_engine.rules.x { sql = "SELECT 1 as a FROM t" }\nrule_engine { rules.x { enable = false } }',
      /x\.hocon:2: rule x is already in .*x\.hocon:1/,
    ],
    ['rule_invalid', 'mqtt.max_packet_size = 1MB', /x\.hocon:1: "mqtt"/],
    ['rule_invalid', 'connectors.http.x {\n url = "http://a"\n colour = red }', /x\.hocon:3: .*"colour"/],
    [
      'rule_invalid',
      'actions.http.x {\n connector = webhook\n resource_opts {\n request_ttl = soon } }',
      /x\.hocon:4: .*"soon" is not a duration/,
    ],
    ['rule_invalid', 'connectors.http.x { url = webhook }', /x\.hocon:1: .*not a URL/],
    [
      'sql_invalid',
      'rule_engine.rules.x {\n  sql = """SELECT a\n  FORM "t"\n  """\n  actions = [] }',
      /x\.hocon:3: rule x: unexpected "t", expected from/,
    ],
    ['hocon_syntax', 'rule_engine.rules.x {\n  sql = "SELECT\n}', /x\.hocon:2:9: .*never closed/],
  ])('%s', (code, text, message) => {
    // Sorted last, so that the file in the way is the other one.
    const read = withFile('x.hocon', text);
    expect(read).toThrow(message);
    expect(read).toThrow(expect.objectContaining({ code }));
  });
});
