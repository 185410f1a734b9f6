/** Serves what the console's build has made: files by name (hashed ones for good), and index.html for every page. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serveStatic } from '@hono/node-server/serve-static';
import { languageDetector } from 'hono/language';
import type { AppEnv, createRouter } from './http.ts';

/** Which language a browser will speak: the one chosen in it before, or what it says of itself. */
const spoken = languageDetector({
  order: ['cookie', 'header'],
  lookupCookie: 'flota_language',
  caches: false,
  supportedLanguages: ['en', 'ko'],
  fallbackLanguage: 'en',
});

/** Written by the build (`console/write-beginnings.ts`): the files of each language and page, and what pages ask for first. */
interface Beginnings {
  languages: Record<string, string[]>;
  pages: { path: string; files: string[]; asks: string[] }[];
}

export function serveConsole(app: ReturnType<typeof createRouter>, dir: string): void {
  app.use('/assets/*', async (c, next) => {
    await next();
    if (c.res.ok) c.header('Cache-Control', 'public, max-age=31536000, immutable');
  });
  // The page names the files of its build, so each visit asks whether it is still this one.
  app.use('*', async (c, next) => {
    await next();
    if (c.res.headers.get('Content-Type')?.startsWith('text/html') && !c.res.headers.has('Cache-Control'))
      c.header('Cache-Control', 'no-cache');
  });
  const files = serveStatic<AppEnv>({ root: dir, precompressed: true });
  app.use('*', (c, next) => (c.req.path === '/' ? next() : files(c, next)));
  app.get('*', spoken, async (c, next) => {
    const index = join(dir, 'index.html');
    if (c.req.path.startsWith('/assets/') || !existsSync(index)) return next();
    const html = await readFile(index, 'utf8');
    const links = linksOf(await readBeginnings(dir), new URL(c.req.url), c.get('language'));
    return c.html(html.replace('<script', () => `${links.join('\n    ')}\n    <script`));
  });
}

async function readBeginnings(dir: string): Promise<Beginnings> {
  const file = join(dir, 'beginnings.json');
  return existsSync(file) ? JSON.parse(await readFile(file, 'utf8')) : { languages: {}, pages: [] };
}

/**
 * On a slow line each request that waits for another costs as much as all the rest, so the document names what its page's code would
 * ask for in its turn: the page's files, the words, the first rows.
 */
function linksOf({ languages, pages }: Beginnings, url: URL, language: string): string[] {
  const begun = pages.filter(({ path }) => new RegExp(path).test(url.pathname));
  const files = new Set([...begun.flatMap((page) => page.files), ...(languages[language] ?? [])]);
  const asks = url.search ? [] : begun.flatMap((page) => page.asks);
  return [
    ...[...files].map((file) => `<link rel="modulepreload" crossorigin href="${file}">`),
    ...asks.map(
      (ask) => `<link rel="preload" as="fetch" crossorigin href="${ask.replaceAll('&', '&amp;')}">`,
    ),
  ];
}
