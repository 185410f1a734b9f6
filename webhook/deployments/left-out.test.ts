/** Pins and channels: whom a deployment leaves out, who gets it in spite of them, and how both are set. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';

const { webhook } = await startSuite();

const mark = () => `c${randomUUID().slice(0, 8)}`;
const post = async (path: string, body: object): Promise<Json> =>
  (await webhook.api('POST', path, body)).body;
const change = async (id: string, body: object) => {
  const answer = await webhook.api('PATCH', `/api/devices/${id}`, body);
  expect([answer.status, answer.body.detail]).toEqual([200, undefined]);
};
const found = async (q: string): Promise<string[]> => {
  const { body } = await webhook.api('GET', `/api/devices?q=${encodeURIComponent(q)}`);
  return body.map(({ id }: Json) => id);
};
/** One that follows stable, one that follows beta, one pinned to the firmware's version (and on beta), one pinned to another. */
async function fleet(hardware = mark()) {
  const firmware = await webhook.firmware({ hardware });
  const [plain, beta, kept, held] = [
    await webhook.device({ hardware }),
    await webhook.device({ hardware }),
    await webhook.device({ hardware }),
    await webhook.device({ hardware }),
  ];
  await change(beta.id, { channel: 'beta' });
  await change(kept.id, { pinned: firmware.version, channel: 'beta' });
  await change(held.id, { pinned: '0.9' });
  return { hardware, firmware, plain, beta, kept, held };
}

test('devices that are pinned to another version or follow another channel are left out, and told', async () => {
  const { hardware, firmware, plain, beta, kept, held } = await fleet();
  const asked = { firmwareId: firmware.id, all: true };
  const dry = await post('/api/deployments/dry_run', asked);
  expect(dry.targets).toBe(2);
  expect(dry.excludedCounts).toMatchObject({ pinned: 1, other_channel: 1 });
  expect(new Set(dry.excluded.map((one: Json) => `${one.device} ${one.reason}`))).toEqual(
    new Set([`${beta.id} other_channel`, `${held.id} pinned`]),
  );
  expect(
    await found(`hardware = ${hardware} and pinned != none and pinned != "${firmware.version}"`),
  ).toEqual([held.id]);
  expect(await found(`hardware = ${hardware} and channel = beta and pinned = none`)).toEqual([beta.id]);
  expect((await found(`hardware = ${hardware} and pinned in (none, 0.9)`)).sort()).toEqual(
    [plain.id, beta.id, held.id].sort(),
  );

  const { id, total, selection } = await post('/api/deployments', asked);
  expect([total, selection.channels]).toEqual([2, ['stable']]);
  const { body } = await webhook.api('GET', `/api/deployments/${id}/targets`);
  expect(body.items.map((t: Json) => t.device).sort()).toEqual([plain.id, kept.id].sort());
});

test('a deployment for a channel goes to those that follow it, one for several to all of them', async () => {
  const { firmware, plain, beta, kept } = await fleet();
  const targets = async (channels: string[]) => {
    const dry = await post('/api/deployments/dry_run', { firmwareId: firmware.id, all: true, channels });
    return dry.waves.flatMap((wave: Json) => wave.devices).sort();
  };
  expect(await targets(['beta'])).toEqual([beta.id, kept.id].sort());
  expect(await targets(['stable', 'beta'])).toEqual([plain.id, beta.id, kept.id].sort());
});

test('whoever is named gets it all the same; a query or a region names nobody', async () => {
  const { hardware, firmware, beta, held } = await fleet();
  const targets = async (chosen: object) =>
    (await post('/api/deployments/dry_run', { firmwareId: firmware.id, ...chosen })).targets;
  expect(await targets({ devices: [beta.id, held.id] })).toBe(2);
  expect(await targets({ query: `hardware = ${hardware}` })).toBe(2);
  expect(await targets({ query: `hardware = ${hardware}`, devices: [held.id], all: true })).toBe(3);
});

