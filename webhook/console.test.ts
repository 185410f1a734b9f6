import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
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
