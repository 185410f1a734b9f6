/** `flota devices`: what is registered, by filters or by a query, and one device. */
import { parseWhole } from '#deploy/lab/fleet/units.ts';
import { type Flota, insist, type Schemas } from './client.ts';
import type { Command, Input, Option } from './command.ts';
import { table } from './output.ts';
import { readPages } from './pages.ts';
import { findPlaces } from './places.ts';

type Device = Schemas['Device'];
type Filter = NonNullable<Parameters<typeof findDevices>[1]>;
const shownByDefault = 100;

function findDevices(
  flota: Flota,
  filter: {
    q?: string;
    search?: string;
    hardware?: string;
    tag?: string;
    region?: string;
    division?: string;
    online?: 'true' | 'false';
  },
  max: number,
): Promise<Device[]> {
  return readPages(max, (page) =>
    insist(flota.GET('/api/devices', { params: { query: { ...filter, ...page } } })),
  );
}

const limit: Record<string, Option> = {
  limit: { hint: 'N', help: `how many at most (default: ${shownByDefault})` },
};

export const list: Command = {
  name: 'devices list',
  summary: 'devices, by id',
  options: {
    region: { hint: 'NAME', help: 'of this region' },
    division: { hint: 'NAME', help: 'of this division' },
    hardware: { hint: 'H', help: 'of this hardware' },
    tag: { hint: 'TAG', help: 'with this tag' },
    search: { hint: 'TEXT', help: 'whose id or name has this in it' },
    online: { hint: 'yes|no', values: ['yes', 'no'], help: 'that are connected, or not' },
    ...limit,
  },
  examples: ['', '--region Seoul --online no', '--hardware esp32-s3 --limit 10000 --json'],
  async run(input) {
    const flota = input.flota();
    const [region] = await findPlaces(flota, '/api/regions', take(input.text('region')));
    const [division] = await findPlaces(flota, '/api/divisions', take(input.text('division')));
    const online = input.text('online');
    const filter = {
      region,
      division,
      hardware: input.text('hardware'),
      tag: input.text('tag'),
      search: input.text('search'),
      online: online && online === 'yes' ? 'true' : online && 'false',
    } as Filter;
    await showDevices(input, flota, filter);
  },
};

export const query: Command = {
  name: 'devices query',
  operands: ['QUERY'],
  summary: 'devices that a query of the console finds',
  options: limit,
  examples: ["'version < 2.1 and tag = pilot'", "'last_seen > 7d' --json"],
  run: (input) => showDevices(input, input.flota(), { q: input.operands[0]! }),
};

async function showDevices(input: Input, flota: Flota, filter: Filter): Promise<void> {
  const max = input.parsed('limit', parseWhole(1, 1_000_000)) ?? shownByDefault;
  const found = await findDevices(flota, filter, max);
  const rows = found.map((d) => [
    d.id,
    d.name,
    d.hardware,
    versionOf(d),
    d.region?.name,
    d.division?.name,
    d.online ? 'online' : 'offline',
    d.lastSeenAt,
  ]);
  input.out.show(
    found,
    table(['ID', 'NAME', 'HARDWARE', 'VERSION', 'REGION', 'DIVISION', 'STATE', 'LAST SEEN'], rows),
  );
  if (found.length === max) input.out.note(`The first ${max}; --limit N shows more.`);
}

export const show: Command = {
  name: 'devices show',
  operands: ['DEVICE'],
  summary: 'one device, and what deployments did to it',
  examples: ['device-001', 'device-001 --json'],
  async run(input) {
    const flota = input.flota();
    const path = { id: input.operands[0]! };
    const device = await insist(flota.GET('/api/devices/{id}', { params: { path } }));
    const history = await insist(
      flota.GET('/api/devices/{id}/firmware_history', { params: { path, query: { limit: 10 } } }),
    );
    const { certificate, running } = device;
    const facts = table(
      ['ID', device.id],
      [
        ['name', device.name],
        ['hardware', device.hardware],
        ['region', device.region?.name],
        ['division', device.division?.name],
        ['tags', device.tags.join(', ')],
        ['state', `${device.online ? 'online' : 'offline'}, health ${device.health ?? 'not reported'}`],
        ['last seen', device.lastSeenAt],
        ['certificate', certificate && `${certificate.serial}, until ${certificate.notAfter}`],
        ...running.map((r) => [r.component, `${r.version} (${r.sha256.slice(0, 12)})`]),
      ],
    );
    const updates = history.items.map((h) => [
      h.createdAt,
      h.firmware.version,
      h.component,
      h.state,
      h.errorCode,
    ]);
    const past = table(['SINCE', 'VERSION', 'COMPONENT', 'STATE', 'REASON'], updates);
    input.out.show({ ...device, history: history.items }, updates.length ? [...facts, '', ...past] : facts);
  },
};

function versionOf(device: Device): string | undefined {
  return device.running.find(({ component }) => component === 'main')?.version;
}

function take(name: string | undefined): string[] {
  return name === undefined ? [] : [name];
}
