import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { holdPort, listen } from '../../lab/primitives/listen.ts';
import { type Store, type StoreOptions, startStore } from './store.ts';

const bucket = 'firmware';
const credentials = { accessKeyId: 'test-key', secretAccessKey: 'test-secret' };
let dir: string;
let store: Store;
let options: StoreOptions;
let root: string;
let s3: S3Client;
let skewMs = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'flota-store-'));
  const authority = await openAuthority({ dir: join(dir, 'ca') });
  const pair = await issueKeyPair(authority, {
    profile: 'broker',
    commonName: 'store',
    names: ['localhost', '127.0.0.1'],
  });
  root = (await authority.trust()).root;
  options = {
    host: '127.0.0.1',
    dir: join(dir, 'data'),
    httpPort: 0,
    httpsPort: 0,
    tls: { key: pair.key, cert: pair.certificate + pair.chain },
    bucket,
    ...credentials,
    region: 'eu-west-1',
    corsOrigins: ['http://console.test'],
    now: () => Date.now() + skewMs,
  };
  store = await startStore(options);
  s3 = client(credentials);
});

afterAll(async () => {
  s3.destroy();
  await store.close();
  await rm(dir, { recursive: true });
});

function client(keys: typeof credentials, more: S3ClientConfig = {}): S3Client {
  return new S3Client({
    endpoint: `http://127.0.0.1:${store.httpPort}`,
    region: 'eu-west-1',
    credentials: keys,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    maxAttempts: 1,
    ...more,
  });
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

function send(
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: Buffer | string } = {},
): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = init;
  const at = url.indexOf('/', 8);
  const origin = new URL(url.slice(0, at));
  return new Promise((resolve, reject) => {
    const send = origin.protocol === 'https:' ? httpsRequest : httpRequest;
    // Not as a URL: its parser would tidy up what some of these tests are about.
    const target = {
      host: origin.hostname,
      port: origin.port,
      path: url.slice(at),
      method,
      headers,
      ca: root,
    };
    const outgoing = send(target, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** A connection on which nothing is ever sent. */
function connected(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', () => undefined);
  });
}

function codeOf(answer: Answer): string {
  return /<Code>(\w+)<\/Code>/.exec(answer.body.toString())?.[1] ?? '';
}

const presignGet = (key: string, expiresIn = 60) =>
  getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key: key }), { expiresIn });

