/** ETag, If-None-Match and If-Match: nobody writes over what somebody else has changed meanwhile. */
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { examples } from './docs/examples.ts';
import { operationsOf } from './docs/operations.ts';
import { toManifest } from './firmware/firmware.ts';
import { type Answer, apiToken, type Json, startTestWebhook } from './testing.ts';
import { startSuite } from './testing-suite.ts';

const { database, webhook } = await startSuite();
const authorization = `Bearer ${apiToken}`;
const mark = () => `m${randomUUID().slice(0, 8)}`;
const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  webhook.api(method, path, body, { authorization, ...headers });
const made = async (path: string, body: unknown): Promise<Json> => {
  const answer = await call('POST', path, body);
  if (answer.status > 299) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
};
const named = (path: string) => async (): Promise<Json> => {
  const answer = await made(path, { ...(exampleOf('post', path) as object), name: mark() });
  return answer.channel ?? answer.token ?? answer;
};
const exampleOf = (method: string, path: string) =>
  examples[operations.find((one) => one.method === method && one.path === path)?.operation.operationId ?? ''];

const operations = operationsOf<Json>((await webhook.api('GET', '/api/openapi.json')).body);
const conditional = operations.filter(({ operation }) => operation['x-if-match']);

const channel = named('/api/notifications/channels');
const deployment = async (): Promise<Json> => {
  const [image, device] = await Promise.all([webhook.firmware(), webhook.device()]);
  return webhook.deploy(image.id, device);
};
/** Something of each kind, by the beginning of its path. */
const things: Record<string, () => Promise<Json>> = {
  '/api/users': () =>
    made('/api/users', { ...(examples.postUsers as object), email: `${mark()}@example.com` }),
  '/api/tokens': named('/api/tokens'),
  '/api/firmware': () => webhook.firmware(),
  '/api/devices': async () => (await call('GET', `/api/devices/${(await webhook.device()).id}`)).body,
  '/api/regions': named('/api/regions'),
  '/api/divisions': named('/api/divisions'),
  '/api/groups': named('/api/groups'),
  '/api/policies': named('/api/policies'),
  '/api/freezes': async () =>
    made('/api/freezes', { name: mark(), firstDay: '2027-01-01', lastDay: '2027-01-01' }),
  '/api/deployments': deployment,
  '/api/notifications/channels': channel,
  '/api/notifications/rules': async () =>
    made('/api/notifications/rules', {
      name: mark(),
      kinds: ['deployment_halted'],
      channels: [(await channel()).id],
    }),
};
/** Where the example of the documentation is not enough. */
const bodies: Record<string, (of: Json) => unknown> = {
  'PUT /api/firmware/{id}/manifest': async (image) => ({
    manifest: await webhook.signer.sign(toManifest(image)),
  }),
  'PUT /api/firmware/{id}/sbom': () =>
    JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components: [{ name: 'a', version: '1' }] }),
  'POST /api/firmware/{id}/elf': ({ id }) => {
    const s3Path = `elf/${id}/${randomUUID()}/a.elf`;
    webhook.objects.objects.set(s3Path, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1]));
    return { s3Path };
  },
  'PATCH /api/notifications/rules/{id}': () => ({ enabled: false }),
};
/** What refuses the thing that stands here for another reason, once the ETag is right. */
const otherwise: Record<string, string> = {
  'POST /api/deployments/{id}/approve': 'approval_by_token',
  'POST /api/deployments/{id}/refuse': 'approval_by_token',
};
/** Held by the test beside it. */
const elsewhere = [
  'POST /api/deployments/{id}/undo',
  'PUT /api/approval_rules',
  'PUT /api/encryption',
  'DELETE /api/me/tokens/{id}',
];

const changes = conditional
  .map(({ method, path }) => ({ method, path, name: `${method.toUpperCase()} ${path}` }))
  .filter(({ name }) => !elsewhere.includes(name));

test.each(changes)('$name', async ({ method, path, name }) => {
  const kind = Object.keys(things).find((beginning) => path.startsWith(`${beginning}/`))!;
  const thing = await things[kind]!();
  const body = (await bodies[name]?.(thing)) ?? exampleOf(method, path);
  const url = path.replace('{id}', encodeURIComponent(thing.id));
  const send = (tag: string) =>
    call(method.toUpperCase(), url, body, {
      'if-match': tag,
      ...(path.endsWith('/sbom') && { 'content-type': 'application/octet-stream' }),
    });
  const stale = await send(`"${thing.revision - 1}", "${thing.revision + 1}-abc"`);
  expect([stale.status, stale.body.code]).toEqual([412, 'changed_meanwhile']);
  const right = await send(`"0", W/"${thing.revision}-abc"`);
  if (otherwise[name]) expect(right.body.code).toBe(otherwise[name]);
  else expect([right.status < 300, right.body]).toEqual([true, right.body]);
});

