import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { parseCsv } from './csv.ts';

const { webhook } = await startSuite();

const mark = () => `m${randomUUID().slice(0, 8)}`;
const place = async (kind: string, name: string = randomUUID()): Promise<Json> =>
  (await webhook.api('POST', `/api/${kind}`, { name })).body;
const get = async (id: string): Promise<Json> => (await webhook.api('GET', `/api/devices/${id}`)).body;

describe('a device', () => {
  test('is changed field by field', async () => {
    const [region, division] = [await place('regions'), await place('divisions')];
    const { id } = await webhook.device({ region: region.id });
    const change = (body: object) => webhook.api('PATCH', `/api/devices/${id}`, body);
    expect((await change({ name: 'Pump 7', tags: ['pump', 'line:3'] })).body).toMatchObject({
      name: 'Pump 7',
      tags: ['pump', 'line:3'],
      region: { id: region.id },
      hardware: 'esp32-s3',
    });
    expect((await change({ region: null, division: division.id, hardware: 'uno' })).body).toMatchObject({
      region: null,
      division: { id: division.id, name: division.name },
      hardware: 'uno',
      tags: ['pump', 'line:3'],
    });
    for (const [body, status] of [
      [{}, 400],
      [{ tags: ['a b'] }, 400],
      [{ name: ' ' }, 400],
      [{ region: randomUUID() }, 422],
    ] as const)
      expect([body, (await change(body)).status]).toEqual([body, status]);
    expect((await webhook.api('PATCH', '/api/devices/nobody', { name: 'x' })).status).toBe(404);
  });

  test('is deleted with all that is kept of it, but not during an update', async () => {
    const device = await webhook.device();
    await device.connect();
    await device.send('log', { level: 'info', message: 'hello' });
    await device.send('data/sensors', { values: { t: 1 } });
    await webhook.api('POST', `/api/devices/${device.id}/commands`, { command: 'blink' });
    const deployment = await webhook.deploy((await webhook.firmware()).id, device);
    const remove = () => webhook.api('DELETE', `/api/devices/${device.id}`);
    const busy = await remove();
    expect([busy.status, busy.body.code]).toEqual([409, 'in_use']);
    await webhook.api('POST', `/api/deployments/${deployment.id}/cancel`);
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    expect((await device.send('log', { level: 'info', message: 'hello?' })).status).toBe(202);
    await webhook.api('POST', '/api/devices', { id: device.id, hardware: 'esp32-s3' });
    for (const what of ['logs', 'commands', 'firmware_history'])
      expect((await webhook.api('GET', `/api/devices/${device.id}/${what}`)).body.total).toBe(0);
    expect((await webhook.api('GET', `/api/devices/${device.id}/status`)).body).toEqual({
      health: null,
      latest: [],
    });
  });

  test('is found by tag and presence, and sorted without a page repeating or missing one', async () => {
    const tag = mark();
    const ids = ['b', 'c', 'a'].map((end) => `${tag}-${end}`);
    for (const [i, id] of ids.entries()) {
      const body = { id, hardware: tag, name: `same ${i < 2 ? 'x' : 'y'}`, tags: i === 2 ? [] : [tag] };
      expect((await webhook.api('POST', '/api/devices', body)).status).toBe(201);
    }
    const list = async (query: string) =>
      (await webhook.api('GET', `/api/devices?hardware=${tag}&${query}`)).body.map((d: Json) =>
        d.id.slice(-1),
      );
    expect(await list(`tag=${tag}`)).toEqual(['b', 'c']);
    expect(await list('online=true')).toEqual([]);
    expect(await list('online=false')).toEqual(['a', 'b', 'c']);
    expect(await list('sort=-id')).toEqual(['c', 'b', 'a']);
    expect(await list('sort=name')).toEqual(['b', 'c', 'a']);
    expect(await list('sort=-name')).toEqual(['a', 'c', 'b']);
    expect(await list('sort=createdAt')).toEqual(['b', 'c', 'a']);
    const pages = await Promise.all(
      [0, 1, 2].map((offset) =>
        webhook.api('GET', `/api/devices?hardware=${tag}&sort=-lastSeenAt&limit=1&offset=${offset}`),
      ),
    );
    expect(pages.map((p) => p.body.items[0].id).sort()).toEqual([...ids].sort());
    expect((await webhook.api('GET', '/api/devices?sort=password_hash')).status).toBe(400);
    const hardware = (await webhook.api('GET', '/api/hardware')).body;
    expect(hardware).toContainEqual({ hardware: tag, devices: 3 });
  });
});

