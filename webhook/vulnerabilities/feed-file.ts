/**
 * A feed as it is downloaded, read piece by piece and cut into requests: a zip of OSV files (as osv.dev has them for each ecosystem), JSON lines,
 * or JSON. Pure, so that the command line and the console share it.
 */
import { Unzip, UnzipInflate } from 'fflate';

/** Of one advisory. What unpacks to more is no advisory. */
const maxEntryBytes = 4 * 1024 * 1024;
/** Of a file that is one JSON text. */
const maxJsonBytes = 64 * 1024 * 1024;
/** Below what the server takes at once. */
const maxBatchBytes = 4 * 1024 * 1024;
const maxBatch = 500;

export class FeedError extends Error {}

/** Batches for `POST /api/vulnerabilities/feed`. Throws FeedError with the entry or the line. */
export async function* readFeed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown[]> {
  let batch: unknown[] = [];
  let bytes = 0;
  for await (const { text, where } of readEntries(chunks)) {
    for (const entry of parseEntry(text, where)) {
      const size = JSON.stringify(entry)?.length ?? 0;
      if (batch.length > 0 && (batch.length === maxBatch || bytes + size > maxBatchBytes)) {
        yield batch;
        [batch, bytes] = [[], 0];
      }
      batch.push(entry);
      bytes += size;
    }
  }
  if (batch.length > 0) yield batch;
}

interface Entry {
  text: string;
  where: string;
}

async function* readEntries(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const source = chunks[Symbol.asyncIterator]();
  let first = new Uint8Array();
  // By its first two bytes a zip is known.
  for (let next = await source.next(); !next.done; next = await source.next()) {
    first = join(first, next.value);
    if (first.length > 1) break;
  }
  async function* all() {
    yield first;
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
  }
  if (first[0] === 0x50 && first[1] === 0x4b) yield* readZip(all());
  else yield* readText(all());
}

async function* readZip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const ready: Entry[] = [];
  let fault: Error | null = null;
  const unzip = new Unzip((file) => {
    if (!file.name.endsWith('.json')) return;
    const parts: Uint8Array[] = [];
    let size = 0;
    file.ondata = (error, part, isLast) => {
      if (fault) return;
      if (error) fault = new FeedError(`${file.name}: cannot be unpacked: ${error.message}`);
      size += part?.length ?? 0;
      if (size > maxEntryBytes) {
        fault = new FeedError(`${file.name}: unpacks to more than ${maxEntryBytes} bytes`);
        file.terminate();
        return;
      }
      parts.push(part);
      if (isLast) ready.push({ text: decode(parts), where: file.name });
    };
    file.start();
  });
  unzip.register(UnzipInflate);
  for await (const chunk of chunks) {
    // In small pieces, so that what unpacks to much is noticed before it has.
    for (let at = 0; at < chunk.length; at += 65_536) {
      unzip.push(chunk.subarray(at, at + 65_536));
      if (fault) throw fault;
      yield* ready.splice(0);
    }
  }
  unzip.push(new Uint8Array(0), true);
  if (fault) throw fault;
  yield* ready.splice(0);
}

/** A text whose first line is a whole object has one on each line. */
async function* readText(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const decoder = new TextDecoder();
  let text = '';
  let line = 1;
  let isLines: boolean | null = null;
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    if (isLines === null && text.includes('\n')) isLines = isObject(text.slice(0, text.indexOf('\n')));
    if (text.length > (isLines ? maxEntryBytes : maxJsonBytes) && !(isLines && text.includes('\n')))
      throw new FeedError(`line ${line}: is longer than any advisory`);
    if (!isLines) continue;
    const lines = text.split('\n');
    text = lines.pop()!;
    for (const one of lines) {
      if (one.trim()) yield { text: one, where: `line ${line}` };
      line += 1;
    }
  }
  text += decoder.decode();
  if (text.trim()) yield { text, where: `line ${line}` };
}

function isObject(text: string): boolean {
  try {
    return JSON.parse(text) !== null && text.trimStart().startsWith('{');
  } catch {
    return false;
  }
}

function parseEntry(text: string, where: string): unknown[] {
  try {
    const value = JSON.parse(text) as unknown;
    return Array.isArray(value) ? value : [value];
  } catch (error) {
    throw new FeedError(`${where}: is not JSON: ${(error as Error).message}`);
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function decode(parts: Uint8Array[]): string {
  const decoder = new TextDecoder();
  return parts.map((part) => decoder.decode(part, { stream: true })).join('') + decoder.decode();
}
