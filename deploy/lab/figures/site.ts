/** What production has after some months, in a database of its own, and the time that its pages and lists take. */
import { randomUUID } from 'node:crypto';
import type postgres from 'postgres';
import type { BrokerClient, EmqxApi } from '#emqx/api.ts';
import { connect } from '#webhook/db/connect.ts';
import { createPartitions } from '#webhook/db/partitions.ts';
import { type Figures, p95, watchProcessor } from './figures.ts';
import {
  type Copy,
  createDatabase,
  deafBroker,
  fillDevices,
  firmware,
  startCopy,
  tell,
} from './webhook-copy.ts';

/** Measurements of each device in the last thirty days. */
const measuredEach = 50;
/** Each of its share of the devices, so there are as many targets as devices. */
const deployments = 20;
const dayMs = 86_400_000;
const asked = 40;
const warmUp = 5;
const rounds = 2;

/** Both sites' pages: of `many`, below the aim and within half more than of `few`. */
export async function comparePages(part: string, few: Site, many: Site, aimMs: number): Promise<Figures> {
  const figures: Figures = {};
  for (const [name, path] of Object.entries(pages)) {
    const [found, baseline]: [number[], number[]] = [[], []];
    let processorUs = 0;
    // In turns, so that a neighbour's load falls on both.
    for (let turn = 0; turn < rounds; turn++) {
      baseline.push(...(await time(few, path)));
      const processor = watchProcessor();
      found.push(...(await time(many, path)));
      processorUs += processor.us();
    }
    const [value, base] = [p95(found), p95(baseline)];
    tell(`${name}: ${value.toFixed(1)} ms, of ${few.devices} devices ${base.toFixed(1)} ms`);
    figures[`${part}.${name}`] = {
      value: round(value),
      unit: `ms (p95) of ${many.devices} devices; baseline: of ${few.devices}`,
      baseline: round(base),
      // Below a few milliseconds a ratio is noise.
      ratio: round(Math.min(aimMs / value, (1.5 * Math.max(base, 5)) / value)),
      processorUs: Math.round(processorUs / (rounds * (asked + warmUp))),
      aim: 1,
    };
  }
  return figures;
}

export interface Site {
  url: string;
  copy: Copy;
  devices: number;
  deployment: string;
  region: string;
  broker: ListingBroker;
}
type Page = (site: Site, n: number) => string;

const some = ({ devices }: Site, n: number) => `dev-${1 + ((n * 7_919) % devices)}`;
const found = (query: string) => `/api/devices?limit=50&q=${encodeURIComponent(query)}`;

/** `n` changes with every request, so that no two are the same. */
const pages: Record<string, Page> = {
  devices: (_, n) => `/api/devices?limit=50&offset=${n * 50}`,
  devices_far: ({ devices }, n) => `/api/devices?limit=50&offset=${Math.floor(devices / 2) + n * 50}`,
  devices_by_name: (_, n) => `/api/devices?limit=50&sort=name&offset=${n * 50}`,
  devices_by_seen: (_, n) => `/api/devices?limit=50&sort=-lastSeenAt&offset=${n * 50}`,
  devices_by_created: (_, n) => `/api/devices?limit=50&sort=-createdAt&offset=${n * 50}`,
  devices_region: ({ region }, n) => `/api/devices?limit=50&region=${region}&offset=${n * 50}`,
  devices_tag: (_, n) => `/api/devices?limit=50&tag=line:${n % 50}`,
  devices_offline: (_, n) => `/api/devices?limit=50&online=false&offset=${n * 50}`,
  devices_search: (site, n) => `/api/devices?limit=50&search=${some(site, n)}`,
  query_version: (_, n) => found(`hardware = esp32-s3 and version < 1.${4 + (n % 5)}`),
  query_tag: (_, n) => found(`tag = line:${n % 50} and not version = 1.${n % 12}.0`),
  query_place: (_, n) => found(`region = everywhere and name ~ "Device ${n}" and online = yes`),
  query_silent: (_, n) => found(`last_seen > ${20 + n}d`),
  query_seen: (_, n) => found(`last_seen > ${1 + (n % 9)}d or last_seen = never`),
  query_metric: (_, n) => found(`tag = line:${n % 50} and metric.temperature > ${n % 30}`),
  query_metric_highest: (_, n) => found(`metric.temperature > 29.${n % 10}`),
  query_metric_rare: (_, n) => found(`metric.battery < ${10 + n} and not tag = line:${n % 50}`),
  query_metric_alone: (_, n) => found(`metric.temperature > ${20 + (n % 10)}`),
  query_nothing: (_, n) => found(`drifted = yes and name ~ "nobody ${n}"`),
  device: (site, n) => `/api/devices/${some(site, n)}`,
  device_status: (site, n) => `/api/devices/${some(site, n)}/status`,
  device_history: (site, n) => `/api/devices/${some(site, n)}/firmware_history`,
  device_chart: (site, n) => `/api/devices/${some(site, n)}/telemetry?topic=data/sensors&value=temperature`,
  device_chart_month: (site, n) =>
    `/api/devices/${some(site, n)}/telemetry?topic=data/sensors&value=temperature&from=${new Date(Date.now() - 30 * 86_400_000).toISOString()}`,
  device_logs: (site, n) => `/api/devices/${some(site, n)}/logs`,
  overview: () => '/api/overview',
  trends: () => '/api/trends',
  regions: () => '/api/regions',
  divisions: () => '/api/divisions',
  hardware: () => '/api/hardware',
  groups: () => '/api/groups',
  firmwares: () => '/api/firmwares/metadata?limit=50',
  firmware: () => `/api/firmware/${firmware.id}`,
  deployments: () => '/api/deployments?limit=50',
  deployment: ({ deployment }) => `/api/deployments/${deployment}`,
  deployment_moments: ({ deployment }) => `/api/deployments/${deployment}/moments`,
  deployment_targets: ({ deployment }, n) =>
    `/api/deployments/${deployment}/targets?limit=50&offset=${n * 50}`,
  calendar: () => {
    const day = 86_400_000;
    const [from, to] = [Date.now() - 15 * day, Date.now() + 15 * day].map((at) => new Date(at).toISOString());
    return `/api/calendar?from=${from}&to=${to}`;
  },
  certificates: (_, n) => `/api/certificates?limit=50&offset=${n * 50}`,
  certificates_revoked: (_, n) => `/api/certificates?limit=50&status=revoked&offset=${n * 50}`,
  certificates_search: (site, n) => `/api/certificates?limit=50&search=${some(site, n)}`,
  certificates_expiring: (_, n) => `/api/certificates/expiring?days=30&limit=50&offset=${n * 50}`,
  audit: (_, n) => `/api/audit?limit=50&offset=${n * 50}`,
  dead_letters: () => '/api/dead_letters?limit=50',
  jobs: () => '/api/jobs?limit=50',
  bans: () => '/api/bans?limit=50',
  search: (site, n) => `/api/search?q=${n % 2 ? '' : 'd'}${some(site, n).slice(1)}`,
  search_nothing: (_, n) => `/api/search?q=nowhere${n}`,
};

