import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ShowDeployment, ShowDevice } from '#console/pages/show/wire.ts';
import { until } from '../primitives/until.ts';
import { unwrap } from '../rest.ts';
import { startTestSystem, type TestSystem } from '../testing.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await startTestSystem();
  await system.start(4, { bytesPerSecond: 4_000_000, timing: { retryMaxMs: 300, reconnectMaxMs: 300 } });
});
afterAll(() => system?.close());

const call = (method: string, path: string, body?: object, token = system.stack.apiToken) =>
  fetch(system.stack.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
const show = async () =>
  ((await (await call('GET', '/api/show')).json()) as { devices: ShowDevice[] }).devices;
const deploy = async (image: 'good' | 'bad') =>
  (await (await call('POST', '/api/show/deploy', { image })).json()) as ShowDeployment;
const ended = (version: string) =>
  until(show, (all) => all.every((d) => d.version === version && d.outcome === 'updated'));

test('only an admin has control over the devices', async () => {
  const paths = [
    ['GET', '/api/show'],
    ['GET', '/api/show/live'],
    ['POST', '/api/show/act'],
    ['POST', '/api/show/deploy'],
  ] as const;
  for (const role of ['viewer', 'operator'] as const) {
    const { secret } = await unwrap(system.rest.api.tokens.$post({ json: { name: role, role } }));
    for (const [method, path] of paths)
      expect((await call(method, path, undefined, secret)).status).toBe(403);
  }
  for (const [method, path] of paths) expect((await call(method, path, undefined, 'none')).status).toBe(401);
  const bad = await call('POST', '/api/show/act', { act: 'explode', devices: ['device-001'] });
  expect(bad.status).toBe(400);
  const unknown = await call('POST', '/api/show/act', { act: 'pull_plug', devices: ['nobody'] });
  expect(unknown.status).toBe(404);
});

test('a device whose network is cut goes on where it was, and its map shows what was asked for twice', async () => {
  await call('POST', '/api/show/act', { act: 'slow_down', devices: ['device-001'] });
  const { version } = await deploy('good');
  const under = await until(show, (all) => (all[0]!.receivedBytes ?? 0) > 60_000);
  expect(under[0]).toMatchObject({ version, outcome: 'under_way', slow: true });
  await call('POST', '/api/show/act', { act: 'cut_network', devices: ['device-001'], forMs: 3_000 });
  const cut = (await show())[0]!;
  expect(cut.networkCutUntil).not.toBeNull();
  expect(cut.cells).toMatch(/^\+*x+/);
  await call('POST', '/api/show/act', { act: 'full_speed', devices: ['device-001'] });
  const [first, ...others] = await ended(version);
  expect(first!.cells).toMatch(/^\+*r+/);
  expect(first!.resumes).toBeGreaterThan(0);
  expect(first!.notes.map((note) => note.code)).toEqual(
    expect.arrayContaining(['updated', 'resumed', 'network_cut']),
  );
  expect(first!.notes.find((note) => note.code === 'resumed')!.bytes).toBeGreaterThan(0);
  for (const other of others) expect(other.cells).toMatch(/^\++$/);
  expect(first!.slots).toMatchObject({ active: 'b', confirmed: 'b', b: version });
});

test('a device that loses its power comes back and finishes', async () => {
  const { version } = await deploy('good');
  await until(show, (all) => (all[1]!.version === version ? all[1]!.receivedBytes : 0) > 500_000);
  await call('POST', '/api/show/act', { act: 'pull_plug', devices: ['device-002'], forMs: 3_000 });
  expect((await show())[1]).toMatchObject({ powerCutUntil: expect.any(Number), state: 'off' });
  const all = await ended(version);
  expect(all[1]!.notes.map((note) => note.code)).toContain('power_cut');
});

test('a bad image is rolled back by the first few, and never reaches the others', async () => {
  const before = (await show()).map((device) => device.slots!.confirmed);
  const { id, version } = await deploy('bad');
  const all = await until(show, (now) => now.filter((d) => d.outcome === 'rolled_back').length === 3);
  for (const device of all.filter((d) => d.outcome === 'rolled_back')) {
    expect(device.notes[0]).toMatchObject({ code: 'rolled_back', error: 'self_test_failed' });
    expect(device.notes[0]!.version).not.toBe(version);
  }
  expect(all.map((device) => device.slots!.confirmed)).toEqual(before);
  expect(all.filter((device) => device.version === version)).toHaveLength(3);
  const state = () => unwrap(system.rest.api.deployments[':id'].$get({ param: { id } }));
  expect((await until(state, (d) => d.state === 'halted')).halted).toMatchObject({ reason: 'failures' });
});

test('who listens gets all devices at first, then those that change, a few times a second at most', async () => {
  const abort = new AbortController();
  const response = await fetch(`${system.stack.url}/api/show/live`, {
    headers: { authorization: `Bearer ${system.stack.apiToken}` },
    signal: abort.signal,
  });
  const frames: ShowDevice[][] = [];
  const reading = (async () => {
    let rest = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      rest += chunk;
      const events = rest.split('\n\n');
      rest = events.pop()!;
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1];
        if (data) frames.push(JSON.parse(data));
      }
    }
  })().catch(() => {});
  await until(
    () => frames.length,
    (n) => n > 0,
  );
  expect(frames[0]!.map((device) => device.id)).toEqual([
    'device-001',
    'device-002',
    'device-003',
    'device-004',
  ]);
  const startedAt = Date.now();
  const seen = frames.length;
  const { version } = await deploy('good');
  await ended(version);
  expect(frames.at(-1)!.length).toBeGreaterThan(0);
  expect((frames.length - seen) / ((Date.now() - startedAt) / 1000)).toBeLessThan(8);
  abort.abort();
  await reading;
});
