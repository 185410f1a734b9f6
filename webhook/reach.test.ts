/**
 * A role that holds for one region, or for what a query finds, against every operation of the OpenAPI document: what is beyond the reach is as if it were not there.
 * A new operation is walked by itself; where that fails, it says what the operation, or the tables below, must say.
 */
import { randomUUID } from 'node:crypto';
import { PgDialect } from 'drizzle-orm/pg-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Limits } from './devices/reach.ts';
import { examples } from './docs/examples.ts';
import { operationsOf } from './docs/operations.ts';
import { reaches } from './http.ts';
import { requestScope } from './log.ts';
import { apiToken, type Json, sha256Of, type TestDevice } from './testing.ts';
import { startSuite } from './testing-suite.ts';

const { webhook } = await startSuite();
const { api } = webhook;
const document = (await api('GET', '/api/openapi.json')).body as Json;
const operations = operationsOf<Json>(document).map(({ method, path, operation }) => ({
  method: method.toUpperCase(),
  path,
  name: `${method.toUpperCase()} ${path}`,
  reaching: operation['x-reach'] as string | undefined,
  example: examples[operation.operationId],
  isOpen: operation['x-access'] === 'anyone',
}));

/** Every statement of a request, by its id. */
const statements = new Map<string, string[]>();
const { sqlToQuery } = PgDialect.prototype;
PgDialect.prototype.sqlToQuery = function (...of) {
  const query = sqlToQuery.apply(this, of);
  statements.get(requestScope.getStore()?.requestId ?? '')?.push(query.sql);
  return query;
};

interface Things {
  device: string;
  banned: string;
  deployment: string;
  serial: string;
  job: string;
  crash: string;
  region: string;
  tag: string;
}
const unknown: Things = {
  device: 'unknown-1',
  banned: 'unknown-1',
  deployment: randomUUID(),
  serial: 'ABCDEF',
  job: randomUUID(),
  crash: randomUUID(),
  region: randomUUID(),
  tag: 'unknown-tag',
};
let here: Things;
let hidden: Things;
let firmware: Json;
let token: string;
let reach: Limits;

/** Of what the firmware is made of, which a hidden device comes to run. */
const advisory = {
  id: 'CVE-2024-45157',
  modified: '2024-09-30T00:00:00Z',
  summary: 'Something is wrong in mbedtls',
  affected: [
    {
      package: { ecosystem: 'OSS-Fuzz', name: 'mbedtls' },
      ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '3.6.1' }] }],
    },
  ],
};

const made = async (path: string, body: object): Promise<Json> => {
  const answer = await api('POST', path, body);
  if (answer.status > 299) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
};
const limited = (method: string, path: string, body?: unknown, requestId = randomUUID()) =>
  api(method, path, body, { authorization: `Bearer ${token}`, 'x-request-id': requestId });

/** One of each thing, in a region of that name. */
async function settle(name: string): Promise<{ things: Things; device: TestDevice }> {
  const { id: region } = await made('/api/regions', { name: `${name} region` });
  const { id: division } = await made('/api/divisions', { name: `${name} division` });
  const tag = `${name}-tag`;
  const device = await webhook.device({ region, division });
  const banned = await webhook.device({ region, hardware: `${name}-hardware` });
  for (const { id } of [device, banned]) {
    await api('PATCH', `/api/devices/${id}`, { name: `${name} name`, tags: [tag] });
    const { token: once } = await made('/api/certificates/tokens', { commonName: id });
    await api('POST', '/api/issue_cert', { csr: `CSR ${id} key` }, { authorization: `Bearer ${once}` });
  }
  await made('/api/bans', { device: banned.id, reason: `${name} reason` });
  await device.connect();
  await device.boot(sha256Of('before'), [1, 0]);
  await device.send('log', { level: 'info', message: `${name} message` });
  await device.send('status/system', { heapFree: 1000 });
  await made(`/api/devices/${device.id}/commands`, { command: 'identify' });
  const ownElf = sha256Of(`${name} program`);
  // One place of its own, and one where the other crashes as well.
  for (const elf of [ownElf, sha256Of('program')])
    await device.send('status/health', {
      ...{ state: 'ok', running: [device.running(sha256Of('before'))] },
      crash: { id: randomUUID(), reason: `${name} reason`, pc: '0x4', backtrace: [], elf },
    });
  const crashes = (await api('GET', '/api/crashes?limit=10')).body.items;
  const deployment = await webhook.deploy(firmware.id, device);
  const job = await made('/api/jobs/tag', { query: `tag = ${tag}`, add: [tag] });
  await until('the job', async () => (await api('GET', `/api/jobs/${job.id}`)).body.state === 'done');
  await made('/api/groups', { name: `${name} group`, query: `tag = ${tag}` });
  const { body } = await api('GET', `/api/certificates?commonName=${device.id}`);
  const { serial } = body.items[0];
  const things = {
    device: device.id,
    banned: banned.id,
    deployment: deployment.id,
    serial,
    job: job.id,
    crash: crashes.find(({ elf }: Json) => elf === ownElf).id,
    region,
    tag,
  };
  return { things, device };
}

