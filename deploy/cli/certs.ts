/** `flota certs`: which certificates there are, and which end soon. */
import { parseWhole } from '#deploy/lab/fleet/units.ts';
import { insist } from './client.ts';
import type { Command } from './command.ts';
import { table } from './output.ts';
import { readPages } from './pages.ts';

const statuses = ['valid', 'unused', 'superseded', 'expired', 'revoked'] as const;
const profiles = ['device', 'broker', 'service'] as const;

export const certs: Command = {
  name: 'certs',
  summary: 'certificates, the newest first; with --expiring the most urgent first',
  options: {
    device: { hint: 'ID', help: 'of this device (or broker, or service)' },
    profile: { hint: 'P', values: profiles, help: profiles.join(', ') },
    status: { hint: 'S', values: statuses, help: statuses.join(', ') },
    expiring: { hint: 'DAYS', help: 'that end within so many days' },
    limit: { hint: 'N', help: 'how many at most (default: 100)' },
  },
  examples: ['--expiring 14', '--device device-001 --json'],
  async run(input) {
    const max = input.parsed('limit', parseWhole(1, 1_000_000)) ?? 100;
    const filter = {
      commonName: input.text('device'),
      profile: input.text('profile') as (typeof profiles)[number] | undefined,
      status: input.text('status') as (typeof statuses)[number] | undefined,
      expiresWithinDays: input.parsed('expiring', parseWhole(1, 3650)),
    };
    const flota = input.flota();
    const found = await readPages(max, (page) =>
      insist(flota.GET('/api/certificates', { params: { query: { ...filter, ...page } } })),
    );
    const rows = found.map((c) => [c.serial, c.commonName, c.profile, c.status, c.notAfter]);
    input.out.show(found, table(['SERIAL', 'NAME', 'PROFILE', 'STATUS', 'UNTIL'], rows));
    if (found.length === max) input.out.note(`The first ${max}; --limit N shows more.`);
  },
};
