import { readFileSync } from 'node:fs';
import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { Consent } from '#firmware/virtual/options.ts';
import { codeOf, stepAt } from '#webhook/auth/totp.ts';
import { buildElf } from '#webhook/crashes/testing-elf.ts';
import { type Receiver, startReceiver } from '#webhook/notifications/testing-receiver.ts';
import { sha256Of } from '#webhook/testing.ts';
import { until } from '../lab/primitives/until.ts';
import { importDevices, unwrap } from '../lab/rest.ts';
import { createShow } from '../lab/show/show.ts';
import { openBrowser, startTestSystem, type TestSystem } from '../lab/testing.ts';
import { findViolations } from './browser-axe.ts';
import { findLayoutFaults } from './browser-layout.ts';
import {
  addFirmware,
  addUser,
  addVulnerability,
  askBroker,
  logIn,
  openSession,
  patienceMs,
  reportRunning,
  sendEvent,
  sendPresence,
  submitLogin,
} from './browser-scene.ts';
import { buildConsole } from './console-build.ts';

vi.setConfig({ testTimeout: 3 * patienceMs, hookTimeout: 4 * patienceMs });

let system: TestSystem;
let receiver: Receiver;
let browser: Browser;
let page: Page;
let faults: string[];
/** What the applications on the devices say to an update. */
let application: Consent = 'now';

beforeAll(async () => {
  await buildConsole();
  receiver = await startReceiver();
  system = await startTestSystem(
    {
      courier: { allowedNetworks: ['127.0.0.1/32'], mail: null },
      transferPrice: { perMegabyte: 10, currency: 'USD' },
    },
    // A quarter of the bytes on a line of a quarter of the speed: as long to watch, and less to make patches from.
    createShow({ imageBytes: 1024 * 1024, slowBytesPerSecond: 12 * 1024 }),
  );
  await system.start(4, {
    bytesPerSecond: 1_500_000,
    patches: true,
    timing: { retryMaxMs: 300, reconnectMaxMs: 300, askAgainMs: 300 },
    mayInstall: () => application,
  });
  browser = await openBrowser();
  ({ page, faults } = await logIn(browser, system.stack.url, system.stack.admin, { locale: 'en-US' }));
});
afterAll(async () => {
  await browser?.close();
  await system?.close();
  receiver?.close();
});
afterEach(() => {
  expect(faults.splice(0)).toEqual([]);
});

const { poll } = expect;
const fetchAs = (path: string) =>
  fetch(system.stack.url + path, { headers: { authorization: `Bearer ${system.stack.apiToken}` } });
const open = async (path: string, at = page) => {
  await at.goto(system.stack.url + path);
  await at.locator('h1, .note h2').first().waitFor();
};

it('the show: a deployment is started, a network cut, and the device is seen to go on where it was', async () => {
  await open('/');
  await page.getByRole('link', { name: 'Show', exact: true }).click();
  const device = page.locator('[data-device="device-002"]');
  await device.getByRole('button', { name: 'Slow down device-002' }).click();
  await page.getByRole('button', { name: 'Deploy a good update' }).click();
  await page.getByTestId('started').waitFor();
  await device.getByText(/Downloading 1\.\d\.0/).waitFor();
  await poll(() => device.locator('path.here').getAttribute('d')).toMatch(/^M0 /);
  await device.getByRole('button', { name: 'Cut network device-002' }).click();
  await device.getByText(/No network, back in \d s/).waitFor();
  await poll(() => device.locator('path.lost').getAttribute('d')).not.toBe('');
  await device.getByRole('button', { name: 'Full speed device-002' }).click();
  await device.getByText(/Updated, runs 1\.\d\.0/).waitFor();
  expect(await device.locator('path.again').getAttribute('d')).not.toBe('');
  expect(await device.getByText(/resumed \d time/).count()).toBe(1);
  await poll(() => page.locator('[data-outcome="updated"]').count()).toBe(4);
});

it('the show: a bad image rolls back on the first three, and the fourth never gets it', async () => {
  await page.getByRole('button', { name: 'Deploy a bad image' }).click();
  await poll(() => page.locator('[data-outcome="rolled_back"]').count()).toBe(3);
  await page.getByText('The new firmware failed its self-test').first().waitFor();
  await poll(() => page.locator('[data-outcome="updated"]').count()).toBe(1);
});

it('the overview has the figures of that, calls the halt to attention, and follows by itself', async () => {
  await open('/');
  await page.getByTestId('figure-success').getByText('57.1%').waitFor();
  await page.getByTestId('figure-recovery').getByText('100%').waitFor();
  await page
    .getByTestId('matters')
    .getByText(/has halted/)
    .waitFor();
  await poll(() => page.locator('.versions li').count()).toBe(1);
  await open('/certificates');
  await page.getByRole('button', { name: /^Needs attention: \d+$/ }).click();
  expect(await findViolations(page)).toEqual([]);
  await page
    .getByRole('dialog')
    .getByRole('link', { name: /has halted/ })
    .click();
  await page.waitForURL(/\/deployments\/[0-9a-f-]{36}$/);
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await open('/');
  // Nobody reloads.
  await sendEvent(system.stack, {
    clientid: 'device-001',
    topic: 'devices/device-001/log',
    payload: '{',
  });
  await page.getByTestId('matters').getByText('1 message could not be handled').click();
  await page.waitForURL(/dead-letters/);
});

it('what needs attention has its place in the top row, however wide the window is', async () => {
  await page.locator('button.bell').waitFor();
  const before = page.viewportSize()!;
  for (let width = 320; width <= 1280; width += 80) {
    await page.setViewportSize({ ...before, width });
    expect(await findLayoutFaults(page), `in a window of ${width}`).toEqual([]);
  }
  await page.setViewportSize(before);
});