describe('an ETag', () => {
  let region: Json;
  beforeAll(async () => {
    region = await things['/api/regions']!();
  });

  test('is on every answer of one thing that people change, and begins with its revision', async () => {
    const image = await webhook.firmware();
    for (const url of [`/api/firmware/${image.id}`, `/api/devices/${(await webhook.device()).id}`]) {
      const { body, headers } = await call('GET', url);
      expect(headers.get('etag')).toMatch(new RegExp(`^(W/)?"${body.revision}-[0-9a-f]{24}"$`));
    }
    const { headers, body } = await call('PATCH', `/api/regions/${region.id}`, { name: mark() });
    expect(body.revision).toBe(region.revision + 1);
    expect(headers.get('etag')).toContain(`"${body.revision}-`);
  });

  test('that is still right is answered 304, and one that is not with what there is now', async () => {
    const device = await webhook.device();
    const url = `/api/devices/${device.id}`;
    // Compressed, an answer is another one, and its ETag weak.
    const identity = { 'accept-encoding': 'identity' };
    const tag = (await call('GET', url, undefined, identity)).headers.get('etag')!;
    expect(tag).toMatch(/^"/);
    const ask = () => call('GET', url, undefined, { 'if-none-match': `"x", ${tag}` });
    const again = await ask();
    expect([again.status, again.body, again.headers.get('etag')]).toEqual([304, '', tag]);
    // What the device does is in the answer, too, and nothing that anybody has to look at before changing its name.
    await device.connect();
    await expect.poll(async () => (await ask()).body.online).toBe(true);
    const change = (expected: string) => call('PATCH', url, { name: mark() }, { 'if-match': expected });
    expect((await change(tag)).status).toBe(200);
    expect((await change(tag)).body.code).toBe('changed_meanwhile');
    expect((await change('*')).status).toBe(200);
  });

  test('of a device that was deleted is not that of the one registered under its name', async () => {
    const device = await webhook.device();
    const url = `/api/devices/${device.id}`;
    const { revision } = (await call('PATCH', url, { name: mark() })).body;
    await call('DELETE', url);
    const again = await made('/api/devices', { id: device.id, hardware: 'esp32-s3' });
    expect(again.revision).toBeGreaterThan(revision);
  });

  test.each(['5', '"5', 'W/5', '"a" "b"', '""x'])('If-Match: %s is refused', async (tag) => {
    const { status, body } = await call(
      'PATCH',
      `/api/regions/${region.id}`,
      { name: mark() },
      { 'if-match': tag },
    );
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });

  test('is refused where it would not be heeded', async () => {
    const body = { name: mark(), timeZone: 'UTC' };
    const answer = await call('POST', '/api/regions', body, { 'if-match': '"1"' });
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
  });

  test('does not stand in the way of a POST that is sent again under its Idempotency-Key', async () => {
    const { id, revision } = await deployment();
    const headers = { 'if-match': `"${revision}"`, 'idempotency-key': randomUUID() };
    const pause = () => call('POST', `/api/deployments/${id}/pause`, undefined, headers);
    expect([(await pause()).status, (await pause()).status]).toEqual([202, 202]);
  });

  test('of the hardware whose firmware is encrypted, likewise', async () => {
    const tag = (await call('GET', '/api/encryption')).headers.get('etag')!;
    const put = (seen: string) => call('PUT', '/api/encryption', { hardware: [] }, { 'if-match': seen });
    expect([(await put('"else"')).status, (await put(tag)).status]).toEqual([412, 200]);
  });

  test('of the approval rules, which are replaced as a whole, is that of all of them', async () => {
    const get = () => call('GET', '/api/approval_rules');
    const put = (tag: string, aboveDevices: number) =>
      call(
        'PUT',
        '/api/approval_rules',
        { rules: [{ hardware: mark(), aboveDevices }] },
        { 'if-match': tag },
      );
    const tag = (await get()).headers.get('etag')!;
    const first = await put(tag, 1);
    expect([first.status, (await put(tag, 2)).status]).toEqual([200, 412]);
    expect((await get()).headers.get('etag')).toBe(first.headers.get('etag'));
    expect((await put(first.headers.get('etag')!, 3)).status).toBe(200);
    await call('PUT', '/api/approval_rules', { rules: [] });
  });
});

test('of two copies that change the same thing at once, one wins, and the other is told', async () => {
  const other = await startTestWebhook(await database.another());
  try {
    for (const [kind, change] of [
      ['/api/groups', { query: 'online = yes' }],
      ['/api/devices', { name: mark() }],
      ['/api/devices', { name: mark() }],
    ] as const) {
      const { id, revision } = await things[kind]!();
      const write = (copy: typeof webhook): Promise<Answer> =>
        copy.api('PATCH', `${kind}/${id}`, change, { authorization, 'if-match': `"${revision}"` });
      const answers = await Promise.all([webhook, other, webhook, other].map(write));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
    }
  } finally {
    await other.close();
  }
});