async function time(site: Site, page: Page): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < asked + warmUp; n++) {
    const began = performance.now();
    await site.copy.api('GET', page(site, n));
    times.push(performance.now() - began);
  }
  return times.slice(warmUp);
}

export const round = (n: number) => Number(n.toFixed(2));

/** Everybody is connected, and it says so page by page. */
export interface ListingBroker extends EmqxApi {
  /** Until then nobody is. */
  listing: boolean;
}

const connectedAt = Date.now() - 3_600_000;

function listingBroker(devices: number): ListingBroker {
  const broker: ListingBroker = {
    ...deafBroker(),
    listing: false,
    async *listClients({ ids } = {}) {
      if (!broker.listing || ids) return;
      for (let first = 1; first <= devices; first += 1_000) {
        const page = Array.from(
          { length: 1_000 },
          (_, i): BrokerClient => ({ clientid: `dev-${first + i}`, connected: true, connectedAt }),
        );
        yield page;
      }
    },
  };
  return broker;
}

/** What production has after some months, each kind of row in the number that goes with the devices. */
export async function prepare(server: string, devices: number): Promise<Site> {
  const url = await createDatabase(server);
  const broker = listingBroker(devices);
  const copy = await startCopy(url, broker);
  const { sql } = copy;
  const began = performance.now();
  const done = (what: string) =>
    tell(`${devices} devices: ${what} after ${Math.round((performance.now() - began) / 1000)} s`);
  try {
    const region = await fillDevices(sql, 0);
    await sql`
      insert into devices (id, name, region_id, hardware, online, reachable, tags, connected_at, last_seen_at, silence_told_at, health)
      select 'dev-' || n, 'Device ' || n, ${region}, 'esp32-s3', n % 20 <> 0, n % 20 <> 0, array['line:' || n % 50],
        ${new Date(connectedAt)}::timestamptz - case when n % 20 = 0 then interval '1 day' else interval '0' end,
        case when n % 40 = 0 then null else now() - make_interval(hours => n % 240) end, now(),
        case when n % 100 = 1 then '{"state": "degraded"}'::jsonb else '{"state": "ok"}' end
      from generate_series(1, ${devices}::int) n`;
    done('devices');
    await sql`
      insert into components (device_id, component, version, sha256, security_version, boot_seq, seq_number, reported_at)
      select id, 'main', '1.' || row_number() over () % 12 || '.0', ${firmware.sha256}, 0, 1, 1, now() from devices`;
    done('what they run');
    await sql`
      insert into certificates (serial, profile, common_name, certificate, chain, not_before, not_after, issued_at, first_seen_at,
        revoked_at, revocation_reason, revocation_confirmed_at)
      select upper(md5(id || k)), 'device', id, repeat('c', 900), repeat('c', 900), t - interval '1 day', t + interval '90 days', t, t,
        case when k = 1 then t end, case when k = 1 then 'superseded' end, case when k = 1 then t end
      from (select id, k, now() - make_interval(days => 60 * k) - make_interval(mins => (row_number() over ())::int % 84000) as t
        from devices, generate_series(0, 1) k where k = 0 or mod(hashtext(id), 3) = 0) c`;
    done('certificates');
    // One made as always says what the others are like.
    const { id: first } = (await copy.api('POST', '/api/deployments', {
      firmwareId: firmware.id,
      devices: ['dev-1'],
      policy: { ackTimeoutMs: 86_400_000 },
    })) as { id: string };
    let deployment = '';
    for (let n = 0; n < deployments; n++) {
      deployment = randomUUID();
      await sql`
        insert into deployments (id, firmware_id, state, selection, policy, memory, next_look_at, created_by, created_at, finished_at)
        select ${deployment}, firmware_id, 'completed', selection, policy, memory, null, 'bench',
          now() - make_interval(days => ${deployments - n}), now()
        from deployments where id = ${first}`;
      await sql`
        insert into targets (deployment_id, device_id, component, state, attempt, total_bytes, received_bytes, stats)
        select ${deployment}, id, 'main', case when mod(hashtext(id), 50) = 0 then 'failed' else 'succeeded' end, 1, 1048576, 1048576,
          '{"downloadMs": 60000, "resumes": 1, "receivedBytes": 1048576, "redownloadedBytes": 0}'
        from devices where mod(hashtext(id), ${deployments}) in (${n}, ${-n})`;
    }
    done('targets');
    await fillMeasurements(url, copy, devices);
    done('telemetry');
    await sql`vacuum analyze`;
    done('vacuum');
    return { url, copy, devices, deployment, region, broker };
  } catch (error) {
    await copy.close();
    throw error;
  }
}

