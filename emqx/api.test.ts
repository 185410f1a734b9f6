import http from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { type BrokerClient, createEmqxApi, type EmqxApi, type PublishMessage } from './api.ts';
import { once, startTestBed, type TestBed } from './standin/test-broker.ts';

let bed: TestBed;
let api: EmqxApi;
beforeAll(async () => {
  bed = await startTestBed({});
  api = createEmqxApi({ url: `http://127.0.0.1:${bed.broker.apiPort}`, key: 'key', secret: 'secret' });
});
afterAll(async () => {
  api.close();
  await bed.close();
});

const listed = async (of: EmqxApi, options?: Parameters<EmqxApi['listClients']>[0]) => {
  const clients: BrokerClient[] = [];
  for await (const page of of.listClients(options)) clients.push(...page);
  return clients;
};
const ack = (device: string, payload = '{}'): PublishMessage => ({
  topic: `devices/${device}/ack`,
  payload,
  qos: 1,
});

describe('against a broker', () => {
  test('says for each message of a bulk what became of it, in order, over several calls', async () => {
    const client = await bed.online(await bed.ca.leaf('dev-1'));
    await client.subscribeAsync('ack', { qos: 1 });
    const got: string[] = [];
    client.on('message', (_topic, payload) => got.push(String(payload)));
    const messages = Array.from({ length: 2_500 }, (_, i) => ack(i % 2 ? 'nobody' : 'dev-1', String(i)));
    const outcomes = await api.publishBulk(messages);
    expect(outcomes).toEqual(messages.map((_, i) => ({ kind: i % 2 ? 'no_subscriber' : 'routed' })));
    await until('all messages', () => got.length === 1_250);
    expect(got).toEqual(messages.filter((_, i) => i % 2 === 0).map(({ payload }) => payload));
    await client.endAsync();
  });

  test('a bad message is refused alone; the others beside it are sent', async () => {
    const messages = [ack('a'), { ...ack('b'), topic: 'devices/+/ack' }, ack('c'), ack('d')];
    const kinds = (await api.publishBulk(messages)).map(({ kind }) => kind);
    expect(kinds).toEqual(['no_subscriber', 'refused', 'no_subscriber', 'no_subscriber']);
  });

  test('more bytes than one call may carry are split', async () => {
    const outcomes = await api.publishBulk(Array.from({ length: 20 }, () => ack('x', 'é'.repeat(450_000))));
    expect(outcomes).toEqual(Array(20).fill({ kind: 'no_subscriber' }));
  });

  test('nothing to publish is no call at all', async () => {
    expect(await createEmqxApi({ url: 'http://127.0.0.1:1', key: '', secret: '' }).publishBulk([])).toEqual(
      [],
    );
  });

  test('lists who is connected, all or by id, and kicks', async () => {
    const client = await bed.online(await bed.ca.leaf('dev-2'), { clean: false });
    expect(await listed(api, { connected: true })).toEqual([
      { clientid: 'dev-2', connected: true, connectedAt: expect.any(Number) },
    ]);
    const ids = Array.from({ length: 1_000 }, (_, i) => `dev-${i}`);
    expect((await listed(api, { ids })).map(({ clientid }) => clientid)).toEqual(['dev-2']);
    expect(await listed(api, { ids: [] })).toEqual([]);
    const closed = once(client, 'close');
    expect(await api.kick('dev-2')).toBe(true);
    await closed;
    expect(await api.kick('dev-2')).toBe(false);
    expect(await listed(api)).toEqual([]);
  });

  test('a refused API key is its own error', async () => {
    const stranger = createEmqxApi({
      url: `http://127.0.0.1:${bed.broker.apiPort}`,
      key: 'key',
      secret: 'no',
    });
    await expect(stranger.publishBulk([ack('a')])).rejects.toMatchObject({ code: 'api_key_refused' });
    stranger.close();
  });
});