async function put(key: string, body: Buffer | string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe('the AWS SDK', () => {
  it('puts, heads, gets, ranges over and deletes an object', async () => {
    const body = Buffer.from('firmware image bytes');
    const Key = '1.0.0/0f2a/fírm ware+(1).bin';
    await put(Key, body);
    const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key }));
    expect(head.ContentLength).toBe(body.length);
    expect(head.ETag).toBe(`"${createHash('md5').update(body).digest('hex')}"`);
    const whole = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    expect(Buffer.from(await whole.Body!.transformToByteArray())).toEqual(body);
    const part = await s3.send(new GetObjectCommand({ Bucket: bucket, Key, Range: 'bytes=9-13' }));
    expect(await part.Body!.transformToString()).toBe('image');
    expect(part.ContentRange).toBe(`bytes 9-13/${body.length}`);
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    await expect(s3.send(new GetObjectCommand({ Bucket: bucket, Key }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
    await expect(s3.send(new HeadObjectCommand({ Bucket: bucket, Key }))).rejects.toMatchObject({
      name: 'NotFound',
    });
  });

  it('finds the bucket, and no other', async () => {
    await s3.send(new HeadBucketCommand({ Bucket: bucket }));
    await expect(s3.send(new HeadBucketCommand({ Bucket: 'other' }))).rejects.toMatchObject({
      name: 'NotFound',
    });
  });

  it('reads and writes an object of 0 bytes', async () => {
    await put('empty', '');
    const answer = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'empty' }));
    expect(answer.ContentLength).toBe(0);
    expect((await send(await presignGet('empty'), { headers: { range: 'bytes=0-1' } })).status).toBe(416);
  });

  it('is told when key, secret or region are wrong', async () => {
    const attempt = async (keys: typeof credentials, region?: string) => {
      const other = client(keys, region ? { region } : {});
      const get = other.send(new GetObjectCommand({ Bucket: bucket, Key: 'x' }));
      return get
        .then(
          () => 'answered',
          (error) => error.name,
        )
        .finally(() => other.destroy());
    };
    expect(await attempt({ ...credentials, secretAccessKey: 'wrong' })).toBe('SignatureDoesNotMatch');
    expect(await attempt({ ...credentials, accessKeyId: 'wrong' })).toBe('InvalidAccessKeyId');
    expect(await attempt(credentials, 'us-east-1')).toBe('AuthorizationHeaderMalformed');
  });

  it('is told that its clock is wrong', async () => {
    skewMs = 16 * 60_000;
    // A new client, since the SDK corrects its clock by the server's Date and would try again.
    const other = client(credentials);
    const get = other.send(new GetObjectCommand({ Bucket: bucket, Key: 'x' }));
    await expect(get.finally(() => (skewMs = 0))).rejects.toMatchObject({ name: 'RequestTimeTooSkewed' });
    other.destroy();
  });

  it('streams a large object both ways without keeping it in memory', async () => {
    const size = 128 * 1024 * 1024;
    const chunk = Buffer.alloc(256 * 1024, 7);
    const command = new PutObjectCommand({ Bucket: bucket, Key: 'large' });
    const url = await getSignedUrl(s3, command, { expiresIn: 60 });
    const before = process.memoryUsage().rss;
    let peak = before;
    const answer = await new Promise<number>((resolve, reject) => {
      const outgoing = httpRequest(
        url,
        { method: 'PUT', headers: { 'content-length': size } },
        (incoming) => {
          incoming.resume().on('end', () => resolve(incoming.statusCode ?? 0));
        },
      );
      outgoing.on('error', reject);
      let left = size;
      const pump = () => {
        peak = Math.max(peak, process.memoryUsage().rss);
        while (left > 0) {
          left -= chunk.length;
          if (!outgoing.write(chunk)) return void outgoing.once('drain', pump);
        }
        outgoing.end();
      };
      pump();
    });
    expect(answer).toBe(200);
    let received = 0;
    const get = await fetch(await presignGet('large'));
    for await (const part of get.body as unknown as AsyncIterable<Uint8Array>) {
      received += part.length;
      peak = Math.max(peak, process.memoryUsage().rss);
    }
    expect(received).toBe(size);
    expect(peak - before).toBeLessThan(size * 0.75);
  });
});

