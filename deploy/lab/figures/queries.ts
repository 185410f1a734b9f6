/** What the console's lists ask for, with a hundred thousand devices and ten million events, against the same with a thousand devices. */
import { type Figures, p95 } from './figures.ts';
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

const small = { devices: 1_000, events: 100_000 };
const large = { devices: 100_000, events: 10_000_000 };
const asked = 100;
const rounds = 3;

export async function measureQueries(): Promise<Figures> {
  return withPostgresql(async (server) => {
    const few = await prepare(server, small.devices, small.events);
    const many = await prepare(server, large.devices, large.events);
    try {
      const figures: Figures = {};
      for (const [name, path] of Object.entries(pages)) {
        const [found, baseline]: [number[], number[]] = [[], []];
        // In turns, so that a neighbour's load falls on both.
        for (let round = 0; round < rounds; round++) {
          baseline.push(...(await time(few, path, small.devices)));
          found.push(...(await time(many, path, large.devices)));
        }
        const [value, base] = [p95(found), p95(baseline)];
        tell(`${name}: ${value.toFixed(1)} ms, with few devices ${base.toFixed(1)} ms`);
        figures[`queries.${name}`] = {
          value: Number(value.toFixed(1)),
          unit: 'ms (p95)',
          baseline: Number(base.toFixed(1)),
          ratio: Number((base / value).toFixed(3)),
          aim: 0.333,
        };
      }
      return figures;
    } finally {
      await few.copy.close();
      await many.copy.close();
    }
  });
}

interface Site {
  copy: Copy;
  deployment: string;
}
type Page = (devices: number, deployment: string, n: number) => string;

/** `n` changes with every request, so that no two are the same. */
const pages: Record<string, Page> = {
  device_list: (devices, _, n) => `/api/devices?limit=50&offset=${(n * 50) % Math.min(devices, 1_000)}`,
  device_search: (devices, _, n) => `/api/devices?limit=50&search=dev-${1 + ((n * 37) % (devices - 1))}`,
  deployment: (_, deployment) => `/api/deployments/${deployment}`,
  deployment_targets: (_, deployment, n) =>
    `/api/deployments/${deployment}/targets?limit=50&offset=${(n % 10) * 50}`,
  device_chart: (devices, _, n) =>
    `/api/devices/dev-${1 + ((n * 37) % (devices - 1))}/telemetry?topic=data/sensors&value=temperature`,
  query_version: (_, __, n) => found(`hardware = esp32-s3 and version < 1.${4 + (n % 5)}`),
  query_tag: (_, __, n) => found(`tag = line:${n % 50} and not version = 1.${n % 12}.0`),
  query_place: (_, __, n) => found(`region = everywhere and name ~ "Device ${n}" and online = yes`),
  query_seen: (_, __, n) => found(`last_seen > ${1 + (n % 9)}d or last_seen = never`),
  query_metric: (_, __, n) => found(`tag = line:${n % 50} and metric.temperature > ${n % 30}`),
  search: (devices, _, n) => `/api/search?q=${n % 2 ? 'dev-' : 'evice '}${1 + ((n * 37) % (devices - 1))}`,
  search_nothing: (_, __, n) => `/api/search?q=nowhere${n}`,
};

const found = (query: string) => `/api/devices?limit=50&q=${encodeURIComponent(query)}`;

async function time({ copy, deployment }: Site, page: Page, devices: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < asked; n++) {
    const began = performance.now();
    await copy.api('GET', page(devices, deployment, n));
    times.push(performance.now() - began);
  }
  // The first are those of a connection and a compiler that are not warm.
  return times.slice(10);
}

/** A deployment that is half done, and telemetry of the last ten days; as many events a device in both. */
async function prepare(server: string, devices: number, events: number): Promise<Site> {
  const url = await createDatabase(server);
  const copy = await startCopy(url, deafBroker());
  const { sql } = copy;
  try {
    const region = await fillDevices(sql, devices);
    // Nothing is dispatched in here: what is measured is a page.
    await sql`
      update devices set reachable = false, tags = array['line:' || n % 50],
        last_seen_at = case when n % 20 = 0 then null else now() - make_interval(hours => n::int % 240) end
      from (select id as d, row_number() over () as n from devices) numbered where d = id`;
    const { id } = (await copy.api('POST', '/api/deployments', {
      firmwareId: firmware.id,
      regions: [region],
    })) as {
      id: string;
    };
    await sql`
      update targets set state = case when n % 2 = 0 then 'succeeded' when n % 50 = 1 then 'failed' else 'pending' end,
        attempt = 1, stats = '{"downloadMs": 60000, "resumes": 1, "receivedBytes": 1048576, "redownloadedBytes": 0}'
      from (select device_id as d, row_number() over () as n from targets) numbered where d = device_id`;
    await sql`
      insert into components (device_id, component, version, sha256, security_version, boot_seq, seq_number, reported_at)
      select id, 'main', '1.' || row_number() over () % 12 || '.0', ${firmware.sha256}, 0, 1, 1, now() from devices`;
    const step = 500_000;
    for (let done = 0; done < events; done += step) {
      await sql`
        insert into telemetry (device_id, topic, at, body)
        select 'dev-' || (1 + n % ${devices}), 'data/sensors',
          now() - make_interval(secs => 864000.0 * n / ${events}), jsonb_build_object('values', jsonb_build_object('temperature', n % 30))
        from generate_series(${done}::int, ${Math.min(done + step, events) - 1}::int) n`;
      tell(`${Math.min(done + step, events)} of ${events} events`);
    }
    await sql`vacuum analyze`;
    return { copy, deployment: id };
  } catch (error) {
    await copy.close();
    throw error;
  }
}
