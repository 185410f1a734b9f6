/** Thirty days of measurements, written as they come and rolled up as they are: what is kept of one, and how long charts of all take. */

import { sql } from 'drizzle-orm';
import { connect, type Database } from '#webhook/db/connect.ts';
import { createPartitions } from '#webhook/db/partitions.ts';
import { query } from '#webhook/db/query.ts';
import { rollUp } from '#webhook/telemetry/rollup.ts';
import { type Figures, p95, watchProcessor } from './figures.ts';
import { createDatabase, deafBroker, startCopy, tell, withPostgresql } from './webhook-copy.ts';

const days = 30;
const rawHours = 24;
const dayMs = 86_400_000;
/** One of each sort: how often it measures, how many there are of it for ten million in all. */
const fleets = { minute: 200, quarter: 400 } as const;
const everyS = { minute: 60, quarter: 900 } as const;
const promisedBytes = 120;
const promisedMs = 50;
const asked = 60;

export async function measureTelemetry(): Promise<Figures> {
  return withPostgresql(async (server) => {
    const url = await createDatabase(server);
    const database = await connect({ url, connections: 2 });
    const copy = await startCopy(url, deafBroker());
    try {
      const figures: Figures = {};
      let all = 0;
      let before = await sizeOf(database);
      for (const name of ['minute', 'quarter'] as const) {
        const { measured, rollUpUs } = await fill(database, name);
        all += measured;
        const size = await sizeOf(database);
        const each = (size - before) / measured;
        before = size;
        figures[`telemetry.bytes_each_${name}`] = {
          value: round(each),
          unit: `bytes a measurement of three numbers, of ${measured} over ${days} days, one in ${everyS[name]} s; baseline: as promised`,
          baseline: promisedBytes,
          ratio: round(promisedBytes / each),
          aim: 1,
        };
        figures[`telemetry.roll_up_${name}`] = {
          value: round(rollUpUs),
          unit: 'µs to roll up one, by the database',
          baseline: 0,
          ratio: 0,
          aim: null,
        };
        tell(`${name}: ${each.toFixed(1)} bytes a measurement of ${measured}`);
      }
      for (const [name, span] of Object.entries({ month: days, week: 7, day: 1 })) {
        const times: number[] = [];
        const processor = watchProcessor();
        for (let n = 0; n < asked; n++) {
          const [device] = [`minute-${1 + ((n * 37) % fleets.minute)}`];
          const from = new Date(Date.now() - span * dayMs).toISOString();
          const began = performance.now();
          const { points } = (await copy.api(
            'GET',
            `/api/devices/${device}/telemetry?topic=data/sensors&value=temperature&from=${from}`,
          )) as { points: unknown[] };
          times.push(performance.now() - began);
          if (points.length < 150) throw new Error(`${points.length} points of ${device}`);
        }
        const value = p95(times.slice(5));
        tell(`chart of a ${name}: ${value.toFixed(1)} ms`);
        figures[`telemetry.chart_${name}`] = {
          value: round(value),
          unit: `ms (p95) with ${all} measurements, one a minute of the device`,
          baseline: promisedMs,
          ratio: round(promisedMs / value),
          processorUs: Math.round(processor.us() / asked),
          aim: 1,
        };
      }
      return figures;
    } finally {
      await copy.close();
      await database.close();
    }
  });
}

/** A day at a time, as it would have gone: written, and rolled up when it is old. */
async function fill(
  { db }: Database,
  name: keyof typeof fleets,
): Promise<{ measured: number; rollUpUs: number }> {
  await db.execute(sql`
    insert into devices (id, name, hardware) select ${name}::text || '-' || n, 'x', 'esp32-s3' from generate_series(1, ${fleets[name]}::int) n`);
  await db.execute(sql`
    insert into telemetry_sources (device_id, topic) select id, 'data/sensors' from devices where id like ${`${name}-%`}`);
  const now = Date.now();
  const first = now - days * dayMs;
  let spentMs = 0;
  for (let at = first; at < now; at += dayMs) {
    await createPartitions(db, at);
    await db.execute(sql`
      insert into measurements (source, at, body)
      select s.id, to_timestamp(${at / 1000}::float8) + make_interval(secs => n * ${everyS[name]}::int + s.id % ${everyS[name]}::int),
        jsonb_build_object('temperature', round((20 + 5 * sin(n / 200.0 + s.id) + random())::numeric, 1), 'humidity', round((45 + 5 * random())::numeric, 1),
          'freeHeapBytes', 180000 + (random() * 20000)::int)
      from generate_series(0, ${86_400 / everyS[name] - 1}::int) n, telemetry_sources s join devices d on d.id = s.device_id
      where d.id like ${`${name}-%`}`);
    const began = performance.now();
    await rollUp(db, rawHours, Math.min(at + dayMs, now));
    spentMs += performance.now() - began;
    tell(`${name}: ${Math.round((at - first) / dayMs) + 1} of ${days} days`);
  }
  await db.execute(sql`vacuum analyze`);
  const measured = (fleets[name] * days * 86_400) / everyS[name];
  return { measured, rollUpUs: (spentMs * 1000) / measured };
}

/** All that measurements take, indexes included. */
async function sizeOf({ db }: Database): Promise<number> {
  const [row] = await query<{ bytes: string }>(
    db,
    sql`select sum(pg_total_relation_size(c.oid))::text as bytes from pg_class c
        where c.relkind = 'r' and (c.relname = 'telemetry_sources' or c.relname ~ '^(measurements|measured_hours)_')`,
  );
  return Number(row!.bytes);
}

const round = (n: number) => Number(n.toFixed(2));