describe('a presigned upload', () => {
  const body = Buffer.from('an image');
  const sha256 = createHash('sha256').update(body).digest('base64');
  const presign = (key: string) =>
    getSignedUrl(
      s3,
      new PutObjectCommand({ Bucket: bucket, Key: key, IfNoneMatch: '*', ChecksumSHA256: sha256 }),
      { expiresIn: 60, unhoistableHeaders: new Set(['x-amz-checksum-sha256']) },
    );
  const headers = { 'if-none-match': '*', 'x-amz-checksum-sha256': sha256 };

  it('stores the file once; a second one is refused with 412', async () => {
    const url = await presign('up/once');
    expect(url).toMatch(/X-Amz-SignedHeaders=[^&]*if-none-match/);
    const first = await send(url, { method: 'PUT', headers, body });
    expect(first.status).toBe(200);
    expect(first.headers.etag).toBe(`"${createHash('md5').update(body).digest('hex')}"`);
    const second = await send(url, { method: 'PUT', headers, body });
    expect([second.status, codeOf(second)]).toEqual([412, 'PreconditionFailed']);
    const url2 = await presign('up/race');
    const race = await Promise.all([1, 2, 3, 4].map(() => send(url2, { method: 'PUT', headers, body })));
    expect(race.map((answer) => answer.status).sort()).toEqual([200, 412, 412, 412]);
  });

  it.each(['if-none-match', 'x-amz-checksum-sha256'] as const)('needs the signed header %s', async (name) => {
    const { [name]: _, ...rest } = headers;
    const answer = await send(await presign('up/missing'), { method: 'PUT', headers: rest as never, body });
    expect([answer.status, codeOf(answer)]).toEqual([403, 'SignatureDoesNotMatch']);
    expect((await send(await presignGet('up/missing'))).status).toBe(404);
  });

  it('refuses another body than the checksum says, and keeps nothing of it', async () => {
    const answer = await send(await presign('up/other'), { method: 'PUT', headers, body: 'an imagf' });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'BadDigest']);
    expect((await send(await presignGet('up/other'))).status).toBe(404);
    expect(await readdir(join(options.dir, 'tmp'))).toEqual([]);
  });

  it('honours a checksum that the presigner moved into the query', async () => {
    const command = new PutObjectCommand({ Bucket: bucket, Key: 'up/hoisted', ChecksumSHA256: sha256 });
    const url = await getSignedUrl(s3, command, { expiresIn: 60 });
    expect(url).toContain('x-amz-checksum-sha256=');
    expect((await send(url, { method: 'PUT', body: 'another body' })).status).toBe(400);
    expect((await send(url, { method: 'PUT', body })).status).toBe(200);
  });

  it('leaves nothing behind when it is cut off', async () => {
    const url = new URL(await presign('up/cut'));
    const socket = connect(Number(url.port), url.hostname);
    const lines = Object.entries({ host: url.host, 'content-length': '1000000', ...headers });
    socket.write(
      `PUT ${url.pathname}${url.search} HTTP/1.1\r\n${lines.map((pair) => pair.join(': ')).join('\r\n')}\r\n\r\n`,
    );
    socket.write(Buffer.alloc(100_000));
    await vi.waitFor(async () => expect(await readdir(join(options.dir, 'tmp'))).toHaveLength(1), 60_000);
    socket.destroy();
    await vi.waitFor(async () => expect(await readdir(join(options.dir, 'tmp'))).toEqual([]), 60_000);
    expect((await send(await presignGet('up/cut'))).status).toBe(404);
  });

  it('needs a length, and refuses what it does not know instead of ignoring it', async () => {
    const chunked = await send(await presign('up/x'), {
      method: 'PUT',
      headers: { ...headers, 'transfer-encoding': 'chunked' },
      body,
    });
    expect([chunked.status, codeOf(chunked)]).toEqual([411, 'MissingContentLength']);
    const tagged = new PutObjectCommand({ Bucket: bucket, Key: 'up/x', Tagging: 'a=b' });
    const refused = await send(await getSignedUrl(s3, tagged), { method: 'PUT', body });
    expect([refused.status, codeOf(refused)]).toEqual([501, 'NotImplemented']);
    const checksums = client(credentials, { requestChecksumCalculation: 'WHEN_SUPPORTED' });
    const crc = checksums.send(new PutObjectCommand({ Bucket: bucket, Key: 'up/x', Body: body }));
    await expect(crc).rejects.toMatchObject({ name: 'NotImplemented' });
  });

  it('waits with 100 Continue until the request has been checked', async () => {
    const url = await presign('up/continue');
    const expecting = (target: string) =>
      new Promise<string>((resolve, reject) => {
        const sent = { ...headers, expect: '100-continue', 'content-length': String(body.length) };
        const outgoing = httpRequest(target, { method: 'PUT', headers: sent }, (incoming) => {
          resolve(`answered ${incoming.statusCode}`);
          outgoing.destroy();
        });
        outgoing.on('continue', () => outgoing.end(body));
        outgoing.on('error', reject);
        outgoing.flushHeaders();
      });
    expect(await expecting(url.replace('up/continue', 'up/elsewhere'))).toBe('answered 403');
    expect(await expecting(url)).toBe('answered 200');
  });
});