const day = 86_400_000;
const [yesterday, tomorrow] = [-day, day].map((ms) => new Date(Date.now() + ms).toISOString());
/** What a GET asks of an operation that must be asked for something, or is a filter to get by. */
const queries: Record<string, (of: Things) => string[]> = {
  '/api/search': ({ device, tag, deployment, serial }) =>
    [device, tag.replace('-tag', ''), deployment, serial].map((q) => `q=${encodeURIComponent(q)}`),
  '/api/devices': ({ region, tag }) => [
    '',
    'limit=10',
    `limit=10&region=${region}`,
    `limit=10&tag=${tag}`,
    `limit=10&q=${encodeURIComponent(`tag = ${tag}`)}`,
    `limit=10&q=${encodeURIComponent('not region = elsewhere')}`,
  ],
  '/api/devices.csv': ({ region }) => ['', `region=${region}`],
  '/api/certificates': ({ device }) => ['', `commonName=${device}`, `search=${device}`, 'profile=broker'],
  '/api/crashes': () => ['', `firmware=${firmware.id}`],
  '/api/calendar': () => [`from=${yesterday}&to=${tomorrow}`],
  '/api/devices/{id}/telemetry': () => ['topic=status/system&value=heapFree'],
  '/api/packages/devices': () => ['name=mbedtls&limit=10'],
  '/api/s3/presigned_download': () => [`version=${firmware.version}&fileName=${firmware.fileName}`],
};

/** The thing that a path names, by its first step and the parameter. */
function at(path: string, of: Things): string {
  const named: Record<string, string> = {
    'devices id': of.device,
    'bans device': of.banned,
    'deployments id': of.deployment,
    'deployments device': of.device,
    'certificates serial': of.serial,
    'jobs id': of.job,
    'crashes id': of.crash,
    'firmware id': firmware.id,
    'vulnerabilities id': advisory.id,
    // A token has none.
    'me id': of.region,
  };
  return path.replace(/\{(\w+)\}/g, (_, parameter: string) => {
    const id = named[`${path.split('/')[2]} ${parameter}`];
    if (id === undefined) throw new Error(`${path}: say above which thing {${parameter}} names`);
    return encodeURIComponent(id);
  });
}

/** The example of the documentation, about these things. */
function bodyOf(example: unknown, of: Things): unknown {
  if (example === undefined) return undefined;
  const { regions, firmwareId } = examples.postDeployments as { regions: string[]; firmwareId: string };
  const text = JSON.stringify(example)
    .replaceAll(regions[0]!, of.region)
    .replaceAll(firmwareId, firmware.id)
    .replaceAll('pump-17', of.device)
    .replaceAll('tag = pilot', `tag = ${of.tag}`);
  return JSON.parse(text);
}

const walked = operations.filter(({ isOpen, path }) => !isOpen && path !== '/api/live');
const reads = walked.filter(({ method, reaching }) => method === 'GET' && reaching !== 'fleet');
const writes = walked.filter(
  ({ method, reaching, path }) => method !== 'GET' && reaching !== 'fleet' && path !== '/api/me/password',
);

/** What differs from one request to the next. */
const steady = (body: Json): Json => {
  if (typeof body !== 'object' || body === null) return body;
  const { from: _, to: __, url: ___, expiresAt: ____, ...rest } = body;
  return Array.isArray(body) ? body : rest;
};

async function readAll(of: Things): Promise<Map<string, Json>> {
  const answers = new Map<string, Json>();
  for (const { path } of reads)
    for (const query of queries[path]?.(of) ?? ['']) {
      const url = at(path, of) + (query && `?${query}`);
      const { status, body } = await limited('GET', url);
      answers.set(url, { status, body: steady(body) });
    }
  return answers;
}

