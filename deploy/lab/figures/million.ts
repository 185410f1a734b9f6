/** A million devices: every list and page against the same with ten thousand, a deployment to all of them, and presence compared. */
import { randomUUID } from 'node:crypto';
import type { BrokerClient, EmqxApi } from '#emqx/api.ts';
import { type Figures, p95, watchProcessor } from './figures.ts';
import { measureDeployment, watchMemory } from './rollout.ts';
import {
  type Copy,
  createDatabase,
  deafBroker,
  fillDevices,
  firmware,
  startCopy,
  tell,
  withPostgresql,
} from './webhook-copy.ts';

const small = 10_000;
const large = 1_000_000;
/** Rows of telemetry for each device: five million at a million devices, for fifty would take an hour to write here. */
const measuredEach = 5;
/** Each of its share of the devices, so there are as many targets as devices. */
const deployments = 20;
const asked = 40;
const warmUp = 5;
const rounds = 2;
const aimMs = 100;
const step = 100_000;

export async function measureMillion(): Promise<Figures> {
  return withPostgresql(async (server) => ({
    ...(await measurePages(server)),
    ...(await measureDispatch(server)),
  }));
}

async function measurePages(server: string): Promise<Figures> {
  const few = await prepare(server, small);
  const many = await prepare(server, large);
  try {
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
      tell(`${name}: ${value.toFixed(1)} ms, with ten thousand ${base.toFixed(1)} ms`);
      figures[`million.${name}`] = {
        value: round(value),
        unit: 'ms (p95); baseline: with 10,000 devices',
        baseline: round(base),
        // Below a few milliseconds a ratio is noise.
        ratio: round(Math.min(aimMs / value, (1.5 * Math.max(base, 5)) / value)),
        processorUs: Math.round(processorUs / (rounds * (asked + warmUp))),
        aim: 1,
      };
    }
    Object.assign(figures, await measurePresence(many));
    return figures;
  } finally {
    await few.copy.close();
    await many.copy.close();
  }
}

interface Site {
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
export const pages: Record<string, Page> = {
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
  query_seen: (_, n) => found(`last_seen > ${1 + (n % 9)}d or last_seen = never`),
  query_metric: (_, n) => found(`tag = line:${n % 50} and metric.temperature > ${n % 30}`),
  query_metric_alone: (_, n) => found(`metric.temperature > ${20 + (n % 10)}`),
  query_nothing: (_, n) => found(`drifted = yes and name ~ "nobody ${n}"`),
  device: (site, n) => `/api/devices/${some(site, n)}`,
  device_status: (site, n) => `/api/devices/${some(site, n)}/status`,
  device_history: (site, n) => `/api/devices/${some(site, n)}/firmware_history`,
  device_chart: (site, n) => `/api/devices/${some(site, n)}/telemetry?topic=data/sensors&value=temperature`,
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

export async function time(site: Site, page: Page): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < asked + warmUp; n++) {
    const began = performance.now();
    await site.copy.api('GET', page(site, n));
    times.push(performance.now() - began);
  }
  return times.slice(warmUp);
}

const round = (n: number) => Number(n.toFixed(2));

/** Everybody is connected, and it says so page by page. */
interface ListingBroker extends EmqxApi {
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
    const events = devices * measuredEach;
    for (let first = 0; first < events; first += step) {
      await sql`
        insert into telemetry (device_id, topic, at, body)
        select 'dev-' || (1 + n % ${devices}), 'data/sensors', now() - make_interval(secs => 432000.0 * n / ${events}),
          jsonb_build_object('values', jsonb_build_object('temperature', n % 30))
        from generate_series(${first}::int, ${Math.min(first + step, events) - 1}::int) n`;
    }
    done('telemetry');
    await sql`vacuum analyze`;
    done('vacuum');
    return { url, copy, devices, deployment, region, broker };
  } catch (error) {
    await copy.close();
    throw error;
  }
}

/** A second copy compares presence when it starts: one device of twenty came while nobody listened. */
async function measurePresence({ url, copy, broker, devices }: Site): Promise<Figures> {
  broker.listing = true;
  const memory = watchMemory();
  const before = process.memoryUsage.rss() / 2 ** 20;
  const began = performance.now();
  const other = await startCopy(url, broker, {
    periodMs: 3_600_000,
    faultMs: 1_000,
    youngMs: 60_000,
    settledMs: 15_000,
  });
  try {
    for (let online = 0; online < devices; ) {
      const [row] = await copy.sql`select sum(n)::int as n from device_tallies where online`;
      online = row!.n;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const seconds = (performance.now() - began) / 1000;
    const grownMb = memory.stop() - before;
    return {
      'million.presence': {
        value: round(seconds),
        unit: 's to compare a million connections, of which 50,000 were news; baseline: the pause between two rounds',
        baseline: 300,
        ratio: round(300 / seconds),
        aim: 1,
      },
      'million.presence_memory': {
        value: round(grownMb),
        unit: 'MB more while it compares, a second copy included; baseline: ids and times of all of them as objects',
        baseline: 200,
        ratio: round(200 / Math.max(1, grownMb)),
        aim: 1,
      },
    };
  } finally {
    await other.close();
  }
}

async function measureDispatch(server: string): Promise<Figures> {
  const few = await measureDeployment(server, small);
  const many = await measureDeployment(server, large);
  return {
    'million.dispatch': {
      value: Math.round(many.targetsPerSecond),
      unit: 'targets/s resolved and dispatched; baseline: of 10,000',
      baseline: Math.round(few.targetsPerSecond),
      processorUs: many.processorUs,
      ratio: round(many.targetsPerSecond / few.targetsPerSecond),
      aim: null,
    },
    'million.dispatch_memory': {
      value: Math.round(many.peakMb),
      unit: 'MB at most; baseline: with 10,000 targets',
      baseline: Math.round(few.peakMb),
      ratio: round(few.peakMb / many.peakMb),
      aim: 0.8,
    },
  };
}
