/** One PUT to the file store, tried again when the connection breaks: its address can be written once and takes only these bytes. */
import { createReadStream } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { formatBytes } from '#deploy/local/progress.ts';
import { CliError, toUnreachable } from './errors.ts';

const pausesMs = [1_000, 3_000, 9_000];
const silenceMaxMs = 60_000;

export interface Upload {
  file: string;
  sizeBytes: number;
  url: string;
  headers: Record<string, string>;
  isQuiet: boolean;
}

export async function uploadFile(upload: Upload): Promise<void> {
  for (const [tries, pauseMs] of [...pausesMs, null].entries()) {
    try {
      const { status, body } = await put(upload);
      // If-None-Match: an earlier try has arrived, of which the answer was lost.
      if (status < 300 || (status === 412 && tries > 0)) return;
      if (status < 500 || pauseMs === null)
        throw CliError.of(
          'upload_refused',
          `The file store at ${new URL(upload.url).host} returned ${status}: ${body.slice(0, 200)}`,
          'Upload again: the address for the file may have expired.',
        );
    } catch (error) {
      if (error instanceof CliError) throw error;
      if (pauseMs === null) throw toUnreachable(upload.url, error);
    }
    await delay(pauseMs);
  }
}

async function put({
  file,
  sizeBytes,
  url,
  headers,
  isQuiet,
}: Upload): Promise<{ status: number; body: string }> {
  const request = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
    method: 'PUT',
    headers: { ...headers, 'content-length': sizeBytes },
    timeout: silenceMaxMs,
  });
  request.on('timeout', () => request.destroy(new Error('nothing moved for a minute')));
  const answered = new Promise<{ status: number; body: string }>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
  });
  const bar = isQuiet || !process.stderr.isTTY ? null : createBar(sizeBytes);
  const counted = new Transform({
    transform(chunk: Buffer, _, done) {
      bar?.(chunk.length);
      done(null, chunk);
    },
  });
  // A store that refuses may answer before it has all; then its answer counts, not the broken pipe.
  const sent = pipeline(createReadStream(file), counted, request);
  sent.catch(() => {});
  try {
    return await answered;
  } finally {
    if (bar) process.stderr.write('\n');
  }
}

const width = 30;

function createBar(total: number): (bytes: number) => void {
  let done = 0;
  return (bytes) => {
    done += bytes;
    const full = Math.round((done / total) * width);
    const bar = '█'.repeat(full) + '░'.repeat(width - full);
    process.stderr.write(`\r\x1b[2K  ${bar}  ${formatBytes(done)} of ${formatBytes(total)}`);
  };
}