const secrets = () => [/hidden-from/i, ...Object.values(hidden).map((id) => new RegExp(id, 'i'))];

let before: Map<string, Json>;
beforeAll(async () => {
  firmware = await webhook.firmware();
  const sbom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    components: [{ name: 'mbedtls', version: '3.4.0' }],
  };
  const headers = { authorization: `Bearer ${apiToken}`, 'content-type': 'application/octet-stream' };
  await api('PUT', `/api/firmware/${firmware.id}/sbom`, JSON.stringify(sbom), headers);
  await made('/api/vulnerabilities/feed', { advisories: [advisory] });
});

async function prepare(name: string, reachOf: (of: Things) => Partial<Limits>): Promise<void> {
  ({ things: here } = await settle(name));
  reach = { regions: [], divisions: [], ...reachOf(here) };
  ({ secret: token } = await made('/api/tokens', { name, role: 'admin', reach }));
  here.job = (await limited('POST', '/api/jobs/tag', { devices: [here.device], add: [here.tag] })).body.id;
  await until('its job', async () => (await limited('GET', `/api/jobs/${here.job}`)).body.state === 'done');
  const moments = `/api/deployments/${here.deployment}/moments`;
  await until('its first moment', async () => (await limited('GET', moments)).body.length > 0);
  before = await readAll(here);
  let there: TestDevice;
  ({ things: hidden, device: there } = await settle(`hidden-from-${name}`));
  await there.accept(hidden.deployment);
  await there.result(hidden.deployment, firmware.sha256, 'succeeded', {
    stats: { downloadMs: 5, resumes: 1, receivedBytes: 4, redownloadedBytes: 0 },
  });
}

test('every operation says what it is to a limited reach', () => {
  const silent = operations.filter(({ reaching }) => !(reaches as readonly unknown[]).includes(reaching));
  expect(silent.map(({ name }) => `${name}: access(…, 'devices' | 'everybody' | 'fleet')`)).toEqual([]);
});

/** What an admin of the fleet finds of it. */
async function lookAtHidden(): Promise<Json[]> {
  const { device, deployment, job, serial } = hidden;
  const urls = [
    `devices/${device}`,
    `devices/${device}/commands`,
    `deployments/${deployment}`,
    `jobs/${job}`,
    `certificates/${serial}`,
    'bans',
  ];
  return Promise.all(urls.map(async (url) => (await api('GET', `/api/${url}`)).body));
}

