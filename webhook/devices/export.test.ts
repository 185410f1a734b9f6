/** All devices, as CSV and JSON. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { startSuite } from '../testing-suite.ts';
import { formatCsvLine, parseCsv } from './csv.ts';
import { listPages } from './devices.ts';
import { everything } from './reach.ts';

const { database, webhook } = await startSuite();
const mark = () => `c${randomUUID().slice(0, 8)}`;
const read = async (query: string) => {
  const { status, body, headers } = await webhook.api('GET', `/api/devices.csv?${query}`);
  expect([status, headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
  return parseCsv(body).map(({ fields }) => fields);
};

test('what is found by a query and the filters, with what each device is', async () => {
  const tag = mark();
  const region = (await webhook.api('POST', '/api/regions', { name: `${tag}, "Seoul"` })).body;
  const one = await webhook.device({ tags: [tag, 'b'], region: region.id, name: '대전 1' } as object);
  await webhook.device({ tags: [tag], hardware: 'other' } as object);
  await one.connect();
  await one.boot('a'.repeat(64), [1, 1]);
  const [header, ...rows] = await read(`q=${encodeURIComponent(`tag = ${tag}`)}&hardware=esp32-s3`);
  const row = Object.fromEntries(header!.map((name, i) => [name, rows[0]![i]]));
  expect(rows).toHaveLength(1);
  expect(row).toMatchObject({
    ...{ id: one.id, hardware: 'esp32-s3', name: '대전 1', region: `${tag}, "Seoul"`, division: '' },
    ...{ tags: `${tag} b`, version: '1', sha256: 'a'.repeat(64), online: 'yes', health: 'ok' },
  });
  expect(Date.parse(row.created!)).toBeGreaterThan(0);
});

test('more devices than a page come whole and once, by id', async () => {
  const tag = mark();
  await database.db.execute(sql`insert into devices (id, name, hardware, tags)
    select ${tag} || '-' || n, 'x', 'esp32-s3', array[${tag}] from generate_series(1, 2500) n`);
  const ids = (await read(`tag=${tag}`)).slice(1).map(([id]) => id!);
  expect([ids.length, new Set(ids).size]).toEqual([2_500, 2_500]);
  // A million would not fit into a copy's memory.
  const sizes: number[] = [];
  for await (const page of listPages(database.db, everything, { tag })) sizes.push(page.length);
  expect(sizes).toEqual([1_000, 1_000, 500]);
  const { body, headers } = await webhook.api('GET', `/api/devices?tag=${tag}`);
  expect(body.map((device: { id: string }) => device.id)).toEqual(ids);
  expect(headers.get('content-type')).toBe('application/json');
  const backwards = (await webhook.api('GET', `/api/devices?tag=${tag}&sort=-id`)).body;
  expect(backwards.map((device: { id: string }) => device.id)).toEqual(ids.reverse());
  expect((await webhook.api('GET', `/api/devices?tag=${tag}-nobody`)).body).toEqual([]);
});

test('no field is a formula for who opens it in a spreadsheet', async () => {
  const tag = mark();
  const names = ['=cmd|"/c calc"!A1', '+1', '-1', '@SUM(A1)', 'a=b'];
  for (const name of names) await webhook.device({ tags: [tag], name } as object);
  const [header, ...rows] = await read(`tag=${tag}`);
  const told = rows.map((fields) => fields[header!.indexOf('name')]!).sort();
  expect(told).toEqual([`'=cmd|"/c calc"!A1`, "'+1", "'-1", "'@SUM(A1)", 'a=b'].sort());
  expect(formatCsvLine(['\tx', '\r', 'a\nb', 'plain'])).toBe('\'\tx,"\'\r","a\nb",plain\r\n');
});

test('a query that does not parse is a problem with its place, not a file', async () => {
  const { status, body } = await webhook.api('GET', `/api/devices.csv?q=${encodeURIComponent('id = a b')}`);
  expect([status, body.code]).toEqual([400, 'invalid_request']);
  expect(body.detail).toContain('at character 8');
  expect((await webhook.api('GET', '/api/devices.csv', undefined, {})).status).toBe(401);
});
