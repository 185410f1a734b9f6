/** Devices as CSV, a page at a time: neither this copy nor the database holds them all. */
import { Readable } from 'node:stream';
import { mainComponent } from '#emqx/protocol.ts';
import type { Db } from '../db/query.ts';
import { formatCsvLine } from './csv.ts';
import { type DeviceFilter, listAfter } from './devices.ts';
import type { DeviceView } from './fields.ts';
import type { Reach } from './reach.ts';

const pageSize = 1_000;

type Columns = Record<
  string,
  (device: DeviceView, main: DeviceView['running'][number] | undefined) => string
>;
const columns: Columns = {
  id: ({ id }) => id,
  hardware: ({ hardware }) => hardware,
  name: ({ name }) => name,
  region: ({ region }) => region?.name ?? '',
  division: ({ division }) => division?.name ?? '',
  tags: ({ tags }) => tags.join(' '),
  pinned: ({ pinned }) => pinned ?? '',
  channel: ({ channel }) => channel,
  version: (_, main) => main?.version ?? '',
  sha256: (_, main) => main?.sha256 ?? '',
  online: ({ online }) => (online ? 'yes' : 'no'),
  health: ({ health }) => health ?? '',
  last_seen: ({ lastSeenAt }) => lastSeenAt ?? '',
  created: ({ createdAt }) => createdAt,
};

/** By id. What fails before the first page is thrown; later it breaks the stream off, so that nobody takes a part for the whole. */
export async function exportCsv(
  db: Db,
  reach: Reach,
  filter: DeviceFilter,
): Promise<ReadableStream<Uint8Array>> {
  const after = (id: string | null) => listAfter(db, reach, filter, id, pageSize);
  let devices = await after(null);
  async function* lines() {
    yield formatCsvLine(Object.keys(columns));
    while (devices.length > 0) {
      yield devices.map(toLine).join('');
      devices = devices.length < pageSize ? [] : await after(devices.at(-1)!.id);
    }
  }
  const bytes = Readable.from(lines(), { objectMode: true, highWaterMark: 1 }).map((text: string) =>
    Buffer.from(text),
  );
  return Readable.toWeb(bytes) as ReadableStream<Uint8Array>;
}

function toLine(device: DeviceView): string {
  const main = device.running.find(({ component }) => component === mainComponent);
  return formatCsvLine(Object.values(columns).map((read) => read(device, main)));
}
