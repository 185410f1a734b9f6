/** The console in a real browser against a whole Flota: one system and one browser for all. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildImage } from '#firmware/virtual/image.ts';
import { clientId, clientSecret, startIssuer, type TestIssuer } from '#webhook/auth/oidc/testing-issuer.ts';
import { espImage } from '#webhook/firmware/testing-images.ts';
import { type Fleet, hardware } from '../lab/fleet/devices.ts';
import { until } from '../lab/primitives/until.ts';
import { importDevices, unwrap } from '../lab/rest.ts';
import { openBrowser, startTestSystem, type TestSystem } from '../lab/testing.ts';
import { findViolations } from './browser-axe.ts';
import { type Line, openLine } from './browser-proxy.ts';
import {
  addFirmware,
  addUser,
  logIn,
  openSession,
  patienceMs,
  reportChild,
  reportRunning,
  sendEvent,
  submitLogin,
} from './browser-scene.ts';
import { openShell } from './browser-shell.ts';
import { buildConsole } from './console-build.ts';

vi.setConfig({ testTimeout: 3 * patienceMs, hookTimeout: 4 * patienceMs });

let system: TestSystem;
let fleet: Fleet;
let browser: Browser;
/** Of the single sign-on. */
let issuer: TestIssuer;
/** An admin's page in English, kept from test to test, as a person would. */
let page: Page;
let faults: string[];
/** What lies between the system and a browser whose connection is to break. */
let line: Line;
/** Kept, too. */
let overLine: Page;
const at = (path: string) => `${system.stack.url}${path}`;

beforeAll(async () => {
  await buildConsole();
  issuer = await startIssuer();
  const oidc = {
    ...{ issuer: issuer.url, clientId, clientSecret, roleClaim: 'groups', button: 'Company account' },
    roles: new Map([['flota-ops', { role: 'operator' as const, holds: null }]]),
  };
  [system, browser, line] = await Promise.all([startTestSystem({ oidc }), openBrowser(), openLine()]);
  issuer.register(system.stack.url);
  fleet = await system.start(3, {
    bytesPerSecond: 600_000,
    timing: { telemetryMs: 10_000, reconnectMaxMs: 2_000 },
  });
  ({ page, faults } = await logIn(browser, system.stack.url, system.stack.admin, { locale: 'en-US' }));
  const proxy = { server: line.server };
  const { url, admin } = system.stack;
  overLine = (await logIn(browser, url, admin, { locale: 'en-US', proxy })).page;
});
afterAll(async () => {
  await browser?.close();
  await line?.close();
  await system?.close();
  await issuer?.close();
});

const fileOf = (name: string, buffer: Buffer) => ({ name, mimeType: 'application/octet-stream', buffer });
const targets = (state: string) => page.locator(`[data-testid="target"][data-state="${state}"]`);

it('a tab that is older than the console it comes from loads the new one, where it was going', async () => {
  await page.goto(at('/firmware'));
  await page.getByRole('link', { name: 'Register firmware' }).first().waitFor();
  let refused = 0;
  await page.route(
    /\/assets\/certificates-.*\.js$/,
    (route) => {
      refused += 1;
      return route.fulfill({ status: 404 });
    },
    { times: 1 },
  );
  await page.getByRole('link', { name: 'Certificates' }).click();
  await page.getByRole('heading', { name: 'Certificates' }).waitFor();
  expect(refused).toBe(1);
  // Of the file that was refused.
  faults.length = 0;
});

describe('registering', () => {
  it('hashes beside the page, sends the file in three steps and registers it', async () => {
    await page.goto(at('/firmware'));
    await page.getByRole('link', { name: 'Register firmware' }).first().click();
    const image = buildImage({ version: '3.0.0', sizeBytes: 1024 * 1024, selfTest: 'pass', seed: 8 });
    const worker = page.waitForEvent('worker');
    await page.getByTestId('file').setInputFiles(fileOf('thermostat.bin', Buffer.from(image)));
    expect((await worker).url()).toContain('digest-worker');
    await page.getByLabel('Name', { exact: true }).fill('Thermostat');
    await page.getByLabel('Version', { exact: true }).fill('3.0.0');
    await page.getByLabel('Release note').fill('Warmer.');
    await page.getByRole('button', { name: 'Upload and register' }).click();
    await page.waitForURL(/\/firmware\/[0-9a-f-]{36}$/);
    await page.getByRole('heading', { name: /Thermostat/ }).waitFor();
    expect(await page.getByText('Warmer.').count()).toBeGreaterThan(0);
  });

  it('reads the image: refuses what is no firmware, fills in what it says, and tells what differs', async () => {
    await page.goto(at('/firmware/new'));
    await page.getByText('At most 256 MiB').waitFor();
    const png = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
    await page.getByTestId('file').setInputFiles(fileOf('picture.bin', png));
    await page.getByText('This is a PNG file, not a firmware image.').waitFor();
    const about = { version: '7.1.0', project: 'thermostat', securityVersion: 2, idf: 'v5.5.1' };
    const image = espImage(5, about);
    await page.getByTestId('file').setInputFiles(fileOf('app.bin', image));
    await page.getByText('ESP-IDF application · thermostat · 7.1.0 · esp32-c3 · v5.5.1').waitFor();
    const version = page.getByLabel('Version', { exact: true });
    const hardware = page.getByLabel('Hardware', { exact: true });
    const security = page.getByLabel('Security version', { exact: true });
    expect([await version.inputValue(), await hardware.inputValue()]).toEqual(['7.1.0', 'esp32-c3']);
    expect(await security.inputValue()).toBe('2');
    await version.fill('7.2.0');
    await page.getByText('The image contains version 7.1.0, not 7.2.0.').waitFor();
    await hardware.fill('esp32-s3');
    await page.getByText('The image is for esp32-c3; hardware esp32-s3 has a different chip.').waitFor();
    await page.getByRole('button', { name: 'Upload and register' }).click();
    expect(await version.evaluate((field) => field === document.activeElement)).toBe(true);
    // What somebody has typed stays; what the image has filled in follows the next one.
    await hardware.fill('esp32-c3');
    await version.fill('7.1.0');
    await page.getByTestId('file').setInputFiles(fileOf('app.bin', espImage(5, { version: '7.3.0' })));
    await page.getByText('ESP-IDF application · 7.3.0').waitFor();
    expect([await version.inputValue(), await security.inputValue()]).toEqual(['7.3.0', '0']);
  });

  it('tells a duplicate before anything is sent', async () => {
    let sent = 0;
    await page.route(/X-Amz-Signature/, (route) => {
      sent += 1;
      return route.continue();
    });
    await page.goto(at('/firmware/new'));
    await page.getByRole('button', { name: 'Upload and register' }).click();
    // What is missing first comes first, and is where the keyboard is.
    await page.getByText('Choose a file first.').waitFor();
    expect(await page.getByTestId('file').evaluate((input) => input === document.activeElement)).toBe(true);
    await page.getByTestId('file').setInputFiles(fileOf('thermostat.bin', Buffer.from('again')));
    await page.getByLabel('Version', { exact: true }).fill('3.0.0');
    await page.getByText('Version 3.0.0 of thermostat.bin is registered already', { exact: false }).waitFor();
    await page.getByRole('button', { name: 'Upload and register' }).click();
    expect(new URL(page.url()).pathname).toBe('/firmware/new');
    expect(sent).toBe(0);
    await page.unroute(/X-Amz-Signature/);
  });

  it('goes on after the connection broke in the middle of 12 MB, and after a cancel', async () => {
    const own = overLine;
    await own.goto(at('/firmware/new'));
    await own.getByTestId('file').setInputFiles(fileOf('large.bin', Buffer.alloc(12 * 1024 * 1024, 7)));
    await own.getByTestId('file-sha256').waitFor();
    await own.getByLabel('Version', { exact: true }).fill('12.0');

    const bar = own.getByTestId('upload').getByRole('progressbar');
    const share = async () => Number(await bar.getAttribute('aria-valuenow'));
    const halfway = () => until(share, (percent) => percent > 10 && percent < 90);
    line.setUploadRate(3 * 1024 * 1024);
    await own.getByRole('button', { name: 'Upload and register' }).click();
    await halfway();
    line.cut();
    await own.getByText('The connection was lost during the upload', { exact: false }).waitFor();

    line.mend();
    await own.getByRole('button', { name: 'Try again' }).first().click();
    await halfway();
    await own.getByTestId('upload').getByRole('button', { name: 'Cancel' }).click();
    await own.getByText('Cancelled. Nothing was registered.').waitFor();

    line.setUploadRate(null);
    await own.getByRole('button', { name: 'Try again' }).first().click();
    await own.waitForURL(/\/firmware\/[0-9a-f-]{36}$/);
  });
});