it('a dead letter is looked at, replayed, refused again, and deleted after one question', async () => {
  await page.getByRole('button', { name: 'Message is not JSON' }).click();
  await page.getByText('"clientid": "device-001"').waitFor();
  await page.getByRole('button', { name: 'Replay' }).click();
  await page
    .getByTestId('outcome')
    .getByText(/Refused again/)
    .waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('button', { name: 'Message is not JSON' }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('The message is gone and can no longer be handled').waitFor();
  await page.getByRole('button', { name: 'Delete permanently' }).click();
  await page.getByText('No dead letters').waitFor();
});

it('the broker shows what its rules count, what it loses, and that it differs from the files', async () => {
  await open('/system/broker');
  await page.getByText('Nothing was lost').waitFor();
  await page.getByTestId('no-drift').waitFor();
  await askBroker(system.stack, 'POST', '/rules', {
    id: 'by_hand',
    sql: 'SELECT * FROM "test"',
    actions: ['http:gone'],
  });
  await askBroker(system.stack, 'POST', '/publish/bulk', [{ topic: 'test', payload: '{}' }]);
  await page.getByText('1 message lost').waitFor();
  await page.getByTestId('drift').getByText('Rule by_hand').waitFor();
  expect(await page.getByText('was made on the broker and is in no file').count()).toBe(1);
  await page.getByText('firmware', { exact: true }).click();
  await page.locator('.sql[open]').getByText('devices/+/firmware/download/result').waitFor();
});

it('the broker whose dashboard takes the password that everybody knows is called open, not healthy', async () => {
  let open = true;
  await page.route('**/api/broker', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), defaultPassword: open } });
  });
  await page.reload();
  await page.getByTestId('broker-open').getByText('emqx ctl admins passwd admin').waitFor();
  await page.getByText('The dashboard is open').waitFor();
  open = false;
  await page.reload();
  await page.getByTestId('no-drift').or(page.getByTestId('drift')).waitFor();
  expect(await page.getByTestId('broker-open').count()).toBe(0);
  await page.unroute('**/api/broker');
});