test.each(['regions', 'divisions'])('%s are renamed, and deleted only when empty', async (kind) => {
  const [one, other] = [await place(kind), await place(kind)];
  const name = mark();
  const { id } = await webhook.device({ [kind.slice(0, -1)]: one.id });
  const rename = (target: Json, to: string) =>
    webhook.api('PATCH', `/api/${kind}/${target.id}`, { name: to });
  expect((await rename(one, name)).body).toEqual({ ...one, name, devices: 1, revision: one.revision + 1 });
  expect((await rename(other, name)).body.code).toBe('name_taken');
  expect((await rename({ id: randomUUID() }, mark())).status).toBe(404);
  const remove = (target: Json) => webhook.api('DELETE', `/api/${kind}/${target.id}`);
  const refused = await remove(one);
  expect([refused.status, refused.body.code]).toEqual([409, 'in_use']);
  expect((await get(id))[kind.slice(0, -1)].name).toBe(name);
  expect([(await remove(other)).status, (await remove(other)).status]).toEqual([204, 404]);
});

test('a region has a time zone, which must be one', async () => {
  const region = await place('regions');
  expect(region.timeZone).toBe('UTC');
  const change = (body: object) => webhook.api('PATCH', `/api/regions/${region.id}`, body);
  expect((await change({ timeZone: 'Europe/Madrid' })).body).toEqual({
    ...region,
    revision: region.revision + 1,
    timeZone: 'Europe/Madrid',
  });
  for (const wrong of [{ timeZone: 'Europe/Atlantis' }, { timeZone: '+02:00' }, { timeZone: '' }, {}]) {
    expect((await change(wrong)).body.code).toBe('invalid_request');
  }
  const made = await webhook.api('POST', '/api/regions', { name: mark(), timeZone: 'Asia/Seoul' });
  expect([made.status, made.body.timeZone]).toEqual([201, 'Asia/Seoul']);
});