describe('deploying', () => {
  it('adds up regions, divisions and devices, and shows who gets it before it is asked for', async () => {
    await page.goto(at('/firmware'));
    await page.getByRole('link', { name: /Thermostat/ }).click();
    await page.getByRole('link', { name: 'Deploy', exact: true }).click();
    await page.getByTestId('pick-regions').getByLabel(/Busan/).check();
    await page.getByText('2 devices get it').waitFor();
    const devices = page.getByTestId('pick-devices');
    await devices.locator('summary').click();
    await devices.getByLabel(/device-002/).check();
    await page.getByText('3 devices get it').waitFor();
    expect(await page.getByTestId('summary-regions').innerText()).toContain('Busan');
    expect(await page.getByTestId('summary-devices').innerText()).toContain('device-002');
    // Careful by default: one device first.
    expect(await page.getByTestId('forecast-wave').first().innerText()).toContain('Wave 1: 1 device');
    await page.getByTestId('plan-waves').getByRole('button', { name: 'All at once' }).click();
    await until(
      () => page.getByTestId('forecast-wave').count(),
      (waves) => waves === 1,
    );
    expect(await findViolations(page)).toEqual([]);
  });

  it('goes by keyboard from the first region to the request in few stops, and by arrows within a list', async () => {
    // Beside the other page, whose form is filled in already.
    const own = await page.context().newPage();
    await own.goto(page.url());
    const regions = own.getByTestId('pick-regions').getByRole('checkbox');
    await regions.first().focus();
    await own.keyboard.press('ArrowDown');
    expect(await regions.nth(1).evaluate((box) => box === document.activeElement)).toBe(true);
    await own.keyboard.press('Home');
    await own.keyboard.press('Space');
    await own.getByText(/gets? it$/).waitFor();
    await own.waitForFunction("!document.querySelector('[data-testid=request]').disabled");
    let stops = 0;
    const atRequest = "document.activeElement.dataset.testid === 'request'";
    for (; stops < 30 && !(await own.evaluate(atRequest)); stops += 1) await own.keyboard.press('Tab');
    expect(stops).toBeLessThanOrEqual(15);
    await own.close();
  });

  it('marks a plan that cannot be, and asks nothing of the server until it is mended', async () => {
    await page.getByTestId('plan-policy').locator('summary').click();
    await page.getByLabel('Failure limit').fill('120');
    await page.getByText('Enter a number from 0 to 100').waitFor();
    await page.getByTestId('forecast-presence').waitFor({ state: 'detached' });
    await page.getByText('Fix the marked fields', { exact: false }).waitFor();
    expect(await page.getByTestId('request').isDisabled()).toBe(true);
    await page.getByLabel('Failure limit').fill('20');
  });

  it('is followed to the end, live, with every step of a device', async () => {
    // Or a slow page would come when all is over.
    fleet.setSpeed('device-001', 20_000);
    await page.getByTestId('request').click();
    await page.waitForURL(/\/deployments\/[0-9a-f-]{36}$/);
    // Nobody reloads: the page follows by itself.
    await targets('downloading').first().waitFor();
    fleet.setSpeed('device-001', null);
    await page.getByRole('button', { name: 'Timeline of device-001' }).click();
    await until(
      () => targets('succeeded').count(),
      (count) => count === 3,
    );
    await page.locator('[data-state="completed"]').first().waitFor();
    const steps = page.getByRole('list', { name: 'Timeline of device-001' });
    await steps.locator('[data-state="succeeded"]').first().waitFor();
    expect(faults).toEqual([]);
  });

  it('says who is left out and why', async () => {
    await page.goto(at('/firmware'));
    await page.getByRole('link', { name: /Thermostat/ }).click();
    await page.getByRole('link', { name: 'Deploy', exact: true }).click();
    await page.getByTestId('pick-regions').getByLabel(/Busan/).check();
    await page.getByText('2 excluded: up to date').waitFor();
    expect(await page.getByTestId('request').isDisabled()).toBe(true);
  });

  it('takes a policy that is kept under a name, in place of what is typed', async () => {
    const policy = { waves: [{ count: 1 }, { count: 2 }, { percent: 100 }] };
    const { id } = await unwrap(system.rest.api.policies.$post({ json: { name: 'Night shift', policy } }));
    await page.goto(at('/firmware'));
    await page.getByRole('link', { name: /Thermostat/ }).click();
    await page.getByRole('link', { name: 'Deploy', exact: true }).click();
    await page.getByTestId('pick-regions').getByLabel(/Busan/).check();
    await page.getByTestId('pick-regions').getByLabel(/Seoul/).check();
    const named = page.getByTestId('plan-named').getByLabel('Policy');
    await named.selectOption('Night shift');
    await page.getByTestId('plan-waves').waitFor({ state: 'detached' });
    await page.getByTestId('summary-plan').getByText('Night shift').waitFor();
    expect(await findViolations(page)).toEqual([]);
    await named.selectOption('Set here');
    await page.getByTestId('plan-waves').waitFor();
    await system.rest.api.policies[':id'].$delete({ param: { id } });
  });

  it('offers the firmware of a part on a device to those alone that report the part', async () => {
    const uno = { component: 'uno', hardware: 'arduino-uno' };
    const ids = ['gateway-1', 'gateway-2'];
    await importDevices(
      system.stack,
      ids.map((id) => `${id},${hardware},,,,`),
    );
    await reportChild(system.stack, 'gateway-1', uno);
    await reportChild(system.stack, 'gateway-2', { ...uno, hardware: 'arduino-mega' });
    const firmwareId = await addFirmware(system.rest, { version: '1.1.0', name: 'Sketch', child: uno });
    await page.goto(at(`/firmware/${firmwareId}/deploy`));
    await page
      .getByText('Only devices that report a component uno of hardware arduino-uno', { exact: false })
      .waitFor();
    const devices = page.getByTestId('pick-devices');
    await devices.locator('summary').click();
    await devices.getByLabel('gateway-1').waitFor();
    expect(await devices.getByRole('checkbox').count()).toBe(1);
    await devices.getByText('4 devices that do not report it are left out').waitFor();
    await page.getByLabel('Every device that reports a component uno of hardware arduino-uno').check();
    await page.getByText('1 device gets it').waitFor();
    expect(await page.getByTestId('summary-every').innerText()).toContain('component uno');
    // The virtual devices have no such part.
    await page.getByTestId('pick-regions').getByLabel(/Busan/).check();
    await page.getByText('2 excluded: no such component').waitFor();
    expect(await findViolations(page)).toEqual([]);

    await page.goto(at('/devices?search=gateway'));
    await page
      .getByRole('row', { name: /gateway-1/ })
      .getByText('1.0.0, uno 1.0.0')
      .waitFor();
    await page.getByRole('link', { name: 'gateway-1' }).click();
    await page.getByRole('row', { name: /^uno arduino-uno 1\.0\.0/ }).waitFor();
    for (const id of ids) await system.rest.api.devices[':id'].$delete({ param: { id } });
  });

  it('halts a bad image after its first wave, says so, and can be resumed, paused and cancelled', async () => {
    const firmwareId = await addFirmware(system.rest, {
      version: '3.1.0',
      sizeBytes: 100_000,
      selfTest: 'fail',
    });
    await page.goto(at(`/firmware/${firmwareId}/deploy`));
    await page.getByTestId('pick-regions').getByLabel(/Busan/).check();
    await page.getByTestId('pick-regions').getByLabel(/Seoul/).check();
    await page.getByTestId('plan-waves').getByRole('button', { name: 'One first' }).click();
    await page.getByText('3 devices get it').waitFor();
    await page.getByTestId('request').click();
    await page.getByTestId('halt').getByText('too many failures in wave 1', { exact: false }).waitFor();
    expect(await page.locator('.head [data-state="halted"]').innerText()).toBe('Halted');
    expect(await page.getByTestId('wave-line').count()).toBe(2);
    // Failing devices come first; the list comes with another answer than the halt.
    await until(
      () => page.getByTestId('target').first().getAttribute('data-state'),
      (state) => state === 'rolled_back',
    );
    expect(await findViolations(page)).toEqual([]);

    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Leave it halted' }).click();
    await page.getByRole('button', { name: 'Cancel deployment' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('2 devices are still waiting', { exact: false }).waitFor();
    await dialog.getByRole('button', { name: 'Cancel deployment' }).click();
    await page.locator('.head [data-state="cancelled"]').waitFor();
    await until(
      () => targets('cancelled').count(),
      (count) => count === 2,
    );
  });

  it('goes on where it halted when somebody says so, and tries those again that failed', async () => {
    const bad = { version: '3.1.1', sizeBytes: 50_000, selfTest: 'fail' } as const;
    const json = {
      firmwareId: await addFirmware(system.rest, bad),
      devices: ['device-001', 'device-002'],
      policy: { waves: [{ count: 1 }, { percent: 100 }], maxAttempts: 1, failurePercent: 0 },
    };
    const { id } = await unwrap(system.rest.api.deployments.$post({ json }));
    await page.goto(at(`/deployments/${id}`));
    await page.getByTestId('halt').waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('dialog').getByText('1 device', { exact: false }).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await until(
      () => targets('rolled_back').count(),
      (count) => count === 2,
    );
    // Retrying goes by what was seen, its end included.
    await page.locator('.head :is([data-state="completed"], [data-state="halted"])').waitFor();
    await page.getByRole('button', { name: 'Retry 2 failed' }).click();
    await until(
      () => targets('rolled_back').count(),
      (count) => count < 2,
    );
    await unwrap(system.rest.api.deployments[':id'].cancel.$post({ param: { id } })).catch(() => {});
  });

  it('is put back, where it ran, to what was there before: that is what a halt offers first', async () => {
    await importDevices(system.stack, [`pump-1,${hardware},,,,`]);
    const firmwareId = await addFirmware(system.rest, {
      version: '3.1.2',
      sizeBytes: 50_000,
      selfTest: 'fail',
    });
    const { sha256 } = await unwrap(system.rest.api.firmware[':id'].$get({ param: { id: firmwareId } }));
    const json = {
      firmwareId,
      // One that has not just been restarted: who can be reached comes first.
      devices: ['device-003', 'pump-1'],
      policy: { waves: [{ count: 1 }, { percent: 100 }], maxAttempts: 1, failurePercent: 0 },
    };
    const { id } = await unwrap(system.rest.api.deployments.$post({ json }));
    await page.goto(at(`/deployments/${id}`));
    await page.getByTestId('halt').waitFor();
    // Nobody runs it, so nothing is to be put back.
    expect(await page.locator('.head .button.primary').count()).toBe(0);
    await reportRunning(system.stack, 'pump-1', sha256);
    await page.reload();
    const primary = page.locator('.head .button.primary');
    expect(await primary.innerText()).toMatch(/^Put \S+ back$/);
    await primary.click();
    await page.getByTestId('instead').getByText('on 1 device that runs 3.1.2', { exact: false }).waitFor();
    await page.getByTestId('forecast').getByText('0 online, 1 sleeping, 0 never seen').waitFor();
    expect(await findViolations(page)).toEqual([]);
    await page.locator('[data-testid="request"]:enabled').click();
    await page.waitForURL(
      (url) => /\/deployments\/[0-9a-f-]{36}$/.test(url.pathname) && !url.href.endsWith(id),
    );
    await page.getByTestId('target').getByText('pump-1').waitFor();
    await page.goto(at(`/deployments/${id}`));
    await page.locator('.head [data-state="cancelled"]').waitFor();
    await page.goBack();
    await page.getByRole('button', { name: 'Cancel deployment' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel deployment' }).click();
    await page.locator('.head [data-state="cancelled"]').waitFor();
    await system.rest.api.devices[':id'].$delete({ param: { id: 'pump-1' } });
  });

  it('is undone by one button: its devices boot what they ran before, and download nothing', async () => {
    const ids: string[] = [];
    for (const version of ['3.1.3', '3.1.4']) {
      const firmwareId = await addFirmware(system.rest, { version, sizeBytes: 50_000 });
      const json = { firmwareId, devices: ['device-001', 'device-002'] };
      const { id } = await unwrap(system.rest.api.deployments.$post({ json }));
      ids.push(id);
      await page.goto(at(`/deployments/${id}`));
      await page.locator('.head [data-state="completed"]').waitFor();
    }
    // What the page learned when only the first device had it.
    const early = async (route: Route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), targets: 1 } });
    };
    const plan = `**/api/deployments/${ids[1]}/undo`;
    await page.route(plan, early);
    await page.reload();
    const button = page.getByRole('button', { name: 'Undo', exact: true });
    await button.waitFor();
    await page.unroute(plan, early);
    await button.click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('2 devices restart with 3.1.3', { exact: false }).waitFor();
    expect(await findViolations(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Undo deployment' }).click();
    await page.waitForURL((url) => !url.pathname.endsWith(ids[1]!));
    await page.locator('.head [data-state="completed"]').waitFor();
    await page.getByRole('link', { name: 'Undoes another deployment' }).click();
    await page.getByRole('link', { name: 'Undone' }).waitFor();
    expect(await page.getByRole('button', { name: 'Undo', exact: true }).count()).toBe(0);
  });

  it('waits for its time when it is scheduled, and can be paused and resumed before that', async () => {
    const firmwareId = await addFirmware(system.rest, { version: '3.2.0', sizeBytes: 100_000 });
    await page.goto(at(`/firmware/${firmwareId}/deploy`));
    await page.getByTestId('pick-regions').getByLabel(/Busan/).check();
    await page.getByTestId('plan-schedule').locator('summary').click();
    await page.getByLabel('Start', { exact: true }).fill('2020-01-01T09:00');
    await page.getByText('This time is in the past').waitFor();
    await page.getByLabel('Start', { exact: true }).fill('2099-01-01T09:00');
    await page.getByText('Starts Jan 1, 2099', { exact: false }).waitFor();
    await page.getByTestId('request').click();
    await page.locator('.head [data-state="scheduled"]').waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.locator('.head [data-state="paused"]').waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.locator('.head [data-state="scheduled"]').waitFor();
  });

  it('takes all of a hardware, and holds it back until the window of each region opens', async () => {
    const firmwareId = await addFirmware(system.rest, {
      name: 'Nightly',
      version: '3.3.0',
      sizeBytes: 100_000,
    });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.goto(at(`/firmware/${firmwareId}`));
    await page.getByRole('link', { name: 'Deploy', exact: true }).waitFor();
    expect(await findViolations(page)).toEqual([]);
    await page.goto(at(`/firmware/${firmwareId}/deploy`));
    await page.getByLabel(`Every device of hardware ${hardware}`).check();
    await page.getByText('3 devices get it').waitFor();
    expect(await page.getByTestId('summary-every').innerText()).toContain(hardware);
    const window = page.getByTestId('plan-window');
    await window.locator('summary').click();
    await window.getByLabel('From').fill('22:00');
    await window.getByText('Enter both times or neither').waitFor();
    await window.getByLabel('To', { exact: true }).fill('05:00');
    // Open on one day only, three days ahead: now it is open in no time zone.
    const names = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
    const day = names[(new Date().getUTCDay() + 3) % 7]!;
    for (const name of names.filter((name) => name !== day))
      await window.getByRole('button', { name }).click();
    await page.getByTestId('forecast-window').first().waitFor();
    await page.getByTestId('forecast').getByText('Starts when the window opens').waitFor();
    await page.getByTestId('forecast').getByText('3 online, 0 sleeping, 0 never seen').waitFor();
    await page.getByTestId('plan-limits').locator('summary').click();
    await page.getByLabel('Late joiners').fill('7');
    await page.getByTestId('summary-plan').getByText('Join for 7d').waitFor();
    // Until then the figures are pale: they are being counted again.
    await page.locator('[data-testid="request"]:enabled').waitFor();
    expect(await findViolations(page)).toEqual([]);
    await page.getByTestId('request').click();
    await page.waitForURL(/\/deployments\/[0-9a-f-]{36}$/);
    const plan = page.getByRole('region', { name: 'Plan' });
    await plan.getByText(`22:00–05:00, ${day}, in the time zone of each region · opens`).waitFor();
    await plan.getByText('Join for 7d · until').waitFor();
    await plan.getByText(`Every device of hardware ${hardware}`).waitFor();
    await until(
      () => targets('pending').count(),
      (count) => count === 3,
    );
    await page.emulateMedia({ colorScheme: null });
    const id = page.url().split('/').at(-1)!;
    await unwrap(system.rest.api.deployments[':id'].cancel.$post({ param: { id } }));
  });
});

describe('a device', () => {
  it('shows who it is, what it measured and logged, and what became of it', async () => {
    await page.goto(at('/devices/device-001'));
    await page.getByRole('heading', { name: 'device-001' }).waitFor();
    await page.getByTestId('chart').first().waitFor();
    await page.locator('.plot canvas').first().waitFor();
    await page.getByRole('link', { name: 'Thermostat 3.0.0' }).waitFor();
    await page.getByRole('region', { name: 'Log' }).getByText('the new image is confirmed').first().waitFor();
    expect(await findViolations(page)).toEqual([]);
  });

  it('answers a command, and refuses one that it does not know', async () => {
    await page.getByRole('button', { name: 'ping' }).click();
    await page.getByRole('button', { name: 'Send' }).click();
    const commands = page.getByTestId('command');
    await commands
      .and(page.locator('[data-outcome="ok"]'))
      .getByText('bootCount', { exact: false })
      .waitFor();
    await page.getByLabel('Command', { exact: true }).fill('dance');
    await page.getByRole('button', { name: 'Send' }).click();
    await commands.and(page.locator('[data-outcome="refused"]')).waitFor();
  });

  it('can be changed, banned and let back', async () => {
    await page.getByRole('button', { name: 'Edit' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('Front door');
    await dialog.getByLabel('Tags').fill('pilot door');
    await dialog.getByLabel('Division').selectOption({ label: 'Workshop' });
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'Front door' }).waitFor();
    await page.getByText('pilot, door').waitFor();

    await page.getByRole('button', { name: 'Ban' }).click();
    await dialog.getByLabel('Reason').fill('stolen');
    await dialog.getByRole('button', { name: 'Ban' }).click();
    await page.getByText(`Banned by ${system.stack.admin.email}`).waitFor();
    await page.getByText('Offline').first().waitFor();
    await page.getByRole('button', { name: 'Lift ban' }).click();
    await dialog.getByRole('button', { name: 'Lift ban' }).click();
    await page.getByText('Online').first().waitFor();
  });

  it('is deleted only after it was asked once, and then it is gone', async () => {
    await importDevices(system.stack, [`short-lived,${hardware},,,,`]);
    await page.goto(at('/devices/short-lived'));
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Keep it' }).click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.waitForURL(/\/devices$/);
    await page.goto(at('/devices/short-lived'));
    await page.getByTestId('missing').getByText('There is nothing here').waitFor();
    await page.getByTestId('missing').getByRole('link', { name: 'Devices' }).click();
    await page.waitForURL(/\/devices$/);
    faults.splice(0);
  });
});

describe('a device at work', () => {
  it('is not deleted in the middle of an update, and who asks for it is told why', async () => {
    const firmwareId = await addFirmware(system.rest, { version: '3.4.0' });
    const json = { firmwareId, devices: ['device-002'] };
    fleet.setSpeed('device-002', 20_000);
    const { id } = await unwrap(system.rest.api.deployments.$post({ json }));
    await page.goto(at('/devices/device-002'));
    await page.getByRole('row', { name: /3\.4\.0 Downloading/ }).waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await dialog.getByRole('alert').getByText('An update of this device has not finished').waitFor();
    await dialog.getByRole('button', { name: 'Keep it' }).click();
    // Who looks after a dialog goes on where it was opened.
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Delete');
    await unwrap(system.rest.api.deployments[':id'].cancel.$post({ param: { id } }));
    await page.getByRole('row', { name: /3\.4\.0 Cancelled/ }).waitFor();
    fleet.setSpeed('device-002', null);
    faults.splice(0);
  });

  it('is let to renew with a token that is shown once', async () => {
    await page.getByRole('button', { name: 'Allow renewal of its expired certificate' }).click();
    const dialog = page.getByRole('dialog');
    expect(await findViolations(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Create the token' }).click();
    expect((await page.getByTestId('token').innerText()).length).toBeGreaterThan(20);
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.getByTestId('token').waitFor({ state: 'detached' });
  });

  it('is heard at once: its log and its answers come by themselves', async () => {
    await sendEvent(system.stack, {
      clientid: 'device-002',
      topic: 'devices/device-002/log',
      payload: JSON.stringify({ id: 'one', at: null, level: 'warn', message: 'the door is open' }),
    });
    await page.getByRole('region', { name: 'Log' }).getByText('the door is open').waitFor();
    await system.rest.api.devices[':id'].commands.$post({
      param: { id: 'device-002' },
      json: { command: 'identify' },
    });
    const answer = page.getByTestId('command').filter({ hasText: 'identify' });
    await answer.and(page.locator('[data-outcome="ok"]')).waitFor();
  });
});

describe('devices', () => {
  it('of one’s own come in by the commands of the page, as they are shown, and are ticked as they do', async () => {
    const dir = mkdtempSync(join(system.dataDir, 'own-'));
    const shell = openShell(dir);
    await page.goto(at('/devices'));
    await page.getByRole('link', { name: 'Connect a device' }).click();
    await page.getByLabel('Device ID').fill('bench-1');
    await page.getByRole('button', { name: 'Register and create a token' }).click();
    const done = (step: string) => page.locator(`[data-testid="step-${step}"][data-done="true"]`).waitFor();
    const shown = (block: string) => page.getByTestId(`block-${block}`).innerText();
    for (const block of ['files', 'key', 'certificate']) await shell.paste(await shown(block));
    await done('certificate');
    expect(await page.locator('[data-done="true"]').count()).toBe(1);
    expect(await findViolations(page)).toEqual([]);
    // It ends when a request comes.
    const received = shell.paste(await shown('hello'));
    await done('connected');
    await done('subscribed');
    await done('message');
    await page.getByRole('button', { name: 'Deploy a test image' }).click();
    await page.getByRole('link', { name: 'Follow the deployment' }).waitFor();
    await received;
    expect(await shell.paste(await shown('update'))).toContain('image.bin: OK');
    await done('update');
    shell.close();
    await page.getByRole('link', { name: 'Follow the deployment' }).click();
    await page.locator('[data-testid="target"][data-state="succeeded"]').waitFor();
    await system.rest.api.devices[':id'].$delete({ param: { id: 'bench-1' } });
  });

  it('come from a CSV, line by line, wrong lines told and nothing written before that', async () => {
    await page.goto(at('/devices'));
    await page.getByRole('button', { name: 'Import CSV' }).click();
    const lines = Array.from(
      { length: 1_997 },
      (_, i) =>
        `sensor-${String(i).padStart(4, '0')},${hardware},Sensor ${i},${i % 2 ? 'Seoul' : 'Busan'},Retail,`,
    );
    const csv = ['id,hardware,name,region,division,tags', ...lines, 'bad id!,esp32-s3,,,,', ''].join('\n');
    await page.getByTestId('csv').setInputFiles(fileOf('devices.csv', Buffer.from(csv)));
    const report = page.getByTestId('import-report');
    await report.getByText('1,997 would be created, 0 changed, 1 refused.').waitFor();
    expect(await report.locator('tbody tr').first().innerText()).toContain('bad id!');
    expect(await findViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Import 1,997' }).click();
    await report.getByText('1,997 created, 0 changed, 1 refused.').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
    await page.getByTestId('device-count').getByText('2,000 devices').waitFor();
    await page.goto(at('/'));
    await page
      .getByTestId('figure-online')
      .getByText('of 2,000 devices: 0 sleeping, 1,997 never seen')
      .waitFor();
    await page.locator('.versions').getByText('Not reported').waitFor();
  });

  it('come from a CSV that names regions which are not there: the reason is told once, and they can be added', async () => {
    await page.goto(at('/devices'));
    await page.getByRole('button', { name: 'Import CSV' }).click();
    const lines = Array.from({ length: 600 }, (_, i) => `island-${i},${hardware},Ulleung`);
    const csv = ['id,hardware,region', ...lines].join('\n');
    await page.getByTestId('csv').setInputFiles(fileOf('islands.csv', Buffer.from(csv)));
    const refusals = page.getByTestId('import-refusals');
    await refusals.getByText('600 lines, first on line 2: region: there is none named Ulleung').waitFor();
    expect(await refusals.getByRole('listitem').count()).toBe(1);
    await page.getByLabel('Add what is missing: Ulleung').check();
    await page
      .getByTestId('import-report')
      .getByText('600 would be created, 0 changed, 0 refused.')
      .waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  });

  it('are scrolled through as one list of which only what is on screen is there', async () => {
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight / 2));
    await page.getByRole('link', { name: 'Sensor 1000', exact: true }).waitFor();
    expect(await page.locator('tbody tr').count()).toBeLessThan(80);
    await page.keyboard.press('End');
    await page.getByRole('link', { name: 'Sensor 1996', exact: true }).waitFor();
  });

  it('are where they were when somebody comes back from one, by the way back and by reloading', async () => {
    await page.goto(at('/devices?search=sensor'));
    await page.getByTestId('device-count').getByText('1,997 devices').waitFor();
    await page.evaluate(() => window.scrollTo(0, 24_000));
    const link = page.getByRole('link', { name: 'Sensor 600', exact: true });
    await link.click();
    await page.getByRole('heading', { name: 'Sensor 600' }).waitFor();
    const top = () =>
      until(
        () => page.evaluate(() => window.scrollY),
        (y) => y === 0,
      );
    await top();
    await page.goBack();
    const back = async () => {
      await until(
        () => page.evaluate(() => window.scrollY),
        // The browser keeps the rows in place, and moves along, when a filter above them comes later.
        (y) => Math.abs(y - 24_000) < 40,
      );
      await link.waitFor();
      expect(await page.getByLabel('Search by name or ID').inputValue()).toBe('sensor');
    };
    await back();
    await page.reload();
    await back();
    // Another way there begins at its top.
    await page.getByRole('link', { name: 'Devices', exact: true }).click();
    await top();
    await page.evaluate(() => window.scrollTo(0, 0));
  });

  it('are filtered and sorted by the address, which can be kept and gone back from', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('sensor-000');
    await page.getByTestId('device-count').getByText('10 devices').waitFor();
    await page.getByLabel('Region').selectOption({ label: 'Seoul' });
    await page.getByTestId('device-count').getByText('5 devices').waitFor();
    await page.getByRole('button', { name: 'Name' }).click();
    await page
      .getByRole('columnheader', { name: 'Name' })
      .and(page.locator('[aria-sort="ascending"]'))
      .waitFor();
    const address = new URL(page.url());
    expect(address.searchParams.get('search')).toBe('sensor-000');
    expect(address.searchParams.get('sort')).toBe('name');
    await page.goto(address.href);
    await page.getByTestId('device-count').getByText('5 devices').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByTestId('device-count').getByText('2,000 devices').waitFor();
    expect(await findViolations(page)).toEqual([]);
  });

  it('are found by a query, which tells where it cannot be read and keeps what was found until it can', async () => {
    const query = page.getByLabel('Query', { exact: true });
    await query.fill('region = seoul and id ~ "sensor-000"');
    await query.press('Enter');
    await page.getByTestId('device-count').getByText('5 devices').waitFor();
    expect(new URL(page.url()).searchParams.get('q')).toContain('sensor-000');
    await query.fill('region = seoul and hardwear = x');
    await query.press('Enter');
    await page.getByText('Not understood from character 20 on.', { exact: false }).waitFor();
    await page.getByTestId('device-count').getByText('5 devices').waitFor();
    expect(await findViolations(page)).toEqual([]);
    await query.fill('region = seoul and hard');
    expect(
      await page
        .locator('datalist option')
        .evaluateAll((all) => all.map((one) => (one as HTMLOptionElement).value)),
    ).toEqual(['region = seoul and hardware']);
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByTestId('device-count').getByText('2,000 devices').waitFor();
    expect(await query.inputValue()).toBe('');
  });
});

describe('several devices at once', () => {
  const ids = Array.from({ length: 120 }, (_, i) => `many-${i + 1}`);

  it('all that match are tagged by a job, after their number was typed; its page is there after a reload', async () => {
    await importDevices(
      system.stack,
      ids.map((id) => `${id},other-board,,,,many`),
    );
    await page.goto(at('/devices?q=tag+%3D+many'));
    await page.getByLabel('All 120 that match').check();
    await page.getByTestId('bulk-count').getByText('120 chosen').waitFor();
    await page.getByRole('button', { name: 'Tag', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Tag 120 devices' });
    const go = dialog.getByRole('button', { name: 'Tag', exact: true });
    await dialog.getByLabel('Tags to add').fill('checked winter');
    expect(await go.isDisabled()).toBe(true);
    await dialog.getByLabel('Type 120 to confirm').fill('120');
    expect(await findViolations(page)).toEqual([]);
    await go.click();
    await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
    await page.getByTestId('job-state').getByText('Completed').waitFor();
    await page.reload();
    await page.getByTestId('job-state').getByText('120 of 120').waitFor();
    expect(await findViolations(page)).toEqual([]);
    await page.goto(at('/devices?q=tag+%3D+winter'));
    await page.getByTestId('device-count').getByText('120 devices').waitFor();
  });

  it('those that are checked go to the form of a deployment, which their hardware does not fit', async () => {
    const firmwareId = await addFirmware(system.rest, { version: '8.0.0', name: 'Bulk' });
    await page.goto(at('/devices?q=id+in+(many-1,+many-2)'));
    await page.getByLabel('Choose many-1', { exact: true }).check();
    await page.getByLabel('Choose many-2', { exact: true }).check();
    await page.getByRole('button', { name: 'Deploy', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Deploy to 2 devices' });
    await dialog.getByLabel('Firmware').selectOption(firmwareId);
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(new RegExp(`/firmware/${firmwareId}/deploy$`));
    await page.getByTestId('summary-devices').getByText('many-2').waitFor();
    await page.getByTestId('forecast-excluded').getByText('2 excluded', { exact: false }).waitFor();
  });

  it('a query is saved as a group, deployed to by its name, renamed and deleted', async () => {
    await page.goto(
      at(`/devices?q=${encodeURIComponent(`id = many-1 or hardware = "${hardware}"`)}&tag=many`),
    );
    await page.getByRole('button', { name: 'Save as a group' }).click();
    await page.getByLabel('Name of the group').fill('Pilots');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByRole('button', { name: 'Delete group' }).waitFor();
    const firmwareId = await addFirmware(system.rest, { version: '8.0.1', name: 'Bulk' });
    await page.goto(at(`/firmware/${firmwareId}/deploy`));
    const picker = page.getByTestId('pick-query');
    await picker.locator('summary').click();
    await picker.getByLabel('Group').selectOption('Pilots');
    await page.getByTestId('summary-query').getByText('Pilots').waitFor();
    await page.getByTestId('forecast-excluded').getByText('1 excluded', { exact: false }).waitFor();
    await picker.getByLabel('Query', { exact: true }).fill('id = nobody-at-all');
    await picker.getByLabel('Query', { exact: true }).press('Enter');
    await page.getByTestId('forecast').getByText('The query matches no device.').waitFor();
    expect(await findViolations(page)).toEqual([]);
    // Of what the server has refused.
    faults.length = 0;
    await page.goto(at('/devices'));
    await page.getByLabel('Group', { exact: true }).selectOption('Pilots');
    await page.getByTestId('device-count').getByText('1 device').waitFor();
    await page.getByRole('button', { name: 'Pin', exact: true }).click();
    await page.getByLabel('Pinned to version').fill('3.2.1');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.locator('summary', { hasText: 'Desired versions' }).click();
    await page.getByRole('cell', { name: '3.2.1 (pinned)' }).waitFor();
    expect(await findViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Delete group' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete group' }).click();
    await page.getByRole('button', { name: 'Save as a group' }).waitFor();
  });

  it('what is seen leaves as CSV', async () => {
    await page.goto(at('/devices?q=id+in+(many-1,+many-2)'));
    await page.getByTestId('device-count').getByText('2 devices').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Export CSV' }).click(),
    ]);
    const lines = readFileSync(await download.path(), 'utf8').split('\r\n');
    expect(lines.map((line) => line.split(',')[0])).toEqual(['id', 'many-1', 'many-2', '']);
  });
});

describe('the search over everything', () => {
  it('opens with Ctrl-K, finds by keys alone, and gives the focus back', async () => {
    await page.goto(at('/certificates'));
    const link = page.getByRole('link', { name: 'Firmware', exact: true });
    await link.focus();
    await page.keyboard.press('Control+k');
    const field = page.getByRole('combobox', { name: 'Search everything' });
    await field.waitFor();
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.press('Escape');
    await field.waitFor({ state: 'detached' });
    expect(await link.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.press('Control+k');
    await page.keyboard.type('MANY-11');
    await page.getByRole('option', { name: 'many-11', exact: true }).waitFor();
    expect(await findViolations(page)).toEqual([]);
    const chosen = () => page.locator('[role="option"][aria-selected="true"]').innerText();
    // What was found for less of it is listed until then.
    await until(chosen, (text) => text === 'many-11');
    await page.keyboard.press('ArrowDown');
    expect(await chosen()).toBe('many-110');
    expect(await field.getAttribute('aria-activedescendant')).toBe(
      await page.locator('[role="option"][aria-selected="true"]').getAttribute('id'),
    );
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/devices\/many-110$/);
    await page.getByRole('heading', { name: 'many-110' }).waitFor();
  });

  it('finds firmware by its digest, pages and acts, by the button too', async () => {
    const firmwareId = await addFirmware(system.rest, { version: '8.0.2', name: 'Found' });
    const { sha256 } = await unwrap(system.rest.api.firmware[':id'].$get({ param: { id: firmwareId } }));
    await page.getByRole('button', { name: 'Search', exact: true }).click();
    const field = page.getByRole('combobox', { name: 'Search everything' });
    await field.fill(sha256.slice(0, 16));
    await page.getByRole('option', { name: /^Found 8\.0\.2/ }).click();
    await page.waitForURL(new RegExp(`/firmware/${firmwareId}$`));
    await page.keyboard.press('Control+k');
    await field.fill('audit');
    await page.getByRole('option', { name: 'Audit', exact: true }).click();
    await page.waitForURL(/\/system\/audit$/);
    await page.keyboard.press('Control+k');
    await field.fill('register firm');
    await page.getByRole('option', { name: 'Register firmware' }).click();
    await page.waitForURL(/\/firmware\/new$/);
    expect(faults).toEqual([]);
  });
});

describe('certificates', () => {
  it('are found, and one is revoked after it was asked once', async () => {
    await page.goto(at('/certificates'));
    await page.getByLabel('Search by name or serial').fill('device-003');
    await page.getByRole('link', { name: 'device-003' }).click();
    await page.getByRole('button', { name: 'Revoke' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason').selectOption('keyCompromise');
    expect(await findViolations(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('The key has leaked', { exact: false }).waitFor();
  });

  it('are asked for with a token that is shown once', async () => {
    await page.goto(at('/certificates'));
    await page.getByRole('button', { name: 'Issue a token' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('device-003');
    await page.getByRole('dialog').getByRole('button', { name: 'Issue' }).click();
    expect((await page.getByTestId('token').innerText()).length).toBeGreaterThan(20);
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
    await page.getByTestId('token').waitFor({ state: 'detached' });
  });
});

describe('the single sign-on', () => {
  it('logs in by its button, and comes back to the login with the reason when there is no role', async () => {
    issuer.accounts.set('kim', { email: 'kim@company.example', groups: ['flota-ops'] });
    issuer.accounts.set('lee', { email: 'lee@company.example', groups: ['others'] });
    const logInAs = async (sub: string, locale: string) => {
      const context = await browser.newContext({ locale });
      context.setDefaultTimeout(patienceMs);
      const own = await context.newPage();
      await own.goto(at('/firmware'));
      await own.getByRole('link', { name: 'Company account' }).click();
      await own.locator('input[name=login]').fill(sub);
      await own.locator('input[name=password]').fill('any');
      await own.locator('button[type=submit]').click();
      return own;
    };
    const kim = await logInAs('kim', 'en-US');
    await kim.getByRole('heading', { name: 'Firmware' }).waitFor();
    expect(new URL(kim.url()).pathname).toBe('/firmware');
    const lee = await logInAs('lee', 'ko-KR');
    await lee.getByText('이 계정에는 Flota 역할이 없습니다.').waitFor();
    expect(new URL(lee.url()).search).toBe('');
    expect(await findViolations(lee)).toEqual([]);
    await page.goto(at('/system/users'));
    await page.getByRole('row', { name: 'kim@company.example' }).getByText('Single sign-on').waitFor();
    await Promise.all([kim.context().close(), lee.context().close()]);
  });
});

describe('whatever happens', () => {
  it('an act goes on after a session that had ended, once somebody has logged in again', async () => {
    await page.goto(at('/devices/device-002'));
    await page.getByRole('button', { name: 'report' }).click();
    await page.context().clearCookies();
    // Also when something that was read meanwhile has asked for a login already.
    await page.getByRole('button', { name: 'Send' }).dispatchEvent('click');
    await page.getByText('Your session has ended').waitFor();
    expect(await findViolations(page)).toEqual([]);
    await submitLogin(page, system.stack.admin);
    const sent = page.getByTestId('command').filter({ hasText: 'report' });
    await sent.and(page.locator('[data-outcome="ok"]')).waitFor();
    faults.splice(0);
  });

  it('a live page catches up by itself after the connection was gone', async () => {
    const firmwareId = await addFirmware(system.rest, { version: '3.3.0', sizeBytes: 300_000 });
    const own = overLine;
    await own.goto(at('/deployments'));
    await own.getByText('Live', { exact: true }).waitFor();
    line.cut();
    await own.getByText(/^As of .*, reconnecting$/).waitFor();
    await system.rest.api.deployments.$post({ json: { firmwareId, devices: ['device-002'] } });
    line.mend();
    await own.getByText('Live', { exact: true }).waitFor();
    await own.getByRole('link', { name: 'Thermostat 3.3.0' }).waitFor();
  });

  it('a page that was not fetched yet is told to be out of reach without a network, and comes when it is back', async () => {
    const own = overLine;
    await own.goto(at('/deployments'));
    await own.getByText('Live', { exact: true }).waitFor();
    line.cut();
    await own.getByRole('link', { name: 'System', exact: true }).click();
    await own.getByText('The server cannot be reached', { exact: false }).first().waitFor();
    await own.getByRole('button', { name: 'Try again' }).click();
    await own.getByText('The server cannot be reached', { exact: false }).first().waitFor();
    line.mend();
    await own.getByRole('heading', { level: 1 }).waitFor();
    expect(new URL(own.url()).pathname).toMatch(/^\/system/);
  });

  it('a viewer looks at everything and is offered nothing that would be refused', async () => {
    const account = await addUser(system.rest, 'viewer');
    const viewer = await openSession(browser, system.stack.url, account, { locale: 'en-US' });
    await viewer.page.goto(at('/firmware'));
    await viewer.page
      .getByRole('link', { name: /Thermostat/ })
      .first()
      .click();
    await viewer.page.getByRole('button', { name: 'Download' }).waitFor();
    expect(await viewer.page.getByRole('link', { name: 'Deploy', exact: true }).count()).toBe(0);
    await viewer.page.goto(`${viewer.page.url()}/deploy`);
    await viewer.page.getByText('This needs the role operator; yours is viewer', { exact: false }).waitFor();
    await viewer.page.goto(at('/devices/device-002'));
    await viewer.page.getByRole('heading', { name: 'device-002' }).waitFor();
    await viewer.page.getByTestId('command').first().waitFor();
    for (const name of ['Edit', 'Ban', 'Delete', 'Send', 'Revoke']) {
      expect(await viewer.page.getByRole('button', { name }).count(), name).toBe(0);
    }
    expect(viewer.faults).toEqual([]);
    await viewer.page.context().close();
  });

  it('speaks Korean, fits a phone and stands in the dark without anything that axe finds serious', async () => {
    const korean = await openSession(browser, system.stack.url, system.stack.admin, {
      locale: 'ko-KR',
      colorScheme: 'dark',
      viewport: { width: 390, height: 800 },
    });
    await korean.page.goto(at('/firmware/new'));
    await korean.page.getByRole('heading', { name: '펌웨어 등록', level: 1 }).waitFor();
    await korean.page.getByTestId('file').setInputFiles(fileOf('a.bin', Buffer.from('a')));
    await korean.page.getByTestId('file-sha256').waitFor();
    expect(await findViolations(korean.page)).toEqual([]);
    const wider = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;
    expect(await korean.page.evaluate(wider)).toBeLessThanOrEqual(0);
    await korean.page.goto(at('/deployments'));
    await korean.page.getByRole('link', { name: 'Thermostat 3.1.0' }).click();
    await korean.page.getByText('자동 중단', { exact: false }).first().waitFor();
    expect(await findViolations(korean.page)).toEqual([]);
    await korean.page.context().close();
  });

  it('everything is reached by keyboard alone', async () => {
    await page.goto(at('/firmware'));
    await page
      .getByRole('link', { name: /Thermostat/ })
      .first()
      .waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Register firmware' }).waitFor();
    // The focus is in the new page, not on a link that is gone.
    await until(
      () => page.evaluate(() => document.activeElement?.id),
      (id) => id === 'main',
    );
    expect(faults).toEqual([]);
  });

  it('a download gives back the very file', async () => {
    await page.goto(at('/firmware?search=3.0.0'));
    await page
      .getByRole('link', { name: /Thermostat/ })
      .first()
      .click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('thermostat.bin');
  });
});
