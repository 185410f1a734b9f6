import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { createConfiguration } from './configuration.ts';
import { messagePublished } from './event-columns.ts';
import { startSink } from './test-broker.ts';
import { holdTo, readVectors } from './test-vectors.ts';

interface Vector {
  name: string;
  messages: number;
  attempts_total: number;
  attempt_bodies?: string[];
  action_metrics: Record<string, number>;
  rule_metrics: Record<string, number>;
}

/** The observed run took 8 s of request_ttl, 2 s rounds and 20 s until a silent connection was closed. */
const scale = 1 / 8;
const ms = (seconds: number) => seconds * 1_000 * scale;
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
const payload = '${payload}';
const options = {
  request_ttl: `${ms(8)}ms`,
  health_check_interval: `${ms(2)}ms`,
  inflight_window: 1,
  worker_pool_size: 1,
};

/** What the webhook does with its nth request; the observed rows' names say it. */
type Behaviour = (attempt: number, body: string, answer: (status: number) => void, socket: Socket) => void;

function behaviourOf(name: string): Behaviour {
  const always = /^always answers (\d+)$/.exec(name);
  if (always) return (_n, _body, answer) => answer(Number(always[1]));
  const after = /^answers 200 after (\d+) s/.exec(name);
  if (after) return (_n, _body, answer) => setTimeout(() => answer(200), ms(Number(after[1])));
  const failing = /^(503|429) .*?(once|twice|three times|four times), then (\d+)$/.exec(name);
  const times = { once: 1, twice: 2, 'three times': 3, 'four times': 4 }[failing?.[2] ?? ''];
  if (failing && times)
    return (n, _body, answer) => answer(n <= times ? Number(failing[1]) : Number(failing[3]));
  let start = 0;
  switch (name) {
    case 'closes the connection without an answer, always':
      return (_n, _body, _answer, socket) => socket.end();
    case 'closes the connection without an answer once, then 200':
      return (n, _body, answer, socket) => (n === 1 ? socket.end() : answer(200));
    case 'resets the connection (RST), always':
      return (_n, _body, _answer, socket) => socket.resetAndDestroy();
    case '503 for 5 s with a second message behind the first, then 200':
      return (_n, _body, answer) => {
        start ||= Date.now();
        answer(Date.now() - start < ms(5) ? 503 : 200);
      };
    case '500 for the first message, 200 for the second behind it':
      return (_n, body, answer) => answer(body === '{"n":1}' ? 500 : 200);
    case 'never answers (hangs longer than request_ttl)':
      return () => {};
    case 'never answers the first message, a second message behind it is answered 200':
      return (_n, body, answer) => (body === '{"n":1}' ? undefined : answer(200));
    case 'hangs on the first attempt, answers 200 to any later one':
      return (n, _body, answer) => (n === 1 ? undefined : answer(200));
    default:
      return (_n, _body, answer) => answer(200);
  }
}

/** A reset shows Node's client as many attempts in each round as it shows EMQX's, give or take the observed one. */
const attemptsVary = new Set([
  'closes the connection without an answer, always',
  'resets the connection (RST), always',
]);

test('an action delivers, retries and counts as EMQX 5.8.9 does', async () => {
  const rows = readVectors<Vector>('delivery');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  const results = new Map<string, string | null>();
  let running = rows.length;
  for (const vector of rows)
    void replay(vector)
      .then((difference) => results.set(vector.name, difference))
      .finally(() => running--);
  // Time passes a little at each turn of the event loop: what is sent arrives within a few of them, however slow the machine is.
  while (running > 0) {
    await new Promise(setImmediate);
    vi.advanceTimersByTime(2);
  }
  await holdTo('delivery', rows, rows.length, async ({ name }) => results.get(name)!);
});
afterEach(() => void vi.useRealTimers());

