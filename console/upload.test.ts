import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import type { Firmware } from './api.ts';
import { ApiError, createSessionFetch } from './http.ts';
import { checkFile, createUpload, type Put, type UploadProgress } from './upload.ts';

const file = new File([new Uint8Array(300_000).fill(7)], 'blink.bin');
const fields = { version: '1.0.0', releaseNote: '' };
const never = new AbortController().signal;

/** A server with the three endpoints; a test says what each answers next. */
let server: Server;
let url: string;
let seen: string[];
let answers: { presign: number; put: number | 'hang'; metadata: number };
let hanging: () => void;
let putStarted: Promise<void>;

beforeEach(async () => {
  seen = [];
  answers = { presign: 200, put: 200, metadata: 201 };
  putStarted = new Promise((resolve) => {
    hanging = resolve;
  });
  let uploads = 0;
  server = createServer(async (request, response) => {
    if (answers.put === 'hang' && request.method === 'PUT') {
      seen.push('PUT begun');
      request.once('data', () => hanging());
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const reply = (status: number, value: unknown) => response.writeHead(status).end(JSON.stringify(value));
    if (request.method === 'PUT') {
      seen.push(`PUT ${request.url} ${body.length} ${request.headers['x-amz-checksum-sha256']}`);
      reply(answers.put as number, {});
    } else if (request.url === '/presign') {
      const asked = JSON.parse(body.toString());
      seen.push(`presign ${asked.version} ${asked.fileName} ${asked.sha256}`);
      uploads += 1;
      reply(
        answers.presign,
        answers.presign === 200
          ? {
              url: `${url}/object/${uploads}`,
              headers: { 'x-amz-checksum-sha256': 'sum' },
              s3Path: `object/${uploads}`,
              expiresAt: '',
            }
          : { code: 'firmware_exists', detail: 'It exists.' },
      );
    } else {
      seen.push(`metadata ${JSON.parse(body.toString()).s3Path}`);
      reply(answers.metadata, answers.metadata === 201 ? { id: 'f1' } : { code: 'overloaded' });
    }
  });
  url = `http://127.0.0.1:${await listen(server)}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const send = createSessionFetch({ fetch });
const put: Put = async (to, { headers, body, signal, onProgress }) => {
  await send(to, { method: 'PUT', headers, body: await body.arrayBuffer(), signal });
  onProgress(body.size);
};
const post = async (path: string, body: unknown, signal?: AbortSignal) =>
  (
    await send(`${url}${path}`, { method: 'POST', body: JSON.stringify(body), signal: signal ?? null })
  ).json();
const begin = () =>
  createUpload(file, 'abc', {
    presignUpload: (body, signal) => post('/presign', body, signal),
    registerFirmware: (body, signal) => post('/metadata', body, signal) as Promise<Firmware>,
    put,
  });

describe('an upload', () => {
  it('presigns, sends the whole file with the headers it was told, and only then registers', async () => {
    const told: UploadProgress[] = [];
    await begin().run(fields, never, (progress) => told.push(progress));
    expect(seen).toEqual(['presign 1.0.0 blink.bin abc', 'PUT /object/1 300000 sum', 'metadata object/1']);
    expect(told.map(({ step, sentBytes }) => `${step} ${sentBytes}`)).toEqual([
      'preparing 0',
      'sending 0',
      'sending 300000',
      'registering 300000',
    ]);
  });

  it('tells a duplicate before a byte is sent', async () => {
    answers.presign = 409;
    await expect(begin().run(fields, never, () => {})).rejects.toMatchObject({
      code: 'firmware_exists',
      status: 409,
    });
    expect(seen).toEqual(['presign 1.0.0 blink.bin abc']);
  });

  it('registers nothing when the store refuses, and asks for a fresh address on the next try', async () => {
    const upload = begin();
    answers.put = 403;
    await expect(upload.run(fields, never, () => {})).rejects.toBeInstanceOf(ApiError);
    expect(seen.filter((line) => line.startsWith('metadata'))).toEqual([]);
    answers.put = 200;
    await upload.run(fields, never, () => {});
    expect(seen.slice(-2)).toEqual(['PUT /object/2 300000 sum', 'metadata object/2']);
  });

  it('does not send a stored file again when only the registering failed', async () => {
    const upload = begin();
    answers.metadata = 503;
    await expect(upload.run(fields, never, () => {})).rejects.toMatchObject({ code: 'overloaded' });
    answers.metadata = 201;
    await upload.run({ ...fields, releaseNote: 'better' }, never, () => {});
    expect(seen.filter((line) => line.startsWith('PUT'))).toHaveLength(1);
    expect(seen.at(-1)).toBe('metadata object/1');
  });

  it('sends it again under another version, because the object belongs to the first', async () => {
    const upload = begin();
    answers.metadata = 503;
    await expect(upload.run(fields, never, () => {})).rejects.toThrow();
    answers.metadata = 201;
    await upload.run({ ...fields, version: '1.0.1' }, never, () => {});
    expect(seen.at(-1)).toBe('metadata object/2');
  });

  it('stops in the middle of the file when cancelled, and registers nothing', async () => {
    answers.put = 'hang';
    const cancel = new AbortController();
    const running = begin().run(fields, cancel.signal, () => {});
    await putStarted;
    cancel.abort();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(seen).toEqual(['presign 1.0.0 blink.bin abc', 'PUT begun']);
  });
});

describe('a file', () => {
  const problem = (name: string, size = 1) => checkFile({ name, size });

  it('is refused when its name has path parts, of either kind', () => {
    expect(['../a.bin', 'a/b.bin', 'a\\b.bin', '..', '.'].map((name) => problem(name))).toEqual(
      Array(5).fill('path'),
    );
  });

  it('is refused when it is empty or larger than allowed, or its name is empty, too long or not plain', () => {
    expect(problem('a.bin', 0)).toBe('empty');
    const limit = 256 * 1024 * 1024;
    expect([problem('a.bin', limit), problem('a.bin', limit + 1)]).toEqual([null, 'large']);
    expect(problem(' ')).toBe('name');
    expect(['', 'a\n.bin', '.hidden', 'a#b.bin'].map((name) => problem(name))).toEqual(Array(4).fill('name'));
    expect(problem(`${'a'.repeat(97)}.bin`)).toBe('long');
  });

  it('is taken with an ordinary name, dots, spaces and other scripts included', () => {
    expect(['a.bin', 'v1..2.bin', 'my file.bin', '펌웨어.bin'].map((name) => problem(name))).toEqual(
      Array(4).fill(null),
    );
  });
});
