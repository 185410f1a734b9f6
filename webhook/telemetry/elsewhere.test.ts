import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, expect, test } from 'vitest';
import { type Json, startTestWebhook } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { connectElsewhere } from './elsewhere.ts';

const { database, webhook } = await startSuite();
const start = Date.UTC(2030, 0, 1);
const range = `from=${new Date(start).toISOString()}&to=${new Date(start + 300_000).toISOString()}`;

/** A copy of the webhook whose measurements are at that address. */
async function reading(url: string) {
  const telemetry = connectElsewhere(url);
  const copy = await startTestWebhook(database, { telemetry });
  return {
    get: (path: string): Promise<{ status: number; body: Json }> => copy.api('GET', path),
    async close() {
      await copy.close();
      await telemetry.close();
    },
  };
}

test('where the other database is away, only what is in it is told to be', async () => {
  const device = await webhook.device();
  await webhook.event({ ...device.row('status/system', { uptimeMs: 5 }), received_at: start });
  const copy = await reading('postgres://nobody@127.0.0.1:1/none');
  const own = await copy.get(
    `/api/devices/${device.id}/telemetry?topic=status/system&value=uptimeMs&${range}`,
  );
  expect(own.body.points).toMatchObject([{ avg: 5, count: 1 }]);
  const moved = await copy.get(`/api/devices/${device.id}/telemetry?topic=data/sensors&value=t&${range}`);
  expect([moved.status, moved.body.code]).toEqual([503, 'database_unavailable']);
  await copy.close();
});

// The project `postgresql` has a server for it; PGlite takes one client only.
const server = process.env.TEST_DATABASE_URL;
test.runIf(server)(
  'charts come from the table of the recipe in another database, by an address that can only read',
  async () => {
    const name = `flota_elsewhere_${randomUUID().replaceAll('-', '')}`;
    const admin = postgres(server!, { max: 1, onnotice: () => {} });
    await admin.unsafe(`create database ${name}`);
    afterAll(async () => {
      await admin.unsafe(`drop database ${name} with (force)`);
      await admin.unsafe(`drop role ${name}`);
      await admin.end();
    });
    const url = new URL(server!);
    url.pathname = `/${name}`;
    const other = postgres(url.href, { max: 1, onnotice: () => {} });
    await other`create table flota_telemetry (at timestamptz not null, device text not null, topic text not null, payload jsonb not null)`;
    await other.unsafe(
      `create role ${name} login password 'reader'; grant select on flota_telemetry to ${name}`,
    );
    const readOnly = new URL(url);
    [readOnly.username, readOnly.password] = [name, 'reader'];
    const [device, stranger] = [await webhook.device(), await webhook.device()];
    // As the action of emqx/recipes/timescale.conf writes them.
    const write = (id: string, topic: string, ms: number, payload: object) => other`
    insert into flota_telemetry (at, device, topic, payload)
    values (to_timestamp(${ms}::bigint / 1000.0), ${id}, ${`devices/${id}/${topic}`}, ${JSON.stringify(payload)}::text::jsonb)`;
    await write(device.id, 'data/sensors', start, { id: 'a', at: null, values: { t: 10, "it's": 1 } });
    await write(device.id, 'data/sensors', start + 59_999, { values: { t: 20 } });
    await write(device.id, 'data/sensors', start + 60_000, { values: { t: 'warm' } });
    await write(device.id, 'data/sensors', start + 120_000, { values: { t: -3.5 } });
    await write(device.id, 'data/metrics', Date.now() - 60_000, { values: { load: 0.1 } });
    await write(stranger.id, 'data/sensors', start, { values: { t: 999 } });
    await write(device.id, 'data/metrics', Date.now(), { values: { load: 0.5 } });
    // What is in our own database of these topics, from before, is not mixed in.
    await webhook.event({ ...device.row('data/sensors', { values: { t: 77 } }), received_at: start });

    const copy = await reading(readOnly.href);
    const chart = (value: string) =>
      copy.get(
        `/api/devices/${device.id}/telemetry?topic=data/sensors&value=${value}&${range}&bucketMs=60000`,
      );
    expect((await chart('t')).body.points).toEqual([
      { at: new Date(start).toISOString(), min: 10, avg: 15, max: 20, count: 2 },
      { at: new Date(start + 120_000).toISOString(), min: -3.5, avg: -3.5, max: -3.5, count: 1 },
    ]);
    expect((await chart(encodeURIComponent("it's"))).body.points).toMatchObject([{ avg: 1 }]);
    expect((await chart(encodeURIComponent("t'; drop table flota_telemetry"))).body.points).toEqual([]);
    const { latest } = (await copy.get(`/api/devices/${device.id}/status`)).body;
    expect(latest.find((row: Json) => row.topic === 'data/metrics').body).toEqual({ values: { load: 0.5 } });
    await copy.close();
    await other.end();
  },
);