describe('CSV import', () => {
  const send = (csv: string, query = '') =>
    webhook.api('POST', `/api/devices/import${query}`, csv, {
      authorization: 'Bearer api-token-for-tests',
      'content-type': 'text/csv',
    });

  test('tells of every line what became of it; the good ones are in', async () => {
    const m = mark();
    const region = await place('regions', `North, ${m}`);
    await webhook.api('POST', '/api/devices', { id: `${m}-old`, hardware: 'uno' });
    const csv = [
      'ID,hardware,name,region,tags',
      `${m}-1,esp32-s3,"Pump ""A""","North, ${m}",pump;wet`,
      `${m}-2,esp32-s3,,,`,
      `bad id,esp32-s3,,,`,
      `${m}-3,esp32-s3,,Nowhere,`,
      '',
      `${m}-1,esp32-s3,,,`,
      `${m}-old,esp32-s3,,,`,
      `${m}-4,esp32-s3,x,,,,too many`,
      `${m}-5,,,,`,
    ].join('\r\n');
    const rehearsal = await send(csv, '?dryRun=true');
    expect(rehearsal.body).toMatchObject({ dryRun: true, created: 2, updated: 0, refused: 6 });
    expect((await webhook.api('GET', `/api/devices/${m}-1`)).status).toBe(404);
    const { body } = await send(csv);
    expect(body).toEqual({ ...rehearsal.body, dryRun: false });
    expect(body.lines.map((l: Json) => [l.line, l.outcome])).toEqual([
      [2, 'created'],
      [3, 'created'],
      [4, 'refused'],
      [5, 'refused'],
      [7, 'refused'],
      [8, 'refused'],
      [9, 'refused'],
      [10, 'refused'],
    ]);
    const messages = body.lines.map((l: Json) => l.message);
    expect(messages[2]).toMatch(/^id: /);
    expect(messages[3]).toBe('region: there is none named Nowhere');
    expect(messages[4]).toBe('id: is on line 2 already');
    expect(messages[5]).toBe('id: is registered already');
    expect(messages[6]).toBe('7 fields under 5 columns');
    expect(messages[7]).toMatch(/^hardware: /);
    expect(body.lines.map((l: Json) => l.problems?.[0].rule)).toEqual([
      ...[undefined, undefined, 'invalid_format', 'none_named', 'on_line', 'registered'],
      ...['too_many_fields', 'invalid_type'],
    ]);
    expect(await get(`${m}-1`)).toMatchObject({
      name: 'Pump "A"',
      region: { id: region.id },
      tags: ['pump', 'wet'],
    });
    expect(await get(`${m}-2`)).toMatchObject({ name: `${m}-2`, region: null, tags: [] });
  });

  test('tells which regions and divisions are missing, and makes those that lines need when told so', async () => {
    const m = mark();
    const lines = [`${m}-1,uno,North ${m},Pumps ${m}`, `${m}-2,uno,North ${m},`, `bad id,uno,South ${m},`];
    const csv = ['id,hardware,region,division', ...lines].join('\n');
    const missing = {
      regions: [
        { name: `North ${m}`, lines: 2 },
        { name: `South ${m}`, lines: 1 },
      ],
      divisions: [{ name: `Pumps ${m}`, lines: 1 }],
    };
    expect((await send(csv, '?dryRun=true')).body).toMatchObject({ created: 0, refused: 3, missing });
    const would = await send(csv, '?dryRun=true&makePlaces=true');
    expect(would.body).toMatchObject({ created: 2, refused: 1, missing });
    const names = async () =>
      (await webhook.api('GET', '/api/regions')).body
        .map((r: Json) => r.name)
        .filter((n: string) => n.includes(m));
    expect(await names()).toEqual([]);
    expect((await send(csv, '?makePlaces=true')).body.created).toBe(2);
    expect(await names()).toEqual([`North ${m}`]);
    expect(await get(`${m}-1`)).toMatchObject({
      region: { name: `North ${m}` },
      division: { name: `Pumps ${m}` },
    });
  });

  test('overwrites what is registered only when told so', async () => {
    const m = mark();
    const csv = (name: string) => `id,hardware,name\n${m}-1,esp32-s3,${name}\n`;
    expect((await send(csv('first'))).body.created).toBe(1);
    expect((await send(csv('second'))).body).toMatchObject({ created: 0, refused: 1 });
    expect((await send(csv('third'), '?update=true&dryRun=true')).body.updated).toBe(1);
    expect((await get(`${m}-1`)).name).toBe('first');
    expect((await send(csv('third'), '?update=true')).body.updated).toBe(1);
    expect((await get(`${m}-1`)).name).toBe('third');
  });

  test('leaves what its file has no column for as it is, and empties what has an empty field', async () => {
    const m = mark();
    const region = await place('regions', `Here ${m}`);
    const all = `id,hardware,name,region,tags\n${m}-1,esp32-s3,a name,Here ${m},pilot\n`;
    expect((await send(all)).body.created).toBe(1);
    expect((await send(`id,hardware\n${m}-1,esp32-c3\n`, '?update=true')).body.updated).toBe(1);
    const kept = { name: 'a name', region: { id: region.id }, tags: ['pilot'] };
    expect(await get(`${m}-1`)).toMatchObject({ hardware: 'esp32-c3', ...kept });
    await send(`id,hardware,region,tags\n${m}-1,esp32-c3,,\n`, '?update=true');
    expect(await get(`${m}-1`)).toMatchObject({ name: 'a name', region: null, tags: [] });
  });

  test('takes thousands of lines, and refuses a file without its columns or too large', async () => {
    const m = mark();
    const lines = Array.from(
      { length: 12_000 },
      (_, i) => `${m}-${i},${m},Device number ${i} of the long list,,`,
    );
    const { body } = await send(`id,hardware,name,region,division\n${lines.join('\n')}`);
    expect(body.created).toBe(12_000);
    expect((await webhook.api('GET', `/api/devices?hardware=${m}&limit=1`)).body.total).toBe(12_000);
    for (const csv of ['', 'id,name\na,b', 'id,hardware,color\na,b,c', 'id,hardware,id\na,b,c']) {
      const refused = await send(csv);
      expect([csv, refused.status, refused.body.code]).toEqual([csv, 400, 'invalid_request']);
    }
    expect((await send('x'.repeat(9_000_000))).status).toBe(413);
  });

  test('fields may be quoted, hold commas, quotes and line breaks', () => {
    expect(parseCsv('\uFEFFa,"b,1","c ""x""\nd"\r\n\n,"",\nlast')).toEqual([
      { line: 1, fields: ['a', 'b,1', 'c "x"\nd'] },
      { line: 5, fields: ['last'] },
    ]);
  });
});
