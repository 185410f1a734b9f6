/** The console with a fleet of 10,000 in one list. */
import { execFileSync } from 'node:child_process';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hardware } from '../lab/fleet/devices.ts';
import { importDevices } from '../lab/rest.ts';
import { openBrowser, startTestSystem, type TestSystem } from '../lab/testing.ts';
import { logIn } from './browser-scene.ts';

let system: TestSystem;
let browser: Browser;
let page: Page;
const nameOf = (n: number) => `Sensor ${String(n).padStart(4, '0')}`;

beforeAll(async () => {
  const root = new URL('../../', import.meta.url).pathname;
  const build = ['vite', 'build', '--config', 'console/vite.config.ts', '--logLevel', 'error'];
  execFileSync('npx', build, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  [system, browser] = await Promise.all([startTestSystem(), openBrowser()]);
  const lines = Array.from({ length: 10_000 }, (_, n) => `sensor-${n + 10_000},${hardware},${nameOf(n)},,,`);
  await importDevices(system.stack, lines);
  ({ page } = await logIn(browser, system.stack.url, system.stack.admin, { locale: 'en-US' }));
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await system?.close();
});

it('10,000 devices are one list: every part of it is there when it is scrolled to, and little else', async () => {
  await page.goto(`${system.stack.url}/devices`);
  await page.getByTestId('device-count').getByText('10,000 devices').waitFor();
  for (const share of [0, 0.2, 0.7, 0.4, 1]) {
    await page.evaluate((to) => {
      window.scrollTo(0, to * (document.documentElement.scrollHeight - window.innerHeight));
    }, share);
    const shown = nameOf(Math.min(9_999, Math.round(share * 10_000) + 5));
    await page.getByRole('link', { name: shown, exact: true }).waitFor();
    expect(await page.locator('tbody tr').count()).toBeLessThan(80);
  }
});

it('one of 10,000 is found at once, and the list begins at its top again', async () => {
  await page.keyboard.press('/');
  await page.keyboard.type('Sensor 7777');
  await page.getByTestId('device-count').getByText('1 device').waitFor();
  await page.getByRole('link', { name: 'Sensor 7777', exact: true }).waitFor();
  expect(await page.evaluate(() => window.scrollY)).toBe(0);
});