describe.each<[string, (of: Things) => Partial<Limits>]>([
  ['one-region', ({ region }) => ({ regions: [region] })],
  ['a-query', ({ tag }) => ({ query: `tag = ${tag} and region = "a-query region" and channel = stable` })],
])('%s', (name, reachOf) => {
  beforeAll(() => prepare(name, reachOf), 60_000);

  test('what is the fleet’s is closed to it', async () => {
    for (const { method, path, name, example } of walked.filter(({ reaching }) => reaching === 'fleet')) {
      const url = path.replace(/\{id\}/, randomUUID());
      const { status, body } = await limited(method, url, example);
      expect([name, status, body.code]).toEqual([name, 403, 'beyond_reach']);
    }
  });

  test('every answer is the one of a fleet that has nothing else', async () => {
    // A deployment that waits for nobody has no dry run: 409.
    for (const [url, { status }] of before)
      expect([url, status]).toEqual([url, url.endsWith('/approval') ? 409 : 200]);
    // Shared for as long as they took.
    await expect.poll(async () => (await limited('GET', '/api/overview')).body.devices.total).toBe(2);
    expect(Object.fromEntries(await readAll(here))).toEqual(Object.fromEntries(before));
  });

  test('what is beyond it is asked for as in vain as what is not there, by the same statements, and never touched', async () => {
    const was = await lookAtHidden();
    expect(was[0]).toMatchObject({ id: hidden.device, name: expect.stringContaining('hidden-from') });
    const ask = async (method: string, path: string, query: string, example: unknown, of: Things) => {
      const url = at(path, of) + (query && `?${query}`);
      const requestId = randomUUID();
      statements.set(requestId, []);
      const { status, body } = await limited(method, url, bodyOf(example, of), requestId);
      const text = JSON.stringify(steady(body) ?? null);
      // Whoever asks for an id may be told that id.
      const told = Object.entries(of).reduce((t, [name, id]) => t.replaceAll(id, name), text);
      return { url, status, told, ran: statements.get(requestId)! };
    };
    for (const { method, path, name, example } of [...reads, ...writes]) {
      const asked = queries[path] ?? (() => ['']);
      for (const n of asked(unknown).keys()) {
        const missing = await ask(method, path, asked(unknown)[n]!, example, unknown);
        const concealed = await ask(method, path, asked(hidden)[n]!, example, hidden);
        expect([name, n, concealed.status, concealed.told]).toEqual([name, n, missing.status, missing.told]);
        if (method === 'GET' && concealed.url === missing.url) continue;
        expect([name, n, concealed.ran]).toEqual([name, n, missing.ran]);
        // A write that goes through would have said something of what is beyond, or of nothing at all.
        const isWrite = method !== 'GET' && !path.endsWith('/dry_run');
        if (isWrite) expect([name, concealed.status >= 400]).toEqual([name, true]);
        for (const secret of secrets())
          expect([name, concealed.told]).not.toEqual([name, expect.stringMatching(secret)]);
      }
    }
    expect(await lookAtHidden()).toEqual(was);
  });

  describe('within it', () => {
    test('a change is made, but none that takes a device out of it', async () => {
      const change = (body: object) => limited('PATCH', `/api/devices/${here.device}`, body);
      expect((await change({ name: 'renamed' })).body.name).toBe('renamed');
      const { body } = await limited('GET', `/api/devices/${here.device}`);
      const places = { region: body.region.id, division: body.division.id };
      expect((await change(places)).status).toBe(200);
      const out = reach.query === undefined ? { region: null } : { tags: ['another'] };
      expect((await change(out)).body.code).toBe('beyond_reach');
      for (const region of [hidden.region, unknown.region])
        expect((await change({ region })).body).toMatchObject({ code: 'unknown_reference' });
      const move = (region: string | null) =>
        limited('POST', '/api/jobs/move', { devices: [here.device], region });
      expect((await move(null)).body.code).toBe('beyond_reach');
      expect((await move(hidden.region)).body).toEqual((await move(unknown.region)).body);
      expect((await limited('GET', `/api/devices/${here.device}`)).body.region.id).toBe(here.region);
    });

    test('a deployment for all is one for those within, and stays so for those who join', async () => {
      const { id } = await webhook.firmware();
      const { body } = await limited('POST', '/api/deployments/dry_run', { firmwareId: id, all: true });
      expect([body.targets, body.waves[0].devices]).toEqual([1, [here.device]]);
      const policy = { lateJoinersMs: 3_600_000 };
      const started = await limited('POST', '/api/deployments', { firmwareId: id, all: true, policy });
      expect(started.body).toMatchObject({
        total: 1,
        beyondReach: false,
        selection: { reach },
      });
      await webhook.device({ region: hidden.region, tags: [hidden.tag] });
      const joined = await webhook.device({ region: here.region, tags: [here.tag] });
      const targets = async () =>
        (await api('GET', `/api/deployments/${started.body.id}/targets`)).body.items;
      await expect.poll(async () => (await targets()).length).toBe(2);
      expect((await targets()).map(({ device }: Json) => device).sort()).toEqual(
        [here.device, joined.id].sort(),
      );
      expect((await limited('POST', `/api/deployments/${started.body.id}/cancel`)).status).toBe(202);
    });

    test('of one that has devices elsewhere too, its own are seen, and nothing can be done with it', async () => {
      const { id: firmwareId } = await webhook.firmware();
      const devices = [here.device, hidden.device];
      const { id } = await made('/api/deployments', { firmwareId, devices, regions: [hidden.region] });
      const { body } = await limited('GET', `/api/deployments/${id}`);
      expect(body).toMatchObject({ beyondReach: true, total: 1, selection: { regions: [], devices: [] } });
      for (const secret of [hidden.device, hidden.region]) expect(JSON.stringify(body)).not.toContain(secret);
      const targets = (await limited('GET', `/api/deployments/${id}/targets`)).body;
      expect([targets.total, targets.items.map(({ device }: Json) => device)]).toEqual([1, [here.device]]);
      for (const act of ['pause', 'resume', 'cancel', 'retry_failed'])
        expect((await limited('POST', `/api/deployments/${id}/${act}`)).body.code).toBe('beyond_reach');
      expect((await limited('POST', `/api/deployments/${id}/undo`, {})).body.code).toBe('beyond_reach');
      expect((await api('GET', `/api/deployments/${id}`)).body).toMatchObject({
        state: 'running',
        beyondReach: false,
      });
      await api('POST', `/api/deployments/${id}/cancel`);
    });
  });

  test('live hints are of what is within it', async () => {
    const abort = new AbortController();
    const headers = { authorization: `Bearer ${token}` };
    const { body } = await fetch(`${webhook.copy.url}/api/live`, { headers, signal: abort.signal });
    const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
    let heard = (await reader.read()).value!;
    const { id: job } = await made('/api/jobs/tag', { devices: [hidden.device], add: [hidden.tag] });
    for (const { device } of [hidden, here]) {
      await api('PATCH', `/api/devices/${device}`, { channel: 'stable' });
      await made(`/api/devices/${device}/commands`, { command: 'identify' });
    }
    const own = ['device', 'command'].map((kind) => JSON.stringify({ kind, id: here.device }));
    while (!own.every((hint) => heard.includes(hint))) heard += (await reader.read()).value!;
    abort.abort();
    for (const secret of [hidden.device, job]) expect(heard).not.toContain(secret);
    expect(heard).not.toMatch(/"(audit|dead_letter|notification)"/);
  });
});