test('a group is pinned, or follows a channel, for whoever is in it then, and each device before it', async () => {
  const { hardware, firmware, plain, kept } = await fleet();
  const counts = async (more: object = {}) => {
    const asked = { firmwareId: firmware.id, query: `hardware = ${hardware}`, ...more };
    const { targets, excludedCounts } = await post('/api/deployments/dry_run', asked);
    return [targets, excludedCounts.pinned, excludedCounts.other_channel];
  };
  expect(await counts()).toEqual([2, 1, 1]);
  const group = await post('/api/groups', { name: hardware, query: `hardware = ${hardware} and id != x` });
  expect([group.pinned, group.channel]).toEqual([null, null]);
  const put = async (body: object) => {
    const { status } = await webhook.api('PATCH', `/api/groups/${group.id}`, body);
    expect(status).toBe(200);
  };
  await put({ channel: 'canary' });
  expect(await counts()).toEqual([1, 1, 2]);
  expect(await counts({ channels: ['canary'] })).toEqual([2, 1, 1]);
  await put({ pinned: '0.8', channel: null });
  // `kept` is pinned to this version by itself; the others are not asked for their channel.
  expect(await counts()).toEqual([1, 3, 0]);
  const { id, selection } = await post('/api/deployments', {
    ...{ firmwareId: firmware.id, query: `hardware = ${hardware}` },
    policy: { lateJoinersMs: 3_600_000 },
  });
  expect(selection.pins).toBeUndefined();
  expect((await webhook.api('GET', `/api/groups/${group.id}/versions`)).body.versions).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ version: '0.8', by: 'pin', channel: 'stable', devices: 1 }),
      expect.objectContaining({ version: '0.9', by: 'pin', devices: 1 }),
    ]),
  );
  await put({ pinned: null });
  expect(await counts()).toEqual([2, 1, 1]);
  const late = await webhook.device({ hardware });
  const targets = async () => (await webhook.api('GET', `/api/deployments/${id}/targets`)).body.items;
  await until('who is pinned no more', async () => (await targets()).length === 3);
  expect((await targets()).map((t: Json) => t.device).sort()).toEqual([plain.id, kept.id, late.id].sort());
  expect((await webhook.api('PATCH', `/api/groups/${group.id}`, { pinned: 'none' })).status).toBe(400);
});

test('where all are left out, the refusal says so', async () => {
  const { hardware, firmware } = await fleet();
  const chosen = {
    query: `hardware = ${hardware} and (channel = beta or pinned != none) and pinned != "${firmware.version}"`,
  };
  const { status, body } = await webhook.api('POST', '/api/deployments', {
    firmwareId: firmware.id,
    ...chosen,
  });
  expect([status, body.code]).toEqual([422, 'no_targets']);
  expect(body.detail).toContain('pinned to another version');
});

test('a pin is of the main component: what is behind it is updated', async () => {
  const hardware = mark();
  const device = await webhook.device();
  await device.critical('status/health', {
    state: 'ok',
    running: [
      device.running('a'.repeat(64)),
      { component: 'arduino', hardware, version: '1', securityVersion: 0, sha256: 'b'.repeat(64) },
    ],
    boot: { count: 1, reason: 'power_on' },
  });
  await change(device.id, { pinned: '1' });
  const version = mark();
  const { s3Path } = await post('/api/s3/presigned_upload', { version, fileName: 'a.bin' });
  webhook.objects.objects.set(s3Path, Buffer.from(version));
  const metadata = { version, fileName: 'a.bin', s3Path, hardware, component: 'arduino', releaseNote: '' };
  const { id: firmwareId } = await post('/api/firmwares/metadata', metadata);
  expect((await post('/api/deployments/dry_run', { firmwareId, all: true })).targets).toBe(1);
});

test('jobs pin, unpin and switch channels', async () => {
  const { hardware, plain, held } = await fleet();
  const run = async (act: string, body: object) => {
    const { id } = await post(`/api/jobs/${act}`, { query: `hardware = ${hardware}`, ...body });
    await until(act, async () => (await webhook.api('GET', `/api/jobs/${id}`)).body.state === 'done');
    return (await webhook.api('GET', `/api/devices/${plain.id}`)).body;
  };
  expect(await run('pin', { version: '2.0' })).toMatchObject({ pinned: '2.0', channel: 'stable' });
  expect(await run('unpin', {})).toMatchObject({ pinned: null });
  expect(await run('channel', { channel: 'canary' })).toMatchObject({ channel: 'canary' });
  expect((await webhook.api('GET', `/api/devices/${held.id}`)).body).toMatchObject({
    pinned: null,
    channel: 'canary',
  });
});

test.each([
  ['PATCH', '/api/devices/ID', { pinned: 'none' }],
  ['PATCH', '/api/devices/ID', { pinned: "1'; drop table devices" }],
  ['PATCH', '/api/devices/ID', { pinned: '' }],
  ['PATCH', '/api/devices/ID', { channel: null }],
  ['PATCH', '/api/devices/ID', { channel: 'Beta channel' }],
  ['POST', '/api/jobs/pin', { all: true }],
  ['POST', '/api/jobs/channel', { all: true, channel: 'x'.repeat(33) }],
  ['POST', '/api/deployments/dry_run', { firmwareId: randomUUID(), all: true, channels: [] }],
  ['POST', '/api/deployments/dry_run', { firmwareId: randomUUID(), all: true, channels: ["b'"] }],
])('%s %s %j is refused', async (method, path, body) => {
  const { id } = await webhook.device();
  const answer = await webhook.api(method, path.replace('ID', id), body);
  expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
});
