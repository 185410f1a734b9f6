import { afterAll, beforeAll, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { createConfiguration } from './configuration.ts';
import { messagePublished } from './event-columns.ts';
import type { RuleEngine } from './rule-engine.ts';
import type { Session } from './sessions.ts';
import { type Sink, startSink } from './test-broker.ts';
import { agrees, holdTo, readVectors } from './test-vectors.ts';

interface Request {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | null;
  body_base64?: string | null;
}
interface Vector {
  name: string;
  sql: string;
  action: Record<string, string>;
  connector?: { url_path: string; headers: Record<string, string> };
  publish: {
    topic: string;
    payload?: string;
    payload_base64?: string;
    qos: number;
    clientid: string;
    via: string;
  };
  request?: Request | null;
  requests?: Request[];
  metrics?: { rule: Record<string, number>; action: Record<string, number> };
}

let sink: Sink;
beforeAll(async () => {
  sink = await startSink();
});
afterAll(() => sink.close());

test('actions send what EMQX 5.8.9 sends', async () => {
  await holdTo('templates', readVectors<Vector>('template'), 50, async (vector) => {
    const configure = () =>
      createConfiguration(
        {
          connectors: {
            http: {
              c: {
                url: `${sink.url}${vector.connector?.url_path ?? ''}`,
                headers: vector.connector?.headers ?? {},
              },
            },
          },
          actions: { http: { a: { connector: 'c', parameters: vector.action } } },
          rule_engine: { rules: { r: { sql: vector.sql, actions: ['http:a'] } } },
        },
        () => {},
      );
    let engine: RuleEngine;
    try {
      engine = configure().engine;
    } catch (error) {
      return { unsupported: /the stand-in does not support .*/.exec(String(error))![0] };
    }
    sink.requests.length = 0;
    publish(engine, vector.publish);
    const rule = () => engine.ruleMetrics('r')!;
    await until(
      'the end of the actions',
      () => rule()['actions.success'] + rule()['actions.failed'] === rule()['actions.total'],
    );
    const action = engine.actionMetrics('a')!;
    engine.close();
    const wanted = vector.requests ?? (vector.request ? [vector.request] : []);
    const got = sink.requests.map(({ path, body, method, headers, bytes }) => ({
      path,
      body,
      method,
      headers,
      bytes,
    }));
    if (got.length !== wanted.length) return `${got.length} requests instead of ${wanted.length}`;
    for (const [name, count] of Object.entries(vector.metrics?.rule ?? {}))
      if (name in rule() && rule()[name as keyof ReturnType<typeof rule>] !== count) return `rule ${name}`;
    for (const [name, count] of Object.entries(vector.metrics?.action ?? {}))
      if (action[name as keyof typeof action] !== count) return `action ${name}`;
    for (const [i, request] of wanted.entries()) {
      const one = got[i]!;
      if (one.method !== request.method || one.path !== request.path) return `${one.method} ${one.path}`;
      for (const [name, value] of Object.entries(request.headers))
        if (one.headers[name] !== value) return `${name}: ${one.headers[name]}`;
      if (
        request.body_base64 != null
          ? one.bytes.toString('base64') !== request.body_base64
          : !sameBody(one.body, request.body!, vector.action.body)
      )
        return `body ${one.body}`;
    }
    return null;
  });
});

function publish(engine: RuleEngine, { via, clientid, topic, qos, ...message }: Vector['publish']) {
  const payload =
    message.payload === undefined
      ? Buffer.from(message.payload_base64!, 'base64')
      : Buffer.from(message.payload);
  const session = {
    clientid,
    peer: { host: '127.0.0.1', port: 50_000 },
    attrs: via === 'mqtts' ? { cert_cn: clientid } : {},
  } as unknown as Session;
  engine.handle(topic, () =>
    messagePublished({ topic, payload, qos, retain: false, dup: false }, via === 'api' ? null : session),
  );
}

/** The part that `${.}` made has no order of keys: it is compared as JSON, what stands before it as text. */
function sameBody(got: string, wanted: string, template: string | undefined): boolean {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
  const before = (template ?? '${.}').indexOf('${.}');
  if (before < 0) return got === wanted || agreesAsJson(got, wanted);
  const start = before === 0 ? 0 : wanted.lastIndexOf('{"');
  return (
    got.slice(0, start) === wanted.slice(0, start) && agreesAsJson(got.slice(start), wanted.slice(start))
  );
}

function agreesAsJson(got: string, wanted: string): boolean {
  try {
    return agrees(JSON.parse(got), JSON.parse(wanted));
  } catch {
    return false;
  }
}
