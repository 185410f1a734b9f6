/** A file to the file store, in parts: what broke off, also with the program that sent it, goes on with the parts that the store lacks. */
import { createReadStream } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { formatBytes } from '#deploy/local/progress.ts';
import { type Flota, insist } from './client.ts';
import { CliError, toUnreachable } from './errors.ts';
import type { Output, Terminal } from './output.ts';

const pausesMs = [1_000, 3_000, 9_000];
const silenceMaxMs = 60_000;

interface Announced {
  version: string;
  fileName: string;
  sizeBytes: number;
  sha256: string;
}

/** Resolves with the path by which it is registered. Begun again with the same file it is the same upload. */
export async function uploadFile(
  flota: Flota,
  path: string,
  { version, fileName, sizeBytes, sha256 }: Announced,
  out: Output,
): Promise<string> {
  const body = { version, fileName, sizeBytes, sha256 };
  const { id, s3Path, parts, partBytes, stored, completed } = await insist(
    flota.POST('/api/uploads', { body }),
  );
  if (completed) return s3Path;
  const there = stored.reduce((sum, n) => sum + Math.min(partBytes, sizeBytes - (n - 1) * partBytes), 0);
  if (there > 0) out.note(`Goes on: ${formatBytes(there)} of ${formatBytes(sizeBytes)} are there already.`);
  const bar = out.json || !out.terminal.stderr.isTTY ? null : createBar(sizeBytes, there, out.terminal);
  const params = { path: { id } };
  for (let number = 1; number <= parts; number++) {
    if (stored.includes(number)) continue;
    await insisting(async () => {
      const asked = flota.POST('/api/uploads/{id}/parts', { params, body: { numbers: [number] } });
      const { offset, sizeBytes: size, url } = (await insist(asked)).parts[0]!;
      return { url, ...(await put(path, offset, size, url, bar)) };
    });
  }
  bar?.end();
  await insist(flota.POST('/api/uploads/{id}/complete', { params }));
  return s3Path;
}

/** Tries again when the connection breaks, or the store is away, each time at a fresh address. */
async function insisting(send: () => Promise<{ url: string; status: number; body: string }>): Promise<void> {
  for (const pauseMs of [...pausesMs, null]) {
    try {
      const { url, status, body } = await send();
      if (status < 300) return;
      if (status < 500 || pauseMs === null)
        throw CliError.of(
          'upload_refused',
          `The file store at ${new URL(url).host} returned ${status}: ${body.slice(0, 200)}`,
          'Upload again: it goes on where it stood.',
        );
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== 'unreachable' || pauseMs === null) throw error;
    }
    await delay(pauseMs);
  }
}

async function put(
  path: string,
  offset: number,
  sizeBytes: number,
  url: string,
  bar: Bar | null,
): Promise<{ status: number; body: string }> {
  const request = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
    method: 'PUT',
    headers: { 'content-length': sizeBytes },
    timeout: silenceMaxMs,
  });
  request.on('timeout', () => request.destroy(new Error('nothing moved for a minute')));
  const answered = new Promise<{ status: number; body: string }>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
  });
  let sent = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _, done) {
      sent += chunk.length;
      bar?.add(chunk.length);
      done(null, chunk);
    },
  });
  const source = createReadStream(path, { start: offset, end: offset + sizeBytes - 1 });
  // A store that refuses may answer before it has all; then its answer counts, not the broken pipe.
  pipeline(source, counted, request).catch(() => {});
  try {
    return await answered;
  } catch (error) {
    bar?.add(-sent);
    throw toUnreachable(url, error);
  }
}

interface Bar {
  add(bytes: number): void;
  end(): void;
}
const width = 30;

function createBar(total: number, from: number, { stderr }: Terminal): Bar {
  let done = from;
  return {
    add(bytes) {
      done += bytes;
      const full = Math.round((done / total) * width);
      const bar = '█'.repeat(full) + '░'.repeat(width - full);
      stderr.write(`\r\x1b[2K  ${bar}  ${formatBytes(done)} of ${formatBytes(total)}`);
    },
    end: () => void stderr.write('\n'),
  };
}
