/** Pages by cursor: every list of the API tells each of its rows once, whatever comes and goes between two pages. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { beforeAll, expect, test } from 'vitest';
import { sorts } from './devices/page.ts';
import { apiToken, type Json } from './testing.ts';
import { startSuite } from './testing-suite.ts';

const { database, webhook } = await startSuite();
const { api } = webhook;
const addressOf = (path: string, query: Record<string, string | number>) =>
  `${path}?${new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))}`;
const ask = async (address: string): Promise<{ body: Json; link: string | null }> => {
  const { status, body, headers } = await api('GET', address);
  if (status !== 200) throw new Error(`${address}: ${JSON.stringify(body)}`);
  return { body, link: headers.get('link') };
};
const get = async (path: string, query: Record<string, string | number>): Promise<Json> =>
  (await ask(addressOf(path, query))).body;

/** Page by page, two rows each; `meanwhile` between the first and the second. */
async function walk(
  path: string,
  query: Record<string, string>,
  meanwhile = async () => {},
): Promise<Json[]> {
  const found: Json[] = [];
  let { body, link } = await ask(addressOf(path, { ...query, limit: 2, offset: 0 }));
  await meanwhile();
  for (;;) {
    found.push(...body.items);
    if (body.next === null) {
      expect(link).toBeNull();
      return found;
    }
    expect(body.items.length).toBe(2);
    const next = addressOf(path, { ...query, limit: 2, cursor: body.next });
    expect(link).toBe(`<${next}>; rel="next"`);
    ({ body, link } = await ask(next));
  }
}

const hardware = `h${randomUUID().slice(0, 8)}`;
const ids: Record<string, string> = {};
beforeAll(async () => {
  const device = await webhook.device({ hardware });
  const image = await webhook.firmware({ hardware });
  const all = [device, ...(await Promise.all([1, 2, 3, 4].map(() => webhook.device({ hardware }))))];
  const { id: deployment } = await webhook.deploy(image.id, ...all);
  Object.assign(ids, { device: device.id, image: image.id, deployment });
  const sbom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    components: ['a', 'b', 'c', 'd', 'd'].map((name, n) => ({ name, ...(n < 4 && { version: '1.0' }) })),
  };
  const headers = { authorization: `Bearer ${apiToken}`, 'content-type': 'application/octet-stream' };
  await api('PUT', `/api/firmware/${image.id}/sbom`, JSON.stringify(sbom), headers);
  for (const one of all) await one.boot(image.sha256, [1, 0]);
  for (let n = 0; n < 5; n += 1) {
    await device.send('log', { level: 'info', message: `line ${n}` });
    await webhook.event({ event: 'message', clientid: device.id, topic: 'nonsense', payload: '{' });
    await webhook.deploy((await webhook.firmware({ hardware })).id, device);
  }
  const { db } = database;
  // As nobody can make them by hand: some at the very same moment.
  await db.execute(sql`
    insert into certificates (serial, common_name, profile, issued_at, not_before, not_after, certificate, chain)
    select 'AB' || n, ${device.id}, 'device', now() - (n / 2) * interval '1 microsecond', now(), now() + interval '5 days', '', ''
    from generate_series(1, 5) n`);
  await db.execute(
    sql`update devices set last_seen_at = now() where id in (select id from devices where hardware = ${hardware} order by id limit 2)`,
  );
});

/** What each list is asked with, and how its rows are told apart. */
const lists: [string, Record<string, string>, (row: Json) => string][] = [
  ...sorts.map((sort): (typeof lists)[number] => ['/api/devices', { hardware, sort }, ({ id }) => id]),
  ['/api/firmwares/metadata', {}, ({ id }) => id],
  ['/api/deployments', {}, ({ id }) => id],
  ['/api/deployments/{deployment}/targets', {}, ({ device }) => device],
  ['/api/devices/{device}/logs', {}, ({ message }) => message],
  ['/api/audit', {}, ({ id }) => id],
  ['/api/dead_letters', {}, ({ id }) => id],
  ['/api/certificates', {}, ({ serial }) => serial],
  ['/api/certificates', { expiresWithinDays: '10' }, ({ serial }) => serial],
  ['/api/packages', {}, ({ name, version }) => `${name} ${version}`],
  ['/api/firmware/{image}/packages', {}, (row) => JSON.stringify(row)],
  ['/api/packages/devices', { name: 'a' }, ({ id }) => id],
  ['/api/devices/{device}/firmware_history', {}, ({ deployment }) => deployment],
];

test.each(lists)('%s %j: the pages are the whole list', async (path, query, keyOf) => {
  const url = path.replace(/\{(\w+)\}/, (_, name: string) => ids[name]!);
  const whole = (await get(url, { ...query, limit: 1000 })).items.map(keyOf);
  expect(whole.length).toBeGreaterThan(2);
  expect((await walk(url, query)).map(keyOf)).toEqual(whole);
});

test('what comes and goes between two pages moves nothing', async () => {
  const before = (await get('/api/devices', { hardware, limit: 1000 })).items.map(({ id }: Json) => id);
  const walked = await walk('/api/devices', { hardware }, async () => {
    await api('POST', '/api/devices', { id: '0-first', hardware });
    await api('POST', '/api/devices', { id: 'zz-last', hardware });
    await database.db.execute(sql`delete from targets where device_id = ${before[0]}`);
    await api('DELETE', `/api/devices/${before[0]}`);
  });
  expect(walked.map(({ id }) => id)).toEqual([...before, 'zz-last']);
});

test.each([
  ['cursor=nonsense'],
  [`cursor=${Buffer.from('["-id","a"]').toString('base64url')}`],
  [`cursor=${Buffer.from('["id","a","b"]').toString('base64url')}`],
  [`cursor=${Buffer.from('["id",null]').toString('base64url')}`],
  [`cursor=${Buffer.from('["id","a"]').toString('base64url')}&offset=5`],
])('%s is refused', async (query) => {
  const { status, body } = await api('GET', `/api/devices?limit=2&${query}`);
  expect([status, body.code]).toEqual([400, 'invalid_request']);
});

test.each(['2020-01-01 00:00 Nowhere/Town', '2020-13-01', 'x'])('a moment %j is none', async (moment) => {
  const cursor = Buffer.from(JSON.stringify(['deployments', moment, randomUUID()])).toString('base64url');
  const { status, body } = await api('GET', `/api/deployments?cursor=${cursor}`);
  expect([status, body.code]).toEqual([400, 'invalid_request']);
});