describe('a query', () => {
  const tag = 'of-a-query';
  let mine: TestDevice[];
  const as = (secret: string) => (method: string, path: string, body?: unknown) =>
    api(method, path, body, { authorization: `Bearer ${secret}` });
  const tokenOf = async (name: string, limits: object) =>
    as((await made('/api/tokens', { name, role: 'admin', reach: limits })).secret);

  test('goes by what people set alone; what a device or the clock tells is refused with its place', async () => {
    const told = { version: '2', sha256: 'x', drifted: 'yes', online: 'yes', blocked: 'no', health: 'ok' };
    const changing = { ...told, 'version.uno': '2', last_seen: 'never', 'metric.soc': '3' };
    const comparisons = Object.entries(changing).map(([field, value]) => [field, `${field} = ${value}`]);
    for (const [field, text] of [...comparisons, ['created', 'created > 1d']] as string[][]) {
      const query = `tag = x and not (${text})`;
      for (const [path, more] of [
        ['/api/tokens', { name: 'x' }],
        ['/api/users', { email: 'x@example.com', password: 'a long passphrase' }],
      ] as const) {
        const { status, body } = await api('POST', path, { ...more, role: 'viewer', reach: { query } });
        const values = { field: field!.split('.')[0], at: 18 };
        expect([text, status, body.code, body.errors]).toEqual([
          ...[text, 400, 'invalid_request'],
          [expect.objectContaining({ path: 'reach.query', rule: 'field_not_set', values })],
        ]);
      }
    }
    const { body } = await api('POST', '/api/tokens', {
      name: 'x',
      role: 'viewer',
      reach: { query: 'tag =' },
    });
    expect(body.errors[0].message).toMatch(/^at character 6: it ends too early/);
  });

  test('is its own text: the group it was taken from changes without it', async () => {
    mine = [await webhook.device({ tags: [tag] }), await webhook.device({ tags: [tag] })];
    const group = await made('/api/groups', { name: 'taken from', query: `tag = ${tag}` });
    const call = await tokenOf('taken', { query: group.query });
    await api('PATCH', `/api/groups/${group.id}`, { query: 'not tag = nothing' });
    const { body } = await call('GET', '/api/devices?limit=10');
    expect(body).toMatchObject({ total: 2 });
    expect((await call('GET', '/api/me')).body.reach).toEqual({
      ...{ regions: [], divisions: [], query: `tag = ${tag}` },
    });
  });

  test('is added to places, and counts what sums by place do not tell', async () => {
    const { id: region } = await made('/api/regions', { name: 'beside a query' });
    const placed = await webhook.device({ region, hardware: 'of-a-region' });
    await placed.connect();
    await placed.boot(sha256Of('before'), [1, 0]);
    const call = await tokenOf('both', { regions: [region], query: `tag = ${tag}` });
    const { body } = await call('GET', '/api/overview');
    expect(body.devices).toMatchObject({ total: 3, online: 1, neverSeen: 2 });
    expect(body.versions).toMatchObject({ unreported: 2, items: [{ devices: 1 }] });
    expect((await call('GET', '/api/hardware')).body).toContainEqual({ hardware: 'of-a-region', devices: 1 });
    expect((await call('GET', '/api/regions')).body).toEqual([expect.objectContaining({ devices: 1 })]);
    expect((await call('GET', `/api/devices?limit=1&region=${region}`)).body.total).toBe(1);
  });

  test('a job leaves those as they are that it would take out of it', async () => {
    const call = await tokenOf('jobs', { query: `tag = ${tag} and not tag = spare` });
    await api('PATCH', `/api/devices/${mine[0]!.id}`, { tags: [tag, 'more'] });
    const ended = async (act: string, args: object) => {
      const { id } = (await call('POST', `/api/jobs/${act}`, { all: true, ...args })).body;
      await until('the job', async () => (await call('GET', `/api/jobs/${id}`)).body.state === 'done');
      const { done, failed } = (await call('GET', `/api/jobs/${id}`)).body;
      const { items } = (await call('GET', `/api/jobs/${id}/failures`)).body;
      return { done, failed, why: [...new Set(items.map(({ error }: Json) => error))] };
    };
    expect(await ended('tag', { add: ['spare'] })).toEqual({ done: 0, failed: 2, why: ['beyond_reach'] });
    expect(await ended('tag', { remove: ['more'] })).toEqual({ done: 2, failed: 0, why: [] });
    expect(await ended('channel', { channel: 'beta' })).toEqual({ done: 2, failed: 0, why: [] });
    const stays = await tokenOf('stays', { query: `channel = beta and tag = ${tag}` });
    const { id } = (await stays('POST', '/api/jobs/channel', { all: true, channel: 'stable' })).body;
    await until('the job', async () => (await stays('GET', `/api/jobs/${id}`)).body.state === 'done');
    expect((await stays('GET', '/api/devices?limit=10')).body.total).toBe(2);
  });

  test('whoever reaches by another text does not reach as far', async () => {
    const one = await tokenOf('one', { query: `tag = ${tag}` });
    const other = await tokenOf('other', { query: `tag in (${tag})` });
    const { id } = (await one('POST', '/api/jobs/tag', { all: true, add: ['seen'] })).body;
    expect((await one('GET', `/api/jobs/${id}`)).status).toBe(200);
    expect((await other('GET', `/api/jobs/${id}`)).status).toBe(404);
  });
});