describe('against a broker in trouble', () => {
  const servers: http.Server[] = [];
  afterEach(() => {
    vi.useRealTimers();
    for (const server of servers.splice(0)) server.closeAllConnections();
  });
  async function serve(
    answer: (call: number, response: http.ServerResponse, messages: unknown[]) => void,
    options: object = {},
  ) {
    let calls = 0;
    const sockets = new Set<unknown>();
    const server = http.createServer(async (request, response) => {
      sockets.add(request.socket);
      let text = '';
      for await (const chunk of request) text += chunk;
      answer(++calls, response, JSON.parse(text || '[]'));
    });
    servers.push(server);
    const url = `http://127.0.0.1:${await listen(server)}`;
    return {
      api: createEmqxApi({ url, key: 'k', secret: 's', retryForMs: 60_000, ...options }),
      calls: () => calls,
      sockets,
    };
  }
  const ok = (response: http.ServerResponse, messages: unknown[]) =>
    response.writeHead(200).end(JSON.stringify(messages.map(() => ({ id: 'x' }))));

  test('503 and broken connections are tried again, on a connection that is kept', async () => {
    const { api, calls, sockets } = await serve((call, response, messages) => {
      if (call === 1) response.writeHead(503).end('{"code":"SERVICE_UNAVAILABLE"}');
      else if (call === 2) response.destroy();
      else ok(response, messages);
    });
    expect(await api.publishBulk([ack('a')])).toEqual([{ kind: 'routed' }]);
    expect(await api.publishBulk([ack('a')])).toEqual([{ kind: 'routed' }]);
    expect(calls()).toBe(4);
    expect(sockets.size).toBe(2);
    api.close();
  });

  test('one that is not there is unreachable, after a bounded number of attempts', async () => {
    const dead = createEmqxApi({ url: 'http://127.0.0.1:1', key: 'k', secret: 's', retryForMs: 200 });
    await expect(dead.publishBulk([ack('a')])).rejects.toMatchObject({ code: 'broker_unreachable' });
  });

  test('one that hangs is unreachable', async () => {
    const { api, calls } = await serve(() => {}, { timeoutMs: 300, retryForMs: 1_000 });
    const impatient = createEmqxApi({ url: 'http://127.0.0.1:1', key: 'k', secret: 's', retryForMs: 0 });
    await expect(listed(impatient)).rejects.toMatchObject({ code: 'broker_unreachable' });
    await expect(api.kick('a')).rejects.toMatchObject({ code: 'broker_unreachable' });
    expect(calls()).toBeGreaterThan(0);
    api.close();
  });

  test('one that is down is asked less and less, by one call at a time, and used again when it is back', async () => {
    // Time passes only where the test says so, however slow the machine is.
    vi.useFakeTimers({ toFake: ['Date'] });
    const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
    let down = true;
    const { api, calls } = await serve(
      (_call, response, messages) => {
        if (down) response.writeHead(503).end('{"code":"SERVICE_UNAVAILABLE"}');
        else ok(response, messages);
      },
      { retryForMs: 0, pauseMs: 100, maxPauseMs: 10_000 },
    );
    const publish = () => api.publishBulk([ack('a')]).catch((error) => [error]);
    /** Several callers at every moment, as an outbox and acks are. */
    const publishAll = () => Promise.all([publish(), publish(), publish()]);
    // The three that are the first to find out, then one after 50…100, 100…200, 200…400, 400…800 ms.
    await publishAll();
    expect(calls()).toBe(3);
    for (const [round, pauseMs] of [100, 200, 400, 800].entries()) {
      pass(pauseMs / 2 - 1);
      await publishAll();
      expect(calls()).toBe(3 + round);
      pass(pauseMs / 2 + 1);
      await publishAll();
      expect(calls()).toBe(4 + round);
    }
    down = false;
    pass(1_600);
    expect(await publish()).toEqual([{ kind: 'routed' }]);
    expect((await Promise.all([publish(), publish()])).flat()).toEqual([
      { kind: 'routed' },
      { kind: 'routed' },
    ]);
    api.close();
  });

  test('what went through before it broke is not forgotten', async () => {
    const { api } = await serve((call, response, messages) => {
      if (call === 1) ok(response, messages);
      else response.writeHead(500).end('{"code":"INTERNAL_ERROR"}');
    });
    const outcomes = await api.publishBulk(Array.from({ length: 1_001 }, () => ack('a')));
    expect(outcomes.filter(({ kind }) => kind === 'routed')).toHaveLength(1_000);
    expect(outcomes.at(-1)).toEqual({ kind: 'failed', reason: 'INTERNAL_ERROR' });
    api.close();
  });

  test('each positional failure is its own', async () => {
    const { api, calls } = await serve((_call, response) =>
      response
        .writeHead(503)
        .end('[{"id":"1"},{"reason_code":151,"message":"failed_to_dispatch"},{"reason_code":16}]'),
    );
    expect(await api.publishBulk([ack('a'), ack('b'), ack('c')])).toEqual([
      { kind: 'routed' },
      { kind: 'failed', reason: 'failed_to_dispatch' },
      { kind: 'no_subscriber' },
    ]);
    expect(calls()).toBe(1);
    api.close();
  });
});
