import { execFileSync } from 'node:child_process';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildImage } from '#firmware/virtual/image.ts';
import { openBrowser, startTestSystem, type TestSystem } from './testing.ts';

let system: TestSystem;
let browser: Browser;
let page: Page;
const faults: string[] = [];

beforeAll(async () => {
  const root = new URL('../../', import.meta.url).pathname;
  const build = ['vite', 'build', '--config', 'console/vite.config.ts', '--logLevel', 'warn'];
  execFileSync('npx', build, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  system = await startTestSystem();
  await system.start(3, { bytesPerSecond: 600_000 });
  browser = await openBrowser();
  page = await browser.newPage({ locale: 'en-US', viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(15_000);
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
});
afterAll(async () => {
  await browser?.close();
  await system?.close();
});

it('an admin logs in, registers a firmware, deploys it, and sees every device turn green', async () => {
  await page.goto(system.stack.url);
  await page.getByLabel('Email').fill(system.stack.admin.email);
  await page.getByLabel('Password').fill(system.stack.admin.password);
  await page.getByRole('button', { name: 'Log in' }).click();

  await page.getByRole('link', { name: 'Register firmware' }).first().click();
  const image = buildImage({ version: '3.0.0', sizeBytes: 1024 * 1024, selfTest: 'pass', seed: 8 });
  await page
    .getByTestId('file')
    .setInputFiles({ name: 'thermostat.bin', mimeType: 'application/octet-stream', buffer: image });
  await page.getByLabel('Name', { exact: true }).fill('Thermostat');
  await page.getByLabel('Version', { exact: true }).fill('3.0.0');
  await page.getByLabel('Release note').fill('Warmer.');
  await page.getByRole('button', { name: 'Upload and register' }).click();

  await page.waitForURL(/\/firmware\/[0-9a-f-]{36}$/);
  await page.getByRole('heading', { name: /Thermostat/ }).waitFor();
  expect(await page.getByText('Warmer.').count()).toBeGreaterThan(0);

  await page.getByRole('link', { name: 'Deploy', exact: true }).click();
  await page.getByTestId('pick-regions').getByLabel(/Busan/).check();
  await page.getByTestId('pick-regions').getByLabel(/Seoul/).check();
  await page.getByText('3 devices get it').waitFor();
  await page.getByTestId('request').click();

  await page.waitForURL(/\/deployments\/[0-9a-f-]{36}$/);
  // Nobody reloads: the page follows by itself.
  await page.locator('[data-state="downloading"]').first().waitFor();
  await expect
    .poll(() => page.locator('[data-testid="target"][data-state="succeeded"]').count(), { timeout: 20_000 })
    .toBe(3);
  await page.locator('[data-state="completed"]').first().waitFor();
  // The first /api/me of somebody who is not logged in is refused, and the browser logs that.
  expect(faults.filter((fault) => !fault.includes('401'))).toEqual([]);
});

it('a download gives back the very file', async () => {
  await page.goto(`${system.stack.url}/firmware`);
  await page
    .getByRole('link', { name: /Thermostat/ })
    .first()
    .click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page
      .getByRole('button', { name: 'Download' })
      .or(page.getByRole('link', { name: 'Download' }))
      .click(),
  ]);
  expect(download.suggestedFilename()).toBe('thermostat.bin');
});