async function replay(vector: Vector): Promise<string | null> {
  const bodies: string[] = [];
  const behave = behaviourOf(vector.name);
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    behave(
      bodies.length,
      body,
      (status) => response.writeHead(status, { 'retry-after': '5' }).end(),
      request.socket,
    );
  });
  const port = await listen(server);
  const upAfter = /refused, up again after (\d+) s/.exec(vector.name);
  if (upAfter) {
    await new Promise((resolve) => server.close(resolve));
  }
  const { engine } = createConfiguration(
    {
      connectors: { http: { c: { url: `http://127.0.0.1:${port}`, pool_size: 1 } } },
      actions: {
        http: { a: { connector: 'c', parameters: { path: '/d', body: payload }, resource_opts: options } },
      },
      rule_engine: { rules: { r: { sql: 'SELECT payload FROM "t"', actions: ['http:a'] } } },
    },
    () => {},
    { actionHangMs: ms(20) },
  );
  for (let n = 1; n <= vector.messages; n++) {
    const text = Buffer.from(`{"n":${n}}`);
    engine.handle('t', () =>
      messagePublished({ topic: 't', payload: text, qos: 1, retain: false, dup: false }, null),
    );
  }
  if (upAfter) setTimeout(() => listen(server, port), ms(Number(upAfter[1])));
  const rule = () => engine.ruleMetrics('r')! as unknown as Record<string, number>;
  try {
    await until(
      'the end',
      () => rule()['actions.success']! + rule()['actions.failed']! === vector.messages,
      ms(120),
    );
  } catch {
    return `no end: ${JSON.stringify(engine.actionMetrics('a'))}`;
  } finally {
    engine.close();
    server.closeAllConnections();
    server.close();
  }
  const { inflight, queuing, queuing_bytes, ...counts } = engine.actionMetrics('a')!;
  const nonzero = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  const text = (metrics: object) => JSON.stringify(Object.entries(metrics).sort());
  if (text(nonzero) !== text(vector.action_metrics)) return `action ${JSON.stringify(nonzero)}`;
  if (inflight + queuing + queuing_bytes !== 0) return `left over: ${inflight} ${queuing} ${queuing_bytes}`;
  for (const [name, count] of Object.entries(vector.rule_metrics))
    if (name in rule() && rule()[name] !== count) return `rule ${name}: ${rule()[name]}`;
  if (vector.attempt_bodies && bodies.join() !== vector.attempt_bodies.join())
    return `bodies ${bodies.join()}`;
  const spread = attemptsVary.has(vector.name) ? 2 : 0;
  if (Math.abs(bodies.length - vector.attempts_total) > spread) return `${bodies.length} attempts`;
  return null;
}

describe('a buffer', () => {
  const engineTo = (url: string, resource_opts: object) =>
    createConfiguration(
      {
        connectors: { http: { c: { url } } },
        actions: { http: { a: { connector: 'c', parameters: { path: '/d' }, resource_opts } } },
        rule_engine: { rules: { r: { sql: 'SELECT payload FROM "t"', actions: ['http:a'] } } },
      },
      () => {},
    ).engine;
  const publish = (engine: ReturnType<typeof engineTo>, text: string) =>
    engine.handle('t', () =>
      messagePublished({ topic: 't', payload: Buffer.from(text), qos: 1, retain: false, dup: false }, null),
    );

  test('drops its oldest rows when it is full, and counts them', async () => {
    const sink = await startSink();
    const held: (() => void)[] = [];
    sink.respond = (_request, response) => held.push(() => response.writeHead(204).end());
    const engine = engineTo(sink.url, {
      inflight_window: 1,
      worker_pool_size: 1,
      max_buffer_bytes: '4KB',
      request_ttl: '30s',
    });
    for (let n = 0; n < 100; n++) publish(engine, String(n));
    await until('the first', () => held.length === 1);
    const { queuing, queuing_bytes, ...counts } = engine.actionMetrics('a')!;
    expect(queuing_bytes).toBeLessThanOrEqual(4096);
    expect(counts['dropped.queue_full']).toBe(99 - queuing);
    sink.respond = (_request, response) => response.writeHead(204).end();
    held[0]!();
    await until('the rest', () => engine.actionMetrics('a')!.success === queuing + 1);
    expect(sink.rows().map((row) => Number(row.payload))).toEqual([
      0,
      ...Array.from({ length: queuing }, (_, i) => 100 - queuing + i),
    ]);
    engine.close();
    await sink.close();
  });

  test('has many requests on the way at once, over connections that are kept', async () => {
    const sink = await startSink();
    const ports = new Set<number>();
    let open = 0;
    let most = 0;
    sink.respond = (request, response) => {
      ports.add(request.socket.remotePort!);
      most = Math.max(most, ++open);
      setTimeout(() => {
        open--;
        response.writeHead(204).end();
      }, 5);
    };
    const engine = engineTo(sink.url, { inflight_window: 20 });
    for (let n = 0; n < 200; n++) publish(engine, String(n));
    await until('all', () => engine.actionMetrics('a')!.success === 200);
    expect(most).toBeGreaterThan(10);
    expect(most).toBeLessThanOrEqual(20);
    expect(ports.size).toBeLessThanOrEqual(20);
    engine.close();
    await sink.close();
  });
});