/**
 * Those of the last day as they came, and older ones as `rollup.ts` leaves one that is alone in its hour: to roll them up here takes minutes. The
 * newest numbers of two names that all have, and of one that few have.
 */
async function fillMeasurements(url: string, { sql }: Copy, devices: number): Promise<void> {
  const database = await connect({ url, connections: 1 });
  try {
    const now = Date.now();
    for (let days = 30; days > 0; days -= 3) await createPartitions(database.db, now - days * dayMs);
    await sql`insert into telemetry_sources (device_id, topic) select id, 'data/sensors' from devices`;
    const dayAgo = new Date(now - dayMs);
    /** What each source measured `k` steps ago; by their numbers the sources are spread over a step. */
    const measured = (k: postgres.Fragment) => sql`
      select s.id as source, ${new Date(now)}::timestamptz - make_interval(secs => 2592000.0 / ${measuredEach}::int * (${k} + s.id % 1000 / 1000.0)) as at,
        ((${k} * 37 + s.id) % 300 / 10.0)::float8 as temperature, (40 + (${k} * 17 + s.id) % 200 / 10.0)::float8 as humidity`;
    // As time went: each time all sources, in their order.
    for (let k = measuredEach - 1; k >= 0; k--) {
      if (k % 10 === 0) tell(`${devices * k} measurements to go`);
      const made = sql`(${measured(sql`${k}::int`)} from telemetry_sources s order by s.id) m`;
      await sql`
        insert into measurements (source, at, body)
        select source, at, jsonb_build_object('temperature', temperature, 'humidity', humidity) from ${made} where at >= ${dayAgo}`;
      await sql`
        insert into measured_hours (source, at, packed)
        select source, date_trunc('hour', at, 'UTC'), jsonb_build_object(
          'temperature', temperature || ';' || extract(minute from at at time zone 'UTC') || ' ' || temperature,
          'humidity', humidity || ';' || extract(minute from at at time zone 'UTC') || ' ' || humidity)
        from ${made} where at < ${dayAgo}`;
    }
    await sql`
      update telemetry_sources t set last_at = m.at, last = jsonb_build_object('temperature', temperature, 'humidity', humidity)
      from telemetry_sources s, lateral (
        select * from (${measured(sql`k`)} from generate_series(0, ${measuredEach - 1}::int) k) each where at < ${dayAgo} order by at desc limit 1) m
      where t.id = s.id`;
    await sql`
      insert into device_metrics (device_id, name, value, at, preferred)
      select id, name, value, now(), false
      from (select id, abs(hashtext(id)) as n from devices) d, lateral (values
        ('temperature', n % 300 / 10.0), ('humidity', 40 + n % 200 / 10.0), ('battery', n % 1000 / 10.0)) v(name, value)
      where name <> 'battery' or n % 1000 = 7`;
  } finally {
    await database.close();
  }
}