it('a region is added, renamed, and deleted with its devices moved where one says', async () => {
  await open('/system/regions');
  await page.getByRole('button', { name: 'Add a region' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Jeju');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('button', { name: 'Change Jeju' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Jeju Island');
  await page.getByRole('combobox', { name: 'Time zone' }).fill('Asia/Seoul');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Delete Busan' }).click();
  await page.getByText('2 devices are in it').waitFor();
  await page.getByLabel('Move its devices to').selectOption({ label: 'Jeju Island' });
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  // Its devices are moved before it is deleted, and the page may be fetched in between.
  await page.getByRole('row', { name: /Jeju Island 2 Asia\/Seoul/ }).waitFor();
  await poll(() => page.getByRole('row', { name: /Busan/ }).count()).toBe(0);
});

it('users and tokens are made, changed and taken back; a secret is shown once', async () => {
  await open('/system/users');
  await page.getByRole('button', { name: 'Add a user' }).click();
  await page.getByLabel('Email').fill('ana@example.com');
  await page.getByLabel('Password').fill('long enough');
  await page.getByLabel('Role').selectOption('operator');
  await page.getByText('Also registers firmware').waitFor();
  await page.getByLabel('Applies to').selectOption('places');
  await page.getByLabel('Jeju Island').check();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('button', { name: 'Disable ana@example.com' }).click();
  await page.getByText('All sessions of this user end at once').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
  await page.getByRole('row', { name: /ana@example.com.*Disabled/i }).waitFor();
  await page.getByText('ana@example.com disabled').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('row', { name: /ana@example.com.*operator in 1 place.*Active/i }).waitFor();

  await page.getByRole('link', { name: 'API tokens' }).click();
  await page.getByRole('button', { name: 'Create a token' }).click();
  await page.getByLabel('Name').fill('nightly');
  await page.getByLabel('Applies to').selectOption('places');
  await page.getByLabel('And what a query finds').fill('tag = pilot and online = yes');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByText('online (at character 17) is told by the device or the clock').waitFor();
  expect(faults.splice(0).map((fault) => /status of (\d+)/.exec(fault)?.[1])).toEqual(['400']);
  await page.getByLabel('And what a query finds').fill('tag = pilot');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  const secret = (await page.getByTestId('secret').textContent())!.trim();
  const answer = await fetch(`${system.stack.url}/api/me`, {
    headers: { authorization: `Bearer ${secret}` },
  });
  expect(await answer.json()).toMatchObject({ role: 'operator', reach: { query: 'tag = pilot' } });
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('row', { name: /nightly.*operator by a query/ }).waitFor();
  await page.getByRole('button', { name: 'Revoke nightly' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('row', { name: /nightly.*Revoked/i }).waitFor();
  expect(await page.getByText(secret).count()).toBe(0);
});

it('a channel and a rule are made, what happens is told and seen at once, and is sent again by a press', async () => {
  await open('/system/notifications');
  await page.getByText('Without a rule nobody is told anything').waitFor();
  await page.getByRole('button', { name: 'Add a channel' }).click();
  await page.getByLabel('Name').fill('pager');
  await page.getByLabel('Address').fill('http://169.254.169.254/latest/meta-data');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByText('This address is inside the server’s own network').waitFor();
  await page.getByLabel('Address').fill(`${receiver.url}/hook`);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  const secret = (await page.getByTestId('secret').textContent())!.trim();
  expect(secret).toMatch(/^flota_whsec_/);
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('button', { name: 'Send a test pager' }).click();
  await page.getByRole('dialog').getByText('200 ok').waitFor();
  expect(receiver.on('/hook')).toHaveLength(1);
  await page.getByRole('button', { name: 'Close' }).click();

  await page.getByRole('button', { name: 'Change pager' }).click();
  await page.getByText(/Now http:.*\/hook; leave it empty to keep it/).waitFor();
  await page.getByLabel('Language of its messages').selectOption('ko');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Send a test pager' }).click();
  await page.getByRole('dialog').getByText('테스트 알림입니다').waitFor();
  expect(receiver.on('/hook')[1]!.body.text).toBe('테스트 알림입니다');
  receiver.received.length = 1;
  await page.getByRole('button', { name: 'Close' }).click();

  await page.getByRole('button', { name: 'Add a rule' }).click();
  await page.getByLabel('Name').fill('night watch');
  await page.getByLabel('Dead letters').check();
  await page.getByLabel('pager').check();
  await page.getByLabel('Quiet from').fill('25:00');
  await page.getByLabel('Quiet to').fill('06:00');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByText(/quietHours\.from: /).waitFor();
  expect(await findViolations(page)).toEqual([]);
  await page.getByLabel('Quiet from').fill('');
  await page.getByLabel('Quiet to').fill('');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('row', { name: /night watch.*Dead letters.*Everywhere.*pager.*On/ }).waitFor();

  receiver.answer = (_, response) => response.writeHead(500).end('not now');
  await sendEvent(system.stack, { clientid: 'nobody', topic: 'devices/nobody/log', payload: '{' });
  const log = page.getByRole('table', { name: 'What was sent' });
  await log.getByRole('row', { name: /Dead letters.*pager.*Waiting.*500 not now/ }).waitFor();
  receiver.answer = (_, response) => response.end('at last');
  await log.getByRole('button', { name: 'Dead letters' }).click();
  await page.getByText('처리하지 못한 메시지가 있습니다').waitFor();
  await page.getByRole('button', { name: 'Send again' }).click();
  await page.getByText('It is sent again, with the same event ID.').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await log.getByRole('row', { name: /Dead letters.*Delivered.*200 at last/ }).waitFor();
  expect(await findViolations(page)).toEqual([]);
  const ids = receiver.on('/hook').map((one) => one.body.id);
  expect(new Set(ids).size).toBe(2);

  await page.getByRole('button', { name: 'Delete pager' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('It is still in use').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Delete night watch' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('No rule yet').waitFor();
  expect(await page.getByText(secret).count()).toBe(0);
  // What the browser says of each refusal above.
  expect(faults.splice(0).map((fault) => /status of (\d+)/.exec(fault)?.[1])).toEqual(['422', '400', '409']);
});

it('the audit log tells all of that, filtered, and that its chain holds', async () => {
  await open('/system/audit');
  await page
    .getByTestId('chain')
    .getByText(/The chain is intact over \d+ entries/)
    .waitFor();
  await page.getByLabel('Action', { exact: true }).selectOption('token.revoke');
  await poll(() => page.locator('tbody tr').count()).toBe(1);
  await page.getByRole('cell', { name: 'revoked an API token' }).waitFor();
  expect(new URL(page.url()).searchParams.get('action')).toBe('token.revoke');

  const { page: at } = await openSession(browser, system.stack.url, system.stack.admin, { locale: 'ko-KR' });
  await open('/system/audit?action=user.create', at);
  await at
    .getByText(/역할: 뷰어|역할: 조회|역할: /)
    .first()
    .waitFor();
  expect(await at.locator('td.detail').first().innerText()).not.toMatch(/\b(role|email):/);
  await at.context().close();
});

it('on a phone several devices are chosen by thumb, and acted on', async () => {
  await addFirmware(system.rest, { version: '7.7.7', sizeBytes: 65_536 });
  const options = { locale: 'en-US', viewport: { width: 320, height: 720 }, hasTouch: true, isMobile: true };
  const { page: at } = await openSession(browser, system.stack.url, system.stack.admin, options);
  await open('/devices', at);
  for (const name of ['device-001', 'device-002']) {
    const box = at.getByRole('checkbox', { name: `Choose ${name}` });
    // Not below the bar with the pages.
    await box.evaluate((one) => one.scrollIntoView({ block: 'center' }));
    const target = (await box.locator('xpath=..').boundingBox())!;
    expect([target.width, target.height].map(Math.round)).toEqual([44, 44]);
    // At its edge, where a thumb lands.
    await at.touchscreen.tap(target.x + 4, target.y + 40);
  }
  await poll(() => at.getByTestId('bulk-count').innerText()).toMatch(/2/);
  const deploy = at.getByRole('button', { name: 'Deploy', exact: true });
  expect((await deploy.boundingBox())!.height).toBeGreaterThanOrEqual(44);
  expect(await findLayoutFaults(at)).toEqual([]);
  await deploy.tap();
  await at.getByRole('searchbox', { name: 'Name, version or digest' }).fill('no such firmware');
  await at.getByText('Nothing matches').waitFor();
  expect(await at.getByRole('button', { name: 'Continue' }).isDisabled()).toBe(true);
  await at.getByRole('searchbox', { name: 'Name, version or digest' }).fill('7.7.7');
  await poll(() => at.getByLabel('Firmware', { exact: true }).locator('option').count()).toBe(1);
  await at.getByRole('button', { name: 'Continue' }).tap();
  await at.waitForURL(/\/firmware\/[0-9a-f-]{36}\/deploy$/);
  await at.context().close();
});

it('theme, time zone and language are chosen in the settings, hold at once, and are kept', async () => {
  const options = { locale: 'en-US', timezoneId: 'UTC', colorScheme: 'light' } as const;
  const { page: own } = await openSession(browser, system.stack.url, system.stack.admin, options);
  await open('/certificates', own);
  const paper = () => own.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
  const light = await paper();
  await own.getByRole('button', { name: /^Settings/ }).click();
  const dialog = own.getByRole('dialog');
  await dialog.getByLabel('Theme').selectOption('dark');
  expect(await paper()).not.toBe(light);
  await dialog.getByLabel('Time zone').selectOption('Pacific/Kiritimati');
  await dialog.getByLabel('Language').selectOption('ko');
  await dialog.getByRole('heading', { name: '설정' }).waitFor();
  await own.reload();
  await own.getByRole('heading', { name: '인증서', level: 1 }).waitFor();
  expect(await paper()).not.toBe(light);
  const time = own.locator('td time[title]').first();
  // Written by the browser, whose Korean is not Node's.
  const there = await time.evaluate((element) => {
    const options = { dateStyle: 'medium', timeStyle: 'short', timeZone: 'Pacific/Kiritimati' } as const;
    return new Intl.DateTimeFormat('ko', options).format(new Date(element.getAttribute('datetime')!));
  });
  expect(await time.getAttribute('title')).toBe(there);
  // The browser speaks English; the field does not.
  await open('/system/users', own);
  await own.getByRole('button', { name: '사용자 추가' }).click();
  await dialog.getByRole('button', { name: '추가' }).click();
  const email = dialog.getByLabel('이메일');
  await poll(() => email.evaluate((field) => (field as HTMLInputElement).validationMessage)).toBe(
    '이 항목을 입력하세요.',
  );
  await own.context().close();
});

it('a viewer looks, is told what is not for that role, and finds nothing to press', async () => {
  const account = await addUser(system.rest, 'viewer');
  const { page: look } = await logIn(browser, system.stack.url, account, { locale: 'en-US' });
  await look.getByTestId('figure-success').waitFor();
  expect(await look.getByRole('link', { name: 'Show', exact: true }).count()).toBe(0);
  await open('/system/regions', look);
  await look.getByText('Jeju Island').waitFor();
  expect(await look.getByRole('button', { name: /Add|Delete|Change/ }).count()).toBe(0);
  for (const path of ['/system/users', '/system/tokens', '/system/notifications', '/system/audit', '/show']) {
    await open(path, look);
    await look.getByText('Your role does not allow this').waitFor();
  }
  await look.getByRole('button', { name: account.email }).click();
  const dialog = look.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Change your password' }).click();
  await dialog.getByLabel('Current password').fill('not that one');
  await dialog.getByLabel('New password').fill('looking around again');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('This email and password do not match.').waitFor();
  expect(await findViolations(look)).toEqual([]);
  await dialog.getByLabel('Current password').fill(account.password);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'detached' });
  await open('/', look);
  await look.getByTestId('figure-success').waitFor();
  await look.context().close();
});

it('whoever logs in is told once how often and from where others have tried, in either language', async () => {
  const account = await addUser(system.rest, 'operator');
  const guess = () =>
    fetch(`${system.stack.url}/api/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: account.email, password: 'a guess' }),
    });
  const told = {
    'en-US': ['2 failed logins to this account', 'Dismiss'],
    'ko-KR': ['로그인 시도가 2번 실패했습니다', '확인'],
  };
  for (const [locale, [words, dismiss]] of Object.entries(told)) {
    expect([(await guess()).status, (await guess()).status]).toEqual([401, 401]);
    const { page: owner } = await logIn(browser, system.stack.url, account, { locale });
    const note = owner.getByTestId('failed-logins');
    await note.getByText(words!).waitFor();
    await note.getByText('127.0.0.0/24').waitFor();
    expect(await findViolations(owner)).toEqual([]);
    await note.getByRole('button', { name: dismiss! }).click();
    await note.waitFor({ state: 'detached' });
    await owner.context().close();
    const { page: again } = await logIn(browser, system.stack.url, account, { locale });
    await again.locator('main h1').first().waitFor();
    expect(await again.getByTestId('failed-logins').count()).toBe(0);
    await again.context().close();
  }
});

it('two-step login is set up with an authenticator, asked for at the next login, and a recovery code does once', async () => {
  const account = { email: 'careful@example.test', password: 'one step is not enough' };
  await unwrap(system.rest.api.users.$post({ json: { ...account, role: 'viewer' } }));
  // In a window where there is no room for the address.
  const options = { locale: 'en-US', viewport: { width: 1000, height: 800 } };
  const { page: own } = await logIn(browser, system.stack.url, account, options);
  await own.getByText('Settings', { exact: true }).click();
  const dialog = own.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Set up two-step login' }).click();
  await dialog.getByLabel('Password').fill(account.password);
  await dialog.getByRole('button', { name: 'Continue' }).click();
  await dialog.getByRole('img', { name: 'QR code for the authenticator app' }).waitFor();
  const secret = await dialog.getByTestId('totp-secret').innerText();
  const code = (later: number) => codeOf(secret, stepAt(Date.now()) + later);
  const wrong = String((Number(code(0)) + 1) % 1e6).padStart(6, '0');
  await dialog.getByRole('textbox', { name: 'Code' }).fill(wrong);
  await dialog.getByRole('button', { name: 'Turn on' }).click();
  await dialog.getByText('This code is wrong').waitFor();
  expect(await findViolations(own)).toEqual([]);
  await dialog.getByRole('textbox', { name: 'Code' }).fill(code(0));
  await dialog.getByRole('button', { name: 'Turn on' }).click();
  const recovery = await dialog.getByTestId('recovery-codes').getByRole('listitem').allInnerTexts();
  expect(new Set(recovery).size).toBe(10);
  await dialog.getByRole('button', { name: 'I have kept them' }).click();

  const login = own.getByTestId('login');
  const enter = async (text: string) => {
    await login.getByLabel('Code').fill(text);
    await login.getByRole('button', { name: 'Log in' }).click();
  };
  const begin = async () => {
    await own.getByRole('button', { name: 'Log out' }).click();
    await login.locator('input[name=email]').fill(account.email);
    await login.locator('input[name=password]').fill(account.password);
    await login.getByRole('button', { name: 'Log in' }).click();
    await login.getByText('or a recovery code').waitFor();
  };
  await begin();
  expect(await findViolations(own)).toEqual([]);
  await enter(wrong);
  await login.getByText('This code is wrong').waitFor();
  // That of the step that has turned it on is used.
  await enter(code(1));
  await login.waitFor({ state: 'detached' });
  await begin();
  await enter(recovery[0]!);
  await login.waitFor({ state: 'detached' });

  await own.keyboard.press('Control+k');
  await own.getByRole('combobox', { name: 'Search everything' }).fill('two-step');
  await own.getByRole('option', { name: 'Turn off two-step login' }).click();
  await dialog.getByLabel('Password').fill(account.password);
  await dialog.getByRole('textbox', { name: 'Code' }).fill(recovery[0]!);
  await dialog.getByRole('button', { name: 'Turn off' }).click();
  await dialog.getByText('This code is wrong or was used already').waitFor();
  await dialog.getByRole('textbox', { name: 'Code' }).fill(recovery[1]!);
  await dialog.getByRole('button', { name: 'Turn off' }).click();
  await dialog.waitFor({ state: 'detached' });
  await own.getByRole('button', { name: 'Log out' }).click();
  await submitLogin(own, account);
  await own.context().close();
});

it('who changes or deletes what somebody else has changed since is told, keeps what was typed, and does nothing', async () => {
  const { api } = system.rest;
  const told = page.getByText('This has changed since you looked at it, so nothing was done');
  const dialog = page.getByRole('dialog');
  const region = await unwrap(api.regions.$post({ json: { name: 'Dokdo', timeZone: 'UTC' } }));
  const rename = (name: string) =>
    unwrap(api.regions[':id'].$patch({ param: { id: region.id }, json: { name } }));
  await open('/system/regions');
  await page.getByRole('button', { name: 'Change Dokdo' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Dokdo of mine');
  await rename('Ulleung');
  await page.getByRole('button', { name: 'Save' }).click();
  await told.waitFor();
  await dialog.getByText('What you have entered is still here').waitFor();
  expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('Dokdo of mine');
  expect(await findViolations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Cancel' }).click();

  await page.getByRole('button', { name: 'Delete Ulleung' }).click();
  await rename('Ulleungdo');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await told.waitFor();
  expect(await dialog.getByText('What you have entered').count()).toBe(0);
  await dialog.getByRole('button', { name: 'Keep it' }).click();
  await page.getByRole('button', { name: 'Delete Ulleungdo' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await dialog.waitFor({ state: 'detached' });
  await poll(() => page.getByRole('row', { name: /Ulleung/ }).count()).toBe(0);

  const firmwareId = await addFirmware(system.rest, { version: '8.4.0', sizeBytes: 50_000 });
  const { id } = await unwrap(
    api.deployments.$post({ json: { firmwareId, devices: ['device-001'], startAt: '2099-01-01T00:00:00Z' } }),
  );
  await open(`/deployments/${id}`);
  // A page whose hint is still on its way.
  const before = await (await fetchAs(`/api/deployments/${id}`)).text();
  let asked = 0;
  let pressed = false;
  const late = (route: Route) => {
    asked += 1;
    return pressed ? route.continue() : route.fulfill({ contentType: 'application/json', body: before });
  };
  // As long as nobody has pressed: there may be more than one hint.
  void page
    .waitForRequest((request) => request.url().endsWith('/pause'))
    .then(() => {
      pressed = true;
    });
  await page.route(`**/api/deployments/${id}`, late);
  await unwrap(api.deployments[':id'].pause.$post({ param: { id } }));
  await poll(() => asked).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'Pause' }).click();
  await told.waitFor();
  await page.unroute(`**/api/deployments/${id}`, late);
  // What it has become is there by now.
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.locator('.head [data-state="scheduled"]').waitFor();
  await told.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Cancel deployment' }).click();
  await unwrap(api.deployments[':id'].pause.$post({ param: { id } }));
  await dialog.getByRole('button', { name: 'Cancel deployment' }).click();
  await told.waitFor();
  await dialog.getByRole('button', { name: 'Keep it running' }).click();
  await page.getByRole('button', { name: 'Cancel deployment' }).click();
  await dialog.getByRole('button', { name: 'Cancel deployment' }).click();
  await page.locator('.head [data-state="cancelled"]').waitFor();
  expect(faults.splice(0).map((fault) => /status of (\d+)/.exec(fault)?.[1])).toEqual(Array(4).fill('412'));
});

/** By a link, which loads no document anew. The heading of the page before has gone when this resolves: each page has its own. */
async function follow(path: string, at: Page): Promise<void> {
  // `/system` leads to one of its pages.
  if (new URL(at.url()).pathname === path) return;
  const before = await at.locator('main h1').elementHandle();
  await at.evaluate((href) => {
    const link = Object.assign(document.createElement('a'), { href });
    document.body.append(link);
    link.click();
    link.remove();
  }, path);
  await at.waitForFunction((heading) => !heading?.isConnected, before);
  await at.locator('main h1').waitFor();
}

/** An address for every route of the console, by its path in the router. */
async function findRoutes(): Promise<Record<string, string>> {
  const { api } = system.rest;
  const [firmwares, deployments, certificates, job] = await Promise.all([
    unwrap(api.firmwares.metadata.$get({ query: { limit: '1' } })),
    unwrap(api.deployments.$get({ query: { limit: '1' } })),
    unwrap(api.certificates.$get({ query: { commonName: 'device-001', limit: '1' } })),
    unwrap(api.jobs.tag.$post({ json: { devices: ['device-001'], add: ['looked-at'] } })),
  ]);
  const crashes = await unwrap(api.crashes.$get({ query: { limit: '1' } }));
  const firmwareId = Array.isArray(firmwares) ? '' : firmwares.items[0]!.id;
  const firmware = `/firmware/${firmwareId}`;
  const vulnerability = await addVulnerability(system, firmwareId);
  return {
    '/': '/',
    '/firmware': '/firmware',
    '/firmware/new': '/firmware/new',
    '/firmware/:id': firmware,
    '/firmware/:id/deploy': `${firmware}/deploy`,
    '/deployments': '/deployments',
    '/deployments/calendar': '/deployments/calendar',
    '/deployments/:id': `/deployments/${deployments.items[0]!.id}`,
    '/crashes': '/crashes',
    '/crashes/:id': `/crashes/${crashes.items[0]!.id}`,
    '/connect': '/connect',
    '/devices': '/devices',
    '/devices/:id': '/devices/device-001',
    '/vulnerabilities': '/vulnerabilities',
    '/vulnerabilities/:id': `/vulnerabilities/${vulnerability}`,
    '/vulnerabilities/:id/evidence': `/vulnerabilities/${vulnerability}/evidence`,
    '/certificates': '/certificates',
    '/certificates/:serial': `/certificates/${certificates.items[0]!.serial}`,
    '/jobs': '/jobs',
    '/jobs/:id': `/jobs/${job.id}`,
    '/system': '/system',
    '/broker': '/system/broker',
    '/regions': '/system/regions',
    '/dead-letters': '/system/dead-letters',
    '/users': '/system/users',
    '/tokens': '/system/tokens',
    '/approvals': '/system/approvals',
    '/encryption': '/system/encryption',
    '/notifications': '/system/notifications',
    '/audit': '/system/audit',
    '/show': '/show',
    '*': '/nothing/here',
  };
}

it('an update that the application puts off says why wherever it is looked at, and goes on when it may', async () => {
  const { rest } = system;
  application = { reason: 'the oven is hot' };
  const firmwareId = await addFirmware(rest, { version: '8.0.0', sizeBytes: 50_000 });
  const { id } = await unwrap(
    rest.api.deployments.$post({
      json: { firmwareId, devices: ['device-001'], policy: { atDeadline: 'proceed' } },
    }),
  );
  await open(`/deployments/${id}`);
  const target = page.locator('[data-device="device-001"]');
  await target.getByText('The application postpones installing: the oven is hot').waitFor();
  await target.getByText(/^deadline /).waitFor();
  await page.getByText('For 24h, then the update goes ahead').waitFor();
  await target.getByRole('button').click();
  await page.getByText('Installing postponed by the application · the oven is hot').waitFor();
  await open('/devices/device-001');
  await page.getByTestId('deferred').getByText('the oven is hot').waitFor();
  application = 'now';
  await open(`/deployments/${id}`);
  await poll(() => target.getAttribute('data-state')).toBe('succeeded');
  await poll(() => page.getByTestId('deferred').count()).toBe(0);
});

it('a freeze is told wherever it matters and is overridden with a reason; who is pinned is left out', async () => {
  await open('/deployments');
  await page.getByRole('link', { name: 'Calendar' }).click();
  await page.getByRole('button', { name: 'Add a freeze' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Audit week');
  await dialog.getByRole('button', { name: 'Add a freeze' }).click();
  const today = page.locator('.day[aria-current="date"]');
  await today.getByText('Audit week').waitFor();
  expect(await findViolations(page)).toEqual([]);

  const pinned = { id: 'device-003' };
  await unwrap(system.rest.api.devices[':id'].$patch({ param: pinned, json: { pinned: '0.1' } }));
  const firmware = await addFirmware(system.rest, { version: '6.0.0', sizeBytes: 50_000 });
  await open(`/firmware/${firmware}/deploy`);
  await page.getByLabel(/^Every device of hardware/).check();
  await page.getByTestId('forecast-frozen').waitFor();
  const excluded = page.getByTestId('forecast-excluded').filter({ hasText: 'pinned to another version' });
  await excluded.locator('summary').click();
  const list = await excluded.getByRole('link', { name: 'Show these devices' }).getAttribute('href');
  await page.getByTestId('request').click();
  await page.getByTestId('frozen').waitFor();
  expect(await findViolations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Override the freeze' }).click();
  await dialog.getByLabel('Reason').fill('A door stays locked');
  await dialog.getByRole('button', { name: 'Override the freeze' }).click();
  await page.getByTestId('frozen').waitFor({ state: 'detached' });
  await page.getByText('A door stays locked').waitFor();

  await open(list!);
  await poll(() => page.locator('tbody .row-link').count()).toBe(1);
  await page.getByRole('link', { name: /device-003/ }).click();
  await page.locator('.facts').getByText('0.1', { exact: true }).waitFor();
  await unwrap(system.rest.api.devices[':id'].$patch({ param: pinned, json: { pinned: null } }));

  await open('/deployments/calendar');
  await page.getByRole('button', { name: 'Delete Audit week' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('No freezes ahead').waitFor();
  await poll(() => today.getByText('Audit week').count()).toBe(0);
});

it('a deployment waits for a second person, who sees what it would do and lets it begin', async () => {
  const { rest, stack } = system;
  await open('/system/approvals');
  await page.getByRole('button', { name: 'Add a rule' }).click();
  await page.getByLabel('More devices than').fill('1');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('row', { name: /Any hardware/ }).waitFor();
  const firmwareId = await addFirmware(rest, { version: '8.2.0', sizeBytes: 50_000 });
  await open(`/firmware/${firmwareId}/deploy`);
  await page.getByTestId('pick-every').getByRole('checkbox').check();
  await page.getByTestId('forecast-approval').waitFor();
  await page.getByTestId('request').click();
  await page.getByTestId('approval').getByText('Somebody else must approve it').waitFor();
  expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
  const path = new URL(page.url()).pathname;

  const second = { email: 'second@example.test', password: 'somebody else looks' };
  await unwrap(rest.api.users.$post({ json: { ...second, role: 'operator' } }));
  const { page: theirs } = await openSession(browser, stack.url, second, { locale: 'en-US' });
  await open('/deployments', theirs);
  await theirs.getByTestId('waiting-for-you').getByRole('link').click();
  await theirs.getByTestId('approval').getByText('4 devices').first().waitFor();
  await theirs.getByRole('button', { name: 'Approve' }).click();
  await theirs.getByLabel('Reason').fill('Tested in the lab');
  await theirs.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
  await theirs.getByTestId('decision').getByText('Approved by second@example.test').waitFor();
  await theirs.context().close();
  await page.getByTestId('decision').getByText('Tested in the lab').waitFor();
  expect(new URL(page.url()).pathname).toBe(path);
  await open('/system/approvals');
  await page.getByRole('button', { name: 'Delete Any hardware' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('No rules').waitFor();
});

it('a crash is looked into: its addresses, and with the ELF of the firmware its functions and lines', async () => {
  const { elf, address } = buildElf();
  const crash = {
    id: 'c-1',
    reason: 'LoadProhibited',
    task: 'main',
    pc: address,
    backtrace: [address, '0x1'],
  };
  const running = [{ component: 'main', version: '1.0.0', securityVersion: 0, sha256: 'a'.repeat(64) }];
  const health = { id: 'h-1', at: null, state: 'ok', running, crash: { ...crash, elf: sha256Of(elf) } };
  await sendEvent(system.stack, {
    clientid: 'device-001',
    topic: 'devices/device-001/status/health',
    payload: JSON.stringify(health),
  });
  await open('/crashes');
  await page.getByRole('link', { name: address }).click();
  await page.getByTestId('symbols').getByText('no ELF with this SHA-256').waitFor();
  await page.getByRole('link', { name: 'device-001' }).waitFor();

  const id = await addFirmware(system.rest, { version: '9.1.0', name: 'Sensor', sizeBytes: 50_000 });
  await open(`/firmware/${id}`);
  await page.getByTestId('elf').getByText('not uploaded').waitFor();
  await page.getByRole('button', { name: 'Make patches' }).click();
  await page.getByTestId('patches').getByText('Nothing (the image, compressed)').waitFor();
  await page.getByRole('button', { name: 'Upload ELF' }).click();
  await page
    .getByLabel('ELF file of the build')
    .setInputFiles({ name: 'sensor.elf', mimeType: '', buffer: elf });
  await page.getByRole('dialog').getByRole('button', { name: 'Upload ELF' }).click();
  await page.getByTestId('elf').getByText('sensor.elf').waitFor();
  await page.getByRole('link', { name: 'Show crashes' }).click();
  await poll(() => page.getByTestId('crash-trend').locator('rect').count()).toBe(30);
  await page.getByRole('link', { name: /parse|read_sensor/ }).click();
  const rows = page.getByTestId('backtrace').locator('tbody tr');
  await rows
    .first()
    .getByText(/sensor\.c:\d/)
    .waitFor();
  expect(await rows.last().innerText()).toMatch(/^0x1\s+–/);
});

it('what the document has had fetched is used, and asked for no second time', async () => {
  const { page: at } = await openSession(browser, system.stack.url, system.stack.admin, { locale: 'ko-KR' });
  // What has changed in the last seconds is rightly fetched once more.
  await at.route('**/api/live', (route) => route.abort());
  await open('/devices', at);
  await at.locator('tbody tr.row a').first().waitFor();
  const asked = await at.evaluate(() =>
    performance.getEntriesByType('resource').map(({ name }) => name.slice(location.origin.length)),
  );
  const named = await at
    .locator('link[rel=modulepreload], link[rel=preload]')
    .evaluateAll((links) => links.map((link) => link.getAttribute('href')));
  expect(named.some((path) => /^\/assets\/devices-/.test(path!))).toBe(true);
  expect(named.some((path) => /^\/assets\/ko-/.test(path!))).toBe(true);
  expect(named).toContain('/api/devices?limit=100&offset=0');
  expect(named.map((path) => [path, asked.filter((one) => one === path).length])).toEqual(
    named.map((path) => [path, 1]),
  );
  // Six connections: a seventh file would wait for one of them.
  const begun = asked.slice(0, asked.indexOf('/api/me'));
  expect(begun).toHaveLength(6);
  await at.context().close();
});

it('an SBOM and an advisory show who is affected, what is assessed counts, and evidence can be read', async () => {
  const firmware = await addFirmware(system.rest, { version: '8.1.0', sizeBytes: 50_000 });
  const { id } = await unwrap(
    system.rest.api.deployments.$post({ json: { firmwareId: firmware, devices: ['device-002'] } }),
  );
  const ended = () => unwrap(system.rest.api.deployments[':id'].$get({ param: { id } }));
  await poll(async () => (await ended()).state).toBe('completed');
  await open(`/firmware/${firmware}`);
  await page.getByText('No SBOM has been uploaded').waitFor();
  const buffer = Buffer.from('{"bomFormat":"CycloneDX"');
  const broken = { name: 'sbom.json', mimeType: 'application/json', buffer };
  await page.getByTestId('sbom').locator('input').setInputFiles(broken);
  await page.getByText('The SBOM cannot be read.').waitFor();
  // The browser logs what the server has refused.
  faults.splice(0);
  const name = await addVulnerability(system, firmware);
  await page.getByTestId('sbom').getByRole('link', { name }).click();
  await page.getByRole('link', { name: 'device-002' }).waitFor();
  await page.getByRole('button', { name: 'Assess' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Assessment').selectOption('fixed');
  await dialog.getByLabel('Note').fill('Patched in our build');
  expect(await findViolations(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Assess' }).click();
  await page.getByText('No device reports an image that is affected.').waitFor();
  await page.getByText('Patched in our build').waitFor();
  await open('/vulnerabilities');
  await page.getByText('No known vulnerabilities').waitFor();
  await page.getByLabel('Which').selectOption('all');
  await page.getByRole('link', { name }).waitFor();
  const advisory = { id: 'OSV-2024-7', modified: '2024-01-01T00:00:00Z', affected: [] };
  await page.getByRole('button', { name: 'Import advisories' }).click();
  const feed = { name: 'feed.jsonl', mimeType: '', buffer: Buffer.from(JSON.stringify(advisory)) };
  await dialog.getByLabel('File').setInputFiles(feed);
  await dialog.getByText('1 imported, 0 already known, 0 withdrawn').waitFor();
  await open(`/vulnerabilities/${name}/evidence`);
  await page.getByRole('link', { name: 'Download the signed file' }).waitFor();
  expect(await page.getByRole('link', { name: 'device-002' }).count()).toBe(1);
});

it('what patches save is told before a deployment, in money too, and day by day afterwards', async () => {
  // To what device-002 has since the SBOM.
  const firmware = await addFirmware(system.rest, { version: '8.1.1', like: '8.1.0', sizeBytes: 50_000 });
  await open(`/firmware/${firmware}/deploy`);
  await page.getByTestId('pick-devices').locator('summary').click();
  await page.getByTestId('pick-devices').getByLabel('device-002').check();
  await page.getByTestId('forecast-cost').getByText('Transfer costs $0.50').waitFor();
  await poll(async () => {
    await page.reload();
    await page.getByTestId('pick-devices').locator('summary').click();
    await page.getByTestId('pick-devices').getByLabel('device-002').check();
    return page.getByTestId('forecast-cost').innerText();
  }).toMatch(/^Transfer costs \$0\.0\d instead of \$0\.50$/);
  await page.getByTestId('request').click();
  await page.locator('.head [data-state="completed"]').waitFor();
  await page.getByTestId('figure-by-patch').getByText(/saved/).waitFor();
  await open('/');
  const plot = page.getByTestId('trend-saved');
  await plot.getByText('1 update by patch').first().waitFor();
  expect(await plot.locator('rect.good').count()).toBe(1);
});

it('a health gate that halts says which signal, with the plot and the numbers of both sides', async () => {
  const { rest, stack } = system;
  const hardware = 'gate-board';
  const ids = Array.from({ length: 12 }, (_, i) => `gate-${i + 1}`);
  const measure = (id: string, receivedAt: number, battery: number, load: number) =>
    sendEvent(stack, {
      clientid: id,
      topic: `devices/${id}/data/metrics`,
      payload: JSON.stringify({ id: `at-${receivedAt}`, at: null, values: { battery, load } }),
      receivedAt,
    });
  await importDevices(
    stack,
    ids.map((id) => `${id},${hardware},,,,`),
  );
  const importedAt = Date.now();
  await Promise.all(ids.map((id) => sendPresence(stack, id)));
  const firmwareId = await addFirmware(rest, {
    version: '1.0.0',
    name: 'Gate',
    sizeBytes: 1_024,
    child: { component: 'main', hardware },
  });
  const { sha256 } = await unwrap(rest.api.firmware[':id'].$get({ param: { id: firmwareId } }));
  const signal = (name: string, better: 'high' | 'low') =>
    ({ kind: 'metric', name, better, marginPercent: 10 }) as const;
  const windowMs = 1_000;
  const health = {
    ...{ control: { count: 6 }, seed: 'browser', minDevices: 5, minObservedMs: 60_000, windowMs },
    signals: [signal('battery', 'high'), signal('load', 'low')],
  };
  const json = { firmwareId, devices: ids, policy: { health } };
  // What they were before is known from a whole window on.
  await until(
    () => Date.now(),
    (now) => now > importedAt + 3 * windowMs,
  );
  await Promise.all(ids.map((id) => measure(id, importedAt + 1.5 * windowMs, 80, 5)));
  const { waves } = await unwrap(rest.api.deployments.dry_run.$post({ json }));
  const [treated, control] = waves.map(({ devices }) => devices) as [string[], string[]];
  expect([treated.length, control.length]).toEqual([6, 6]);
  const { id } = await unwrap(rest.api.deployments.$post({ json }));
  await open(`/deployments/${id}`);
  await page.getByTestId('health').getByText('Not enough devices have been watched').waitFor();
  // What each will say in windows to come: those with the image half of it, each a little other.
  const begin = Date.now();
  const foretell = (group: string[], battery: number) =>
    group.map(async (device, i) => {
      const other = i % 2 ? 1 : -1;
      for (let window = 0; window < 48; window += 4)
        await measure(device, begin + (window + 0.5) * windowMs, battery + other, 5 + other / 10);
    });
  await Promise.all([...foretell(treated, 40), ...foretell(control, 80)]);
  const sent = page.locator('[data-testid="target"][data-state="sent"]');
  await poll(() => sent.count()).toBe(6);
  await Promise.all(treated.map((device) => reportRunning(stack, device, sha256)));
  const halt = page.getByTestId('halt');
  await halt.getByText('devices with the new image fare worse than the control group').waitFor();
  await halt.getByText('battery').waitFor();
  expect(await page.getByTestId('health-signal').count()).toBe(2);
  const worse = page.locator('[data-testid="health-signal"][data-verdict="worse"]');
  await worse.getByText(/^40.* on 6 with it, 80.* on 6 without$/).waitFor();
  expect(await worse.locator('.plot canvas').count()).toBe(1);
  expect(await findViolations(page)).toEqual([]);
  await unwrap(rest.api.deployments[':id'].cancel.$post({ param: { id } }));
  for (const device of ids) await rest.api.devices[':id'].$delete({ param: { id: device } });
});

it('no page keeps anybody out, in the light and in the dark, on a phone and in Korean', {
  timeout: 10 * patienceMs,
}, async () => {
  const routes = await findRoutes();
  const router = readFileSync(new URL('../../console/main.tsx', import.meta.url), 'utf8');
  const known = new Set([...router.matchAll(/<Route path="([^"]+)"/g)].map((match) => match[1]));
  expect(Object.keys(routes).sort()).toEqual([...known].sort());

  const views = [
    { locale: 'en-US', viewport: { width: 1200, height: 900 } },
    { locale: 'ko-KR', viewport: { width: 390, height: 844 } },
  ];
  const walk = async (view: (typeof views)[number]) => {
    const options = { ...view, reducedMotion: 'reduce' } as const;
    const { page: at } = await openSession(browser, system.stack.url, system.stack.admin, options);
    await open('/nothing/before', at);
    for (const path of Object.values(routes)) {
      await (view.locale === 'en-US' ? open : follow)(path, at);
      await at.waitForFunction(() => !document.querySelector('.loading'));
      // To its commands, which are wide.
      if (path === '/connect') {
        await at.locator('form.register .primary').click();
        await at.getByTestId('block-certificate').waitFor();
      }
      await at.emulateMedia({ colorScheme: 'light' });
      expect(await findViolations(at), `${path} ${view.locale}, light`).toEqual([]);
      await at.emulateMedia({ colorScheme: 'dark' });
      expect(await findViolations(at, 'colours'), `${path} ${view.locale}, dark`).toEqual([]);
      for (const width of view.viewport.width === 390 ? [390, 320] : [1200, 760, 390]) {
        await at.setViewportSize({ ...view.viewport, width });
        expect(await findLayoutFaults(at), `${path} in a window of ${width}`).toEqual([]);
      }
      await at.setViewportSize(view.viewport);
      const text = await at.locator('main').innerText();
      expect(text, path).not.toMatch(/\b(undefined|NaN|Invalid Date)\b|\[object|\{\w+\}/);
      // Devices, certificates and firmware are called what they are in any language.
      if (/(devices|certificates|crashes|vulnerabilities|deployments)\/|firmware\/.*-/.test(path)) continue;
      const hangul = /\p{Script=Hangul}/u.test(await at.locator('h1').innerText());
      expect(hangul, `the title of ${path}`).toBe(view.locale === 'ko-KR');
    }
    await at.context().close();
  };
  await Promise.all(views.map(walk));
});