describe('ranges', () => {
  it.each([
    ['bytes=0-0', 206, '0'],
    ['bytes=4-', 206, '456789'],
    ['bytes=-3', 206, '789'],
    ['bytes=-300', 206, '0123456789'],
    ['bytes=8-99', 206, '89'],
    ['bytes=5-4', 200, '0123456789'],
    ['bytes=0-1,4-5', 200, '0123456789'],
    ['lines=0-1', 200, '0123456789'],
  ])('%s is answered with %i', async (range, status, body) => {
    await put('digits', '0123456789');
    const answer = await send(await presignGet('digits'), { headers: { range } });
    expect([answer.status, answer.body.toString()]).toEqual([status, body]);
    expect(answer.headers['content-length']).toBe(String(body.length));
  });

  it('beyond the end are answered with 416 and the size', async () => {
    await put('digits', '0123456789');
    for (const range of ['bytes=10-', 'bytes=10-12', 'bytes=-0']) {
      const answer = await send(await presignGet('digits'), { headers: { range } });
      expect([answer.status, codeOf(answer)]).toEqual([416, 'InvalidRange']);
      expect(answer.headers['content-range']).toBe('bytes */10');
    }
  });

  it('are not given of another version than If-Range names', async () => {
    await put('digits', '0123456789');
    const url = await presignGet('digits');
    const { etag = '' } = (await send(url)).headers;
    const same = await send(url, { headers: { range: 'bytes=2-3', 'if-range': etag } });
    expect([same.status, same.body.toString()]).toEqual([206, '23']);
    expect((await send(url, { headers: { range: 'bytes=2-3', 'if-range': '"old"' } })).status).toBe(200);
    expect((await send(url, { headers: { 'if-match': '"old"' } })).status).toBe(412);
    expect((await send(url, { headers: { 'if-none-match': etag } })).status).toBe(304);
  });
});

describe('a URL', () => {
  beforeAll(() => put('secret', 'content'));

  it('works until it expires, and not a second longer', async () => {
    const url = await presignGet('secret', 100);
    skewMs = 99_000;
    const inTime = await send(url);
    skewMs = 102_000;
    const late = await send(url);
    skewMs = 0;
    expect(inTime.status).toBe(200);
    expect([late.status, codeOf(late)]).toEqual([403, 'AccessDenied']);
    expect(late.body.toString()).toContain('<Message>Request has expired</Message>');
  });

  it('is refused when it was made in the future or lives longer than seven days', async () => {
    const url = await presignGet('secret');
    skewMs = -16 * 60_000;
    const early = await send(url);
    skewMs = 0;
    expect(early.body.toString()).toContain('not yet valid');
    for (const expires of ['0', '604801', '-5', '1e3', '99999999999']) {
      const answer = await send(url.replace('X-Amz-Expires=60', `X-Amz-Expires=${expires}`));
      expect([answer.status, codeOf(answer)]).toEqual([400, 'AuthorizationQueryParametersError']);
    }
  });

  const tamperings: [string, (url: string) => string, string][] = [
    [
      'another signature',
      (url) => url.replace(/X-Amz-Signature=./, 'X-Amz-Signature=g'),
      'SignatureDoesNotMatch',
    ],
    [
      'a shorter signature',
      (url) => url.replace(/(X-Amz-Signature=\w{10})\w+/, '$1'),
      'SignatureDoesNotMatch',
    ],
    ['no signature', (url) => url.replace(/&X-Amz-Signature=\w+/, ''), 'AuthorizationQueryParametersError'],
    ['no parameters at all', (url) => url.replace(/\?.*/, ''), 'AccessDenied'],
    ['another key', (url) => url.replace('/secret', '/other'), 'SignatureDoesNotMatch'],
    ['a longer life', (url) => url.replace('Expires=60', 'Expires=600'), 'SignatureDoesNotMatch'],
    ['another date', (url) => url.replace(/X-Amz-Date=\d{8}/, 'X-Amz-Date=20200101'), 'AccessDenied'],
    ['another region', (url) => url.replace('eu-west-1', 'eu-west-2'), 'AuthorizationQueryParametersError'],
    ['another service', (url) => url.replace('%2Fs3%2F', '%2Fsqs%2F'), 'AuthorizationQueryParametersError'],
    ['host unsigned', (url) => url.replace('SignedHeaders=host', 'SignedHeaders=range'), 'AccessDenied'],
    ['a parameter more', (url) => `${url}&response-content-type=text/html`, 'SignatureDoesNotMatch'],
    ['a parameter twice', (url) => `${url}&X-Amz-Expires=60`, 'InvalidArgument'],
    ['a parameter twice in other case', (url) => `${url}&x-amz-expires=60`, 'InvalidArgument'],
    ['a security token', (url) => `${url}&X-Amz-Security-Token=x`, 'InvalidToken'],
    ['broken percent signs', (url) => url.replace('/secret', '/secret%ZZ'), 'InvalidURI'],
  ];
  it.each(tamperings)('with %s is refused', async (_, tamper, code) => {
    const url = await presignGet('secret');
    const answer = await send(tamper(url));
    expect(codeOf(answer)).toBe(code);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body.toString()).toMatch(/^<\?xml .*\n<Error>/);
  });

  it('is for its method only', async () => {
    const answer = await send(await presignGet('secret'), { method: 'PUT', body: 'x' });
    expect(codeOf(answer)).toBe('SignatureDoesNotMatch');
  });

  it('does not carry headers that change the request unless they are signed', async () => {
    const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket: bucket, Key: 'unsigned' }));
    const answer = await send(url, { method: 'PUT', body: 'x', headers: { 'x-amz-acl': 'public-read' } });
    expect(codeOf(answer)).toBe('AccessDenied');
    expect(answer.body.toString()).toContain('<HeadersNotSigned>x-amz-acl</HeadersNotSigned>');
  });
});

