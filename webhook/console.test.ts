import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { compress } from 'hono/compress';
import { afterAll, describe, expect, test } from 'vitest';
import { serveConsole } from './console.ts';
import { createRouter } from './http.ts';

const dir = mkdtempSync(join(tmpdir(), 'flota-console-'));
afterAll(() => rmSync(dir, { recursive: true }));
writeFileSync(join(dir, 'index.html'), '<!doctype html><head><script src="/assets/main.js"></script></head>');
writeFileSync(
  join(dir, 'beginnings.json'),
  JSON.stringify({
    languages: { en: ['/assets/en.js'], ko: ['/assets/ko.js'] },
    pages: [
      { path: '^\\/$', files: ['/assets/overview.js'], asks: ['/api/overview'] },
      { path: '^\\/devices$', files: ['/assets/devices.js'], asks: ['/api/devices?limit=100&offset=0'] },
    ],
  }),
);
const app = createRouter();
app.use(compress());
serveConsole(app, dir);
const named = async (path: string, headers: Record<string, string> = {}) => {
  const html = await (await app.request(path, { headers })).text();
  expect(html).toContain('<script src="/assets/main.js">');
  return [...html.matchAll(/<link [^>]*href="([^"]+)"/g)].map((match) => match[1]);
};

test('the document names the files of its page, the words, and what the page asks for first', async () => {
  expect(await named('/')).toEqual(['/assets/overview.js', '/assets/en.js', '/api/overview']);
  expect(await named('/devices')).toEqual([
    '/assets/devices.js',
    '/assets/en.js',
    '/api/devices?limit=100&amp;offset=0',
  ]);
});

test('of a list with filters it cannot know what is asked for, and of a page unknown to it only the words', async () => {
  expect(await named('/devices?q=%22%3E%3Cscript%3E')).toEqual(['/assets/devices.js', '/assets/en.js']);
  expect(await named('/somewhere')).toEqual(['/assets/en.js']);
});

test.each([
  ['the browser says', { 'accept-language': 'fr, ko-KR;q=0.9, en;q=0.5' }, 'ko'],
  ['was chosen before', { 'accept-language': 'ko', cookie: 'flota_language=en' }, 'en'],
  ['is neither of ours', { 'accept-language': 'fr', cookie: 'flota_language=../../x' }, 'en'],
])('the words are of the language that %s', async (_, headers, language) => {
  expect(await named('/devices', headers)).toContain(`/assets/${language}.js`);
});

test('a build that says nothing of its beginnings is served as it is', async () => {
  rmSync(join(dir, 'beginnings.json'));
  expect(await named('/devices')).toEqual([]);
});

describe('a file of the build', () => {
  const file = `export const x = '${'x'.repeat(2_000)}';`;
  mkdirSync(join(dir, 'assets'));
  writeFileSync(join(dir, 'assets/main.js'), file);
  writeFileSync(join(dir, 'assets/main.js.br'), 'as brotli');
  writeFileSync(join(dir, 'assets/main.js.gz'), 'as gzip');
  writeFileSync(join(dir, 'assets/lab.js'), file);
  const get = async (name: string, accepted: string) => {
    const response = await app.request(`/assets/${name}`, { headers: { 'accept-encoding': accepted } });
    return {
      status: response.status,
      body: Buffer.from(await response.arrayBuffer()),
      ...headersOf(response),
    };
  };
  const headersOf = ({ headers }: Response) => ({
    type: headers.get('content-type'),
    encoding: headers.get('content-encoding'),
    length: headers.get('content-length'),
    vary: headers.get('vary'),
    kept: headers.get('cache-control'),
  });
  const whole = {
    ...{ status: 200, type: 'text/javascript; charset=utf-8' },
    kept: 'public, max-age=31536000, immutable',
  };

  test.each([
    ['gzip, deflate, br, zstd', 'br', 'as brotli'],
    ['gzip, deflate', 'gzip', 'as gzip'],
  ])('that the build has packed is served so to whoever takes %s', async (accepted, encoding, packed) => {
    expect(await get('main.js', accepted)).toEqual({
      ...{ ...whole, encoding, vary: 'Accept-Encoding' },
      ...{ body: Buffer.from(packed), length: String(packed.length) },
    });
  });

  test('is served as it is to whoever takes it no other way', async () => {
    const plain = await get('main.js', 'identity');
    expect(plain).toMatchObject({ ...whole, encoding: null, length: String(file.length) });
    expect(plain.body.toString()).toBe(file);
  });

  test('that is not packed, as in `npm start`, is packed for each who takes it', async () => {
    const hasty = await get('lab.js', 'gzip, br');
    expect(hasty).toMatchObject({ ...whole, encoding: 'gzip' });
    expect(gunzipSync(hasty.body).toString()).toBe(file);
  });
});
