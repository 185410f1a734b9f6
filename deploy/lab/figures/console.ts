/** The console in a real browser: what its first page weighs, when it can be used, and whether a long list scrolls smoothly. */
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { logIn } from '../../local/browser-scene.ts';
import { listen } from '../primitives/listen.ts';
import { importDevices } from '../rest.ts';
import { openBrowser, startTestSystem } from '../testing.ts';
import { type Figures, median } from './figures.ts';

const rounds = 15;
const devices = 10_000;
/** The promise for the first page's JavaScript, and for a frame of a scroll. */
const aimBytes = 80_000;
const longFrameMs = 50;
/** Of the devices page on a slow line: 200 kB/s, each answer 400 ms away. */
const aimSlowMs = 2_000;
const slowRounds = 5;
const slowLine = { offline: false, latency: 400, downloadThroughput: 200_000, uploadThroughput: 200_000 };

// As text: what runs in the page must not be touched by what makes TypeScript run here.
const usableScript = `new Promise((resolve) => {
  const look = () => {
    const there = document.querySelector('main h1') && !document.querySelector('.loading');
    // The frame after this one shows it.
    requestAnimationFrame(there ? () => resolve(performance.now()) : look);
  };
  look();
})`;
const scrollScript = `new Promise((resolve) => {
  const frames = [];
  const end = document.documentElement.scrollHeight - innerHeight;
  let before = performance.now();
  let step = 60;
  const next = (now) => {
    frames.push(now - before);
    before = now;
    if (scrollY >= end - 1) return resolve(frames.slice(2));
    step *= 1.01;
    scrollBy(0, step);
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})`;

export async function measureConsole(): Promise<Figures> {
  const root = new URL('../../../', import.meta.url).pathname;
  const build = ['vite', 'build', '--config', 'console/vite.config.ts', '--logLevel', 'error'];
  execFileSync('npx', build, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const system = await startTestSystem();
  const browser = await openBrowser();
  try {
    const lines = Array.from({ length: devices }, (_, i) => `device-${i},esp32-s3,Device ${i},,,`);
    await importDevices(system.stack, lines);
    const { page } = await logIn(browser, system.stack.url, system.stack.admin);
    const files = await loadedFiles(page, `${system.stack.url}/`);
    const bytes = files.scripts.reduce((sum, script) => sum + gzipSync(script, { level: 9 }).length, 0);
    const slow = await measureSlowLine(page, `${system.stack.url}/devices`);
    const [usable, plain] = await measureUsable(page, system.stack.url, files.bytes);
    await page.goto(`${system.stack.url}/devices`);
    await page.locator('tbody tr.row a').first().waitFor();
    const frames = await scrollThrough(page);
    const long = frames.filter((ms) => ms > longFrameMs).length;
    const round = (value: number) => Math.round(value * 100) / 100;
    return {
      'console.first_page_script': {
        value: bytes,
        unit: 'bytes of gzip',
        baseline: aimBytes,
        ratio: round(aimBytes / bytes),
        aim: 1,
      },
      'console.usable': {
        value: round(usable),
        unit: 'ms from navigation to usable',
        baseline: round(plain),
        ratio: round(plain / usable),
        aim: 0.33,
      },
      'console.devices_slow_line': {
        value: round(slow),
        unit: 'ms from navigation to the first row of devices at 200 kB/s and 400 ms, nothing cached',
        baseline: aimSlowMs,
        ratio: round(aimSlowMs / slow),
        aim: 1,
      },
      'console.scroll_long_frames': {
        value: long,
        unit: `frames over ${longFrameMs} ms among ${frames.length} of a scroll through ${devices} rows; the longest ${Math.round(Math.max(...frames))} ms`,
        baseline: frames.length,
        ratio: round(1 - long / frames.length),
        aim: 1,
      },
    };
  } finally {
    await browser.close();
    await system.close();
  }
}

/** The scripts that the first page loads, and how much it loads in all (unpacked). */
async function loadedFiles(page: Page, url: string): Promise<{ scripts: Buffer[]; bytes: number }> {
  const scripts: Buffer[] = [];
  let bytes = 0;
  const take = async (response: Awaited<ReturnType<Page['waitForResponse']>>) => {
    if (/\/api\//.test(response.url())) return;
    const body = await response.body().catch(() => Buffer.alloc(0));
    bytes += body.length;
    if (/\.js$/.test(response.url())) scripts.push(body);
  };
  page.on('response', take);
  await page.goto(url);
  await page.locator('main h1').waitFor();
  await page.waitForLoadState('networkidle', { timeout: 2_000 }).catch(() => {});
  page.off('response', take);
  return { scripts, bytes };
}

/** Medians, in turns: the console's first page until its title is there, and a static page of as many bytes from a bare server. */
async function measureUsable(page: Page, url: string, bytes: number): Promise<[number, number]> {
  const html = `<!doctype html><title>Plain</title><main><h1>Plain</h1></main><!--${'x'.repeat(bytes)}-->`;
  const server = createServer((_, answer) =>
    answer.writeHead(200, { 'content-type': 'text/html' }).end(html),
  );
  const plainUrl = `http://127.0.0.1:${await listen(server)}/`;
  const until = async (where: string) => {
    await page.goto(where, { waitUntil: 'commit' });
    return page.evaluate<number>(usableScript);
  };
  try {
    const [console_, plain]: [number[], number[]] = [[], []];
    for (let i = 0; i < rounds; i += 1) {
      plain.push(await until(plainUrl));
      console_.push(await until(`${url}/`));
    }
    return [median(console_), median(plain)];
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** The median of visits by a browser that has the session and nothing else. */
async function measureSlowLine(page: Page, url: string): Promise<number> {
  const storageState = await page.context().storageState();
  const times: number[] = [];
  for (let i = 0; i < slowRounds; i += 1) {
    const context = await page.context().browser()!.newContext({ storageState });
    const visit = await context.newPage();
    const session = await context.newCDPSession(visit);
    await session.send('Network.enable');
    await session.send('Network.emulateNetworkConditions', slowLine);
    await visit.goto(url, { waitUntil: 'commit' });
    await visit.locator('tbody tr.row a').first().waitFor();
    times.push(await visit.evaluate<number>('performance.now()'));
    await context.close();
  }
  return median(times);
}

/** Scrolls with every frame, ever faster, from the first row to the last; answers how long each frame took. */
function scrollThrough(page: Page): Promise<number[]> {
  return page.evaluate<number[]>(scrollScript);
}
