/** All devices that match, as JSON or CSV, while they are read. */
import { Readable } from 'node:stream';
import { mainComponent } from '#emqx/protocol.ts';
import { formatCsvLine } from './csv.ts';
import type { DeviceView } from './fields.ts';

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

type Pages = AsyncIterable<DeviceView[]>;

export const toCsv = (pages: Pages) => toStream(csv(pages));

async function* csv(pages: Pages) {
  let header = formatCsvLine(Object.keys(columns));
  for await (const page of pages) {
    yield header + page.map(toLine).join('');
    header = '';
  }
}

/** One array. */
export const toJson = (pages: Pages) => toStream(json(pages));

async function* json(pages: Pages) {
  let before = '[';
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield before + page.map((device) => JSON.stringify(device)).join(',');
    before = ',';
  }
  yield before === '[' ? '[]' : ']';
}

/** What fails before the first page is thrown; later it breaks the stream off, so that nobody takes a part for the whole. */
async function toStream(texts: AsyncGenerator<string>): Promise<ReadableStream<Uint8Array>> {
  const first = await texts.next();
  async function* all() {
    yield first.value as string;
    yield* texts;
  }
  const bytes = Readable.from(all(), { objectMode: true, highWaterMark: 1 }).map((text: string) =>
    Buffer.from(text),
  );
  return Readable.toWeb(bytes) as ReadableStream<Uint8Array>;
}

function toLine(device: DeviceView): string {
  const main = device.running.find(({ component }) => component === mainComponent);
  return formatCsvLine(Object.values(columns).map((read) => read(device, main)));
}
