import {
  createDatabase,
  deafBroker,
  fillDevices,
  firmware,
  startCopy,
  withPostgresql,
} from './webhook-copy.ts';

const devices = 100_000;
const events = 1_000_000;
await withPostgresql(async (server) => {
  const url = await createDatabase(server);
  console.log('database', url);
  const copy = await startCopy(url, deafBroker());
  const { sql } = copy;
  await fillDevices(sql, devices);
  await sql`update devices set reachable = false, tags = array['line:' || n % 50],
        last_seen_at = case when n % 20 = 0 then null else now() - make_interval(hours => n::int % 240) end
      from (select id as d, row_number() over () as n from devices) numbered where d = id`;
  await sql`insert into components (device_id, component, version, sha256, security_version, boot_seq, seq_number, reported_at)
      select id, 'main', '1.' || row_number() over () % 12 || '.0', ${firmware.sha256}, 0, 1, 1, now() from devices`;
  const step = 250_000;
  for (let done = 0; done < events; done += step) {
    await sql`insert into telemetry (device_id, topic, at, body)
        select 'dev-' || (1 + n % ${devices}), 'data/sensors',
          now() - make_interval(secs => 864000.0 * n / ${events}), jsonb_build_object('values', jsonb_build_object('temperature', n % 30))
        from generate_series(${done}::int, ${done + step - 1}::int) n`;
    console.log(done + step);
  }
  await sql`vacuum analyze`;
  const found = (query: string) => `/api/devices?limit=50&q=${encodeURIComponent(query)}`;
  const pages: Record<string, (n: number) => string> = {
    version: (n) => found(`hardware = esp32-s3 and version < 1.${4 + (n % 5)}`),
    tag: (n) => found(`tag = line:${n % 50} and not version = 1.${n % 12}.0`),
    place: (n) => found(`region = everywhere and name ~ "Device ${n}" and online = yes`),
    seen: (n) => found(`last_seen > ${1 + (n % 9)}d or last_seen = never`),
    metric_tag: (n) => found(`tag = line:${n % 50} and metric.temperature > ${n % 30}`),
    metric: (n) => found(`metric.temperature > ${n % 30}`),
    health: () => found('health = none and online = yes'),
    search_prefix: (n) => `/api/search?q=dev-${n}`,
    search_part: (n) => `/api/search?q=vice%20${n * 7}`,
    search_nothing: (n) => `/api/search?q=nothing${n}`,
    search_common: () => `/api/search?q=evice`,
    search_two: () => `/api/search?q=de`,
  };
  for (const [name, page] of Object.entries(pages)) {
    const times: number[] = [];
    for (let n = 0; n < 40; n++) {
      const began = performance.now();
      await copy.api('GET', page(n));
      times.push(performance.now() - began);
    }
    times.splice(0, 5);
    times.sort((a, b) => a - b);
    console.log(name, 'median', times[17]!.toFixed(1), 'p95', times[33]!.toFixed(1));
  }
  console.log('waiting');
  if (process.env.HOLD) await new Promise((r) => setTimeout(r, Number(process.env.HOLD) * 1000));
  await copy.close();
});