describe('whose reach it is', () => {
  test('is told, is changed at once, and never makes the last admin of the fleet a limited one', async () => {
    const user = { email: 'here@example.com', password: 'a long passphrase' };
    const reach = { regions: [here.region], divisions: [] };
    const { id } = await made('/api/users', { ...user, role: 'admin', reach });
    const login = await api('POST', '/api/login', user, {});
    expect(login.body.reach).toEqual(reach);
    const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
    const see = async (device: string) =>
      (await api('GET', `/api/devices/${device}`, undefined, { cookie })).status;
    expect([await see(here.device), await see(hidden.device)]).toEqual([200, 404]);
    await api('PATCH', `/api/users/${id}`, { reach: { regions: [hidden.region], divisions: [] } });
    expect([await see(here.device), await see(hidden.device)]).toEqual([404, 200]);
    await api('PATCH', `/api/users/${id}`, { reach: null });
    expect([await see(here.device), await see(hidden.device)]).toEqual([200, 200]);
    expect((await api('PATCH', `/api/users/${id}`, { reach })).body.code).toBe('last_admin');
    await api('PATCH', `/api/users/${id}`, { role: 'viewer' }).then(({ body }) =>
      expect(body.code).toBe('last_admin'),
    );
  });

  test('names places that are there', async () => {
    for (const reach of [{ regions: [randomUUID()] }, { divisions: [randomUUID()] }])
      expect((await api('POST', '/api/tokens', { name: 'x', role: 'viewer', reach })).body.code).toBe(
        'unknown_reference',
      );
    for (const reach of [{}, { regions: [], divisions: [] }, { countries: [] }, { query: '' }])
      expect((await api('POST', '/api/tokens', { name: 'x', role: 'viewer', reach })).body.code).toBe(
        'invalid_request',
      );
  });
});