describe('keys that attack', () => {
  it.each([
    '../../escape',
    '..%2f..%2fescape',
    '/etc/passwd',
    'a/../../b',
    'nul\0byte',
    'line\r\nbreak: x',
    '<script>&',
    '\\..\\..\\x',
    'é'.repeat(500),
  ])('%j are only names: nothing appears outside the store', async (Key) => {
    const before = await readdir(dir);
    const command = new PutObjectCommand({ Bucket: bucket, Key });
    const put = await send(await getSignedUrl(s3, command), { method: 'PUT', body: Key });
    expect(put.status).toBe(200);
    expect((await send(await presignGet(Key))).body.toString()).toBe(Key);
    expect(await readdir(dir)).toEqual(before);
    expect((await filesIn(join(options.dir, 'objects'))).every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(
      true,
    );
  });

  it('cannot break the XML of an error', async () => {
    const answer = await send(await presignGet('<a>&\0"'));
    expect(answer.body.toString()).toContain('<Key>&lt;a&gt;&amp;?"</Key>');
  });

  it('longer than S3 allows are refused', async () => {
    const answer = await send(await presignGet('k'.repeat(1025)));
    expect([answer.status, codeOf(answer)]).toEqual([400, 'KeyTooLongError']);
  });

  it('that are sent raw, not as a client would encode them, get no other object', async () => {
    await put('safe', 'content');
    const url = await presignGet('safe');
    for (const path of ['/x/../safe', '/./safe', '//safe', '/safe/', '/%2e%2e/firmware/safe']) {
      const answer = await send(url.replace('/safe', path));
      expect(answer.status).toBe(403);
    }
  });
});

describe('a browser', () => {
  const preflight = (origin: string, method = 'PUT') =>
    send(`http://127.0.0.1:${store.httpPort}/${bucket}/x?X-Amz-Signature=1`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'content-type,if-none-match,x-amz-checksum-sha256',
      },
    });

  it('may upload from the console', async () => {
    const answer = await preflight('http://console.test');
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBe('http://console.test');
    expect(answer.headers['access-control-allow-methods']).toContain('PUT');
    expect(answer.headers['access-control-allow-headers']).toContain('x-amz-checksum-sha256');
  });

  it('may not from elsewhere, nor with other methods', async () => {
    const foreign = await preflight('http://evil.test');
    expect([foreign.status, foreign.headers['access-control-allow-origin']]).toEqual([403, undefined]);
    expect((await preflight('http://console.test', 'PATCH')).status).toBe(403);
  });

  it('is told to make no page of what an object holds, whatever the answer is', async () => {
    await put('sniffed', '<script>alert(1)</script>');
    const { href } = new URL(await presignGet('sniffed'));
    const answers = await Promise.all([
      send(href),
      send(href, { method: 'HEAD' }),
      send(href, { headers: { range: 'bytes=0-3' } }),
      send(await presignGet('not-there')),
      send(`http://127.0.0.1:${store.httpPort}/${bucket}/sniffed`),
      preflight('http://console.test'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 206, 404, 403, 200]);
    for (const { headers } of answers) expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it('can read the ETag, and why it was refused', async () => {
    const headers = { origin: 'http://console.test' };
    await put('cors', 'x');
    const good = await send(await presignGet('cors'), { headers });
    expect(good.headers['access-control-expose-headers']).toContain('ETag');
    const bad = await send(`http://127.0.0.1:${store.httpPort}/${bucket}/cors`, { headers });
    expect([bad.status, bad.headers['access-control-allow-origin']]).toEqual([403, 'http://console.test']);
  });
});

describe('the listeners', () => {
  it('serve devices over TLS on one connection', async () => {
    await put('image', 'bytes of an image');
    const secure = client(credentials, { endpoint: `https://127.0.0.1:${store.httpsPort}` });
    const url = await getSignedUrl(secure, new GetObjectCommand({ Bucket: bucket, Key: 'image' }));
    const agent = new Agent({ ca: root, keepAlive: true, maxSockets: 1 });
    const fetchRange = (range: string) =>
      new Promise<[string, boolean]>((resolve, reject) => {
        const outgoing = httpsRequest(url, { agent, headers: { range } }, async (incoming) => {
          let text = '';
          for await (const chunk of incoming) text += chunk;
          resolve([text, outgoing.reusedSocket]);
        });
        outgoing.on('error', reject).end();
      });
    expect(await fetchRange('bytes=0-4')).toEqual(['bytes', false]);
    expect(await fetchRange('bytes=12-')).toEqual(['image', true]);
    agent.destroy();
  });

  it('speak TLS 1.2 and 1.3, nothing older', async () => {
    const handshake = (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
      new Promise((resolve) => {
        const tls = { ca: root, minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
        const socket = tlsConnect({ port: store.httpsPort, host: '127.0.0.1', ...tls }, () => {
          resolve(socket.getProtocol());
          socket.destroy();
        }).on('error', () => resolve('refused'));
      });
    expect(await Promise.all([handshake('TLSv1.1'), handshake('TLSv1.2'), handshake('TLSv1.3')])).toEqual([
      'refused',
      'TLSv1.2',
      'TLSv1.3',
    ]);
  });

  it('report a taken port as it is, and leave nothing open or swept', async () => {
    const taken = createServer();
    const port = await listen(taken);
    const free = holdPort();
    await expect(startStore({ ...options, httpPort: free.port, httpsPort: port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      port,
    });
    const again = createServer();
    await listen(again, free.port);
    free.release();
    await Promise.all([taken, again].map((server) => new Promise((resolve) => server.close(resolve))));
  });

  it('keep what was stored across a restart, and close with connections open', async () => {
    const here = { ...options, dir: join(dir, 'restart') };
    const first = await startStore(here);
    const other = client(credentials, { endpoint: `http://127.0.0.1:${first.httpPort}` });
    await other.send(new PutObjectCommand({ Bucket: bucket, Key: 'kept', Body: 'still here' }));
    const mute = await Promise.all([first.httpPort, first.httpsPort].map(connected));
    const started = performance.now();
    await first.close();
    // Node keeps a connection that is idle for five.
    expect(performance.now() - started).toBeLessThan(4_000);
    for (const socket of mute) socket.destroy();
    other.destroy();
    const second = await startStore(here);
    const reader = client(credentials, { endpoint: `http://127.0.0.1:${second.httpPort}` });
    const answer = await reader.send(new GetObjectCommand({ Bucket: bucket, Key: 'kept' }));
    expect(await answer.Body!.transformToString()).toBe('still here');
    reader.destroy();
    await second.close();
    const [file = ''] = await filesIn(join(here.dir, 'objects'));
    const raw = await readFile(join(here.dir, 'objects', file.slice(0, 2), file), 'utf8');
    expect(raw.endsWith('still here')).toBe(true);
  });
});
