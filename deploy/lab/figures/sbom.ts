/** Which devices have a vulnerability or an old component, of a hundred thousand: against the second that was promised. */
import type { Figures } from './figures.ts';
import {
  type Copy,
  createDatabase,
  deafBroker,
  fillDevices,
  startCopy,
  tell,
  withPostgresql,
} from './webhook-copy.ts';

const devices = 100_000;
const firmwares = 40;
const packages = 200;
const advisories = 5_000;
const asked = 30;
const promisedMs = 1_000;

const pages: Record<string, (n: number) => string> = {
  /** Half of the fleet has it. */
  cve_devices: (n) => `/api/vulnerabilities/CVE-2030-10000/devices?limit=50&offset=${n * 50}`,
  cve: () => '/api/vulnerabilities/CVE-2030-10000',
  cve_list: (n) => `/api/vulnerabilities?limit=50&offset=${n * 50}`,
  cve_search: (n) => `/api/vulnerabilities?limit=50&search=CVE-2030-10${n}`,
  component_below: (n) => `/api/packages/devices?name=lib-${n}&below=1.20.0&limit=50`,
  component_search: (n) => `/api/packages?search=lib-${n}&limit=50`,
};

export async function measureSbom(): Promise<Figures> {
  return withPostgresql(async (server) => {
    const copy = await startCopy(await createDatabase(server), deafBroker());
    try {
      await fill(copy);
      const figures: Figures = {};
      for (const [name, page] of Object.entries(pages)) {
        const times: number[] = [];
        for (let n = 0; n < asked; n++) {
          const began = performance.now();
          await copy.api('GET', page(n));
          times.push(performance.now() - began);
        }
        const value = Math.max(...times.slice(3));
        tell(`${name}: ${value.toFixed(1)} ms`);
        figures[`sbom.${name}`] = {
          value: Number(value.toFixed(1)),
          unit: `ms (the longest of ${asked - 3})`,
          baseline: promisedMs,
          ratio: Number((promisedMs / value).toFixed(2)),
          aim: 1,
        };
      }
      return figures;
    } finally {
      await copy.close();
    }
  });
}

/** Firmwares whose packages are one version newer in each, evenly on the devices; feeds and SBOMs come in as they would. */
async function fill(copy: Copy): Promise<void> {
  const { sql } = copy;
  await fillDevices(sql, devices);
  const ids = await sql<{ id: string }[]>`
    insert into firmwares (id, name, version, file_name, author, hardware, component, security_version, release_note, s3_path, size_bytes, sha256)
    select gen_random_uuid(), 'bench', '2.' || n || '.0', 'firmware.bin', 'bench', 'esp32-s3', 'main', 0, '', 'x/' || n, 1000,
      encode(sha256(n::text::bytea), 'hex') from generate_series(0, ${firmwares - 1}::int) n returning id`;
  await sql`
    insert into components (device_id, component, version, sha256, security_version, boot_seq, seq_number, reported_at)
    select 'dev-' || n, 'main', '2.' || n % ${firmwares} || '.0', encode(sha256((n % ${firmwares})::text::bytea), 'hex'), 0, 1, 1, now()
      from generate_series(1, ${devices}::int) n`;
  for (const [at, { id }] of ids.entries())
    await sql`
      insert into firmware_packages (firmware_id, name, version, keys)
      select ${id}, 'lib-' || n, '1.' || ${at}::int || '.0', array['name:lib-' || n] from generate_series(0, ${packages - 1}::int) n`;
  await sql`vacuum analyze`;
  for (let at = 0; at < advisories; at += 500) {
    const feed = Array.from({ length: 500 }, (_, i) => at + i).map((n) => ({
      id: `OSV-${n}`,
      modified: '2030-01-01T00:00:00Z',
      aliases: [`CVE-2030-${10_000 + n}`],
      summary: `A hole in lib-${n}`,
      affected: [
        {
          package: { ecosystem: 'OSS-Fuzz', name: `lib-${n}` },
          ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: `1.${20 - (n % 20)}.0` }] }],
        },
      ],
    }));
    await copy.api('POST', '/api/vulnerabilities/feed', { advisories: feed });
  }
  await sql`vacuum analyze`;
  const [found] = await sql`select count(*)::int as n from findings`;
  tell(
    `${devices} devices, ${firmwares} firmwares of ${packages} packages, ${advisories} advisories, ${found!.n} findings`,
  );
}
