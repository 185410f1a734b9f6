/**
 * `npm run screenshots`: pictures of every page of the console, from a whole Flota with deployments in every state.
 * `npm run screenshots -- --whole` takes each page to its end instead of its first screen; other words name the pictures to take.
 */
import '#deploy/lab/primitives/closed-pipe.ts';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { hardware } from '../lab/fleet/devices.ts';
import { until } from '../lab/primitives/until.ts';
import { importDevices, type Rest, unwrap } from '../lab/rest.ts';
import { openBrowser, startTestSystem, type TestSystem } from '../lab/testing.ts';
import { addFirmware, addUser, askBroker, logIn, sendEvent } from './browser-scene.ts';
import { buildConsole } from './console-build.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
const folder = fileURLToPath(new URL('../../console/screenshots/', import.meta.url));

interface Scene {
  firmware: string;
  deployment: string;
  halted: string;
  device: string;
  certificate: string;
}
type Show = (page: Page, scene: Scene) => Promise<unknown>;
type Picture = { path: (scene: Scene) => string; prepare?: Show };
const words = process.argv.slice(2);
const fullPage = words.includes('--whole');
const named = words.filter((word) => !word.startsWith('--'));

/** Every page; what a picture needs beyond the address is done by `prepare`. */
const pictures: Record<string, Picture> = {
  // What moves comes first.
  deployment: { path: ({ deployment }) => `/deployments/${deployment}` },
  show: {
    path: () => '/show',
    prepare: (page) => page.locator('path.here').first().waitFor(),
  },
  overview: { path: () => '/' },
  firmware: { path: () => '/firmware' },
  'firmware-details': { path: ({ firmware }) => `/firmware/${firmware}` },
  register: {
    path: () => '/firmware/new',
    prepare: async (page) => {
      const file = {
        name: 'thermostat.bin',
        mimeType: 'application/octet-stream',
        buffer: Buffer.alloc(3e6),
      };
      await page.getByTestId('file').setInputFiles(file);
      await page.getByTestId('file-sha256').waitFor();
    },
  },
  deploy: {
    path: ({ firmware }) => `/firmware/${firmware}/deploy`,
    prepare: async (page) => {
      await page.getByTestId('pick-regions').getByRole('checkbox').first().check();
      await page.getByTestId('pick-divisions').getByRole('checkbox').nth(1).check();
      await page.getByTestId('forecast-wave').first().waitFor();
    },
  },
  'deploy-plan': {
    path: ({ firmware }) => `/firmware/${firmware}/deploy`,
    prepare: async (page) => {
      for (const part of ['regions', 'divisions']) {
        await page.getByTestId(`pick-${part}`).locator('summary').first().click();
      }
      await page.getByTestId('plan-policy').locator('summary').click();
      await page.getByTestId('plan-schedule').locator('summary').click();
      await page.getByTestId('plan-limits').locator('summary').click();
    },
  },
  deployments: { path: () => '/deployments' },
  calendar: {
    path: () => '/deployments/calendar',
    prepare: (page) => page.locator('.day.frozen').first().waitFor(),
  },
  halted: {
    path: ({ halted }) => `/deployments/${halted}`,
    prepare: async (page) => {
      await page.getByTestId('target').first().getByRole('button').click();
      await page.locator('.timeline li').first().waitFor();
    },
  },
  devices: { path: () => '/devices' },
  connect: {
    path: () => '/connect',
    prepare: async (page) => {
      await page.locator('form.register .primary').click();
      await page.getByTestId('block-certificate').waitFor();
    },
  },
  device: {
    path: ({ device }) => `/devices/${device}`,
    prepare: (page) => page.locator('.plot canvas').first().waitFor(),
  },
  measurements: {
    path: ({ device }) => `/devices/${device}`,
    prepare: async (page) => {
      await page.locator('.plot canvas').first().waitFor();
      await page.locator('.charts').locator('..').locator('.segments button').first().click();
      await page.evaluate(() => document.getElementById('history')!.scrollIntoView());
      await page.evaluate(() => window.scrollBy(0, -64));
    },
  },
  import: {
    path: () => '/devices',
    prepare: async (page) => {
      await page.locator('.head button.button').click();
      const csv =
        'id,hardware,name,region\nsensor-1,esp32-s3,Roof,Seoul\nbad id!,esp32-s3,,\nsensor-2,esp32-s3,,Mars\n';
      const file = { name: 'devices.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) };
      await page.getByTestId('csv').setInputFiles(file);
      await page.getByTestId('import-report').waitFor();
    },
  },
  certificates: { path: () => '/certificates' },
  certificate: { path: ({ certificate }) => `/certificates/${certificate}` },
  broker: {
    path: () => '/system/broker',
    prepare: (page) => page.getByTestId('drift').waitFor(),
  },
  regions: { path: () => '/system/regions' },
  'dead-letters': { path: () => '/system/dead-letters' },
  'dead-letter': {
    path: () => '/system/dead-letters',
    prepare: async (page) => {
      await page.locator('.row-open').first().click();
      await page.getByRole('dialog').locator('pre').first().waitFor();
    },
  },
  users: { path: () => '/system/users' },
  'user-new': {
    path: () => '/system/users',
    prepare: (page) => page.locator('.head .button').click(),
  },
  tokens: { path: () => '/system/tokens' },
  notifications: { path: () => '/system/notifications' },
  audit: { path: () => '/system/audit' },
  'not-found': { path: () => '/nothing/here' },
  login: {
    path: () => '/firmware',
    prepare: async (page) => {
      await page.context().clearCookies();
      await page.reload();
      await page.getByTestId('login').waitFor();
    },
  },
};
const views = [
  { name: 'light', colorScheme: 'light', width: 1200, height: 800, locale: 'en-US' },
  { name: 'dark', colorScheme: 'dark', width: 1200, height: 800, locale: 'en-US' },
  { name: 'phone', colorScheme: 'light', width: 390, height: 800, locale: 'ko-KR' },
  { name: 'korean', colorScheme: 'light', width: 1200, height: 800, locale: 'ko-KR' },
] as const;

await buildConsole();
const system = await startTestSystem();
const browser = await openBrowser();
try {
  mkdirSync(folder, { recursive: true });
  const scene = await setUp(system);
  const pages = await Promise.all(
    views.map(async ({ name, width, height, ...options }) => {
      const { page } = await logIn(browser, system.stack.url, system.stack.admin, {
        viewport: { width, height },
        // Nothing is caught half-way.
        reducedMotion: 'reduce',
        ...options,
      });
      return { name, page };
    }),
  );
  for (const [title, { path, prepare }] of Object.entries(pictures)) {
    if (named.length && !named.includes(title)) continue;
    for (const { name, page } of pages) {
      await page.goto(`${system.stack.url}${path(scene)}`);
      await page.locator('h1').waitFor();
      await page.waitForFunction(() => !document.querySelector('.loading'));
      await prepare?.(page, scene);
      await page.screenshot({ path: `${folder}${title}-${name}.png`, fullPage });
      process.stdout.write(`${title}-${name}.png\n`);
    }
  }
} finally {
  await browser.close();
  await system.close();
}
process.exit();

/** A fleet of which ten devices are on; one deployment done, one halted, one scheduled, one under way. */
async function setUp(system: TestSystem): Promise<Scene> {
  const { start, rest, stack } = system;
  // In the last deployment, every other device after the first wave is in use.
  let asked: number | null = null;
  const { devices } = await start(10, {
    bytesPerSecond: 120_000,
    timing: { telemetryMs: 1_000, progressMs: 250 },
    mayInstall: () =>
      asked !== null && ++asked > 3 && asked % 2 === 0
        ? { reason: 'the oven is hot', forMs: 1_800_000 }
        : 'now',
  });
  const ids = devices.map((device) => device.id);
  const names = ['Harbour', 'Station', 'Airport', 'Market', 'Library', 'Depot', 'Clinic', 'School'];
  const lines = Array.from({ length: 230 }, (_, i) => {
    const n = String(i + 11).padStart(3, '0');
    const name = `${names[i % names.length]} ${n}`;
    return `device-${n},${hardware},${name},${i % 3 ? 'Seoul' : 'Busan'},${i % 2 ? 'Retail' : 'Logistics'},${i % 5 ? '' : 'pilot'}`;
  });
  await importDevices(stack, lines);
  await setUpSystem(system);

  const first = await addFirmware(rest, { version: '1.4.0', sizeBytes: 200_000, note: 'First release.' });
  const bad = await addFirmware(rest, {
    version: '1.5.0-rc.1',
    sizeBytes: 200_000,
    selfTest: 'fail',
    note: 'Trial of the new display driver.',
  });
  const latest = await addFirmware(rest, {
    version: '1.5.0',
    sizeBytes: 3 * 1024 * 1024,
    note: 'The display keeps its brightness after a restart.\nWi-Fi comes back sooner after an outage.',
  });
  await addFirmware(rest, { version: '2.0.1', name: 'Gateway', sizeBytes: 300_000, note: 'Fewer messages.' });

  await until(
    () => tally(rest, ids),
    (online) => online === ids.length,
  );
  const done = await deploy(rest, { firmwareId: first, devices: ids });
  await ended(rest, done, ['completed']);
  const halted = await deploy(rest, {
    firmwareId: bad,
    devices: ids.slice(0, 4),
    policy: { waves: [{ count: 2 }, { percent: 100 }], maxAttempts: 1 },
  });
  await ended(rest, halted, ['halted']);
  await deploy(rest, {
    firmwareId: latest,
    devices: ['device-020', 'device-021'],
    startAt: new Date(Date.now() + 86_400_000).toISOString(),
  });
  const dayIn = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  await unwrap(
    rest.api.freezes.$post({ json: { name: 'Stocktaking', firstDay: dayIn(2), lastDay: dayIn(5) } }),
  );
  await rest.api.devices[':id'].commands.$post({ param: { id: ids[0]! }, json: { command: 'identify' } });
  await rest.api.devices[':id'].commands.$post({ param: { id: ids[0]! }, json: { command: 'dance' } });

  asked = 0;
  const deployment = await deploy(rest, {
    firmwareId: latest,
    // Those of the halted one are left to it.
    devices: [...ids.slice(4), ...lines.slice(0, 14).map((line) => line.split(',')[0]!)],
    policy: { waves: [{ count: 3 }, { percent: 30, soakMs: 2_000 }, { percent: 100 }], silencePercent: 100 },
  });
  for (const [i, device] of devices.entries()) if (i % 4 === 3) device.cutNetwork(40_000);
  await until(
    () => rest.api.deployments[':id'].$get({ param: { id: deployment } }).then((answer) => answer.json()),
    ({ counts }) => (counts.succeeded ?? 0) >= 3 && (counts.downloading ?? 0) + (counts.installing ?? 0) >= 2,
    120_000,
  );
  const certificates = await unwrap(
    rest.api.certificates.$get({ query: { commonName: ids[0]!, limit: '1' } }),
  );
  return {
    firmware: latest,
    deployment,
    halted,
    device: ids[0]!,
    certificate: certificates.items[0]!.serial,
  };
}

/** Accounts, tokens, a broker that differs from its files and loses rows, and messages that could not be handled. */
async function setUpSystem({ rest, stack }: TestSystem): Promise<void> {
  for (const role of ['viewer', 'operator'] as const) await addUser(rest, role);
  const { id } = await unwrap(
    rest.api.users.$post({
      json: { email: 'former@example.test', password: 'has left the company', role: 'operator' },
    }),
  );
  await unwrap(rest.api.users[':id'].$patch({ param: { id }, json: { disabled: true } }));
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
  await unwrap(
    rest.api.tokens.$post({ json: { name: 'nightly build', role: 'operator', expiresAt: inDays(90) } }),
  );
  const old = await unwrap(
    rest.api.tokens.$post({ json: { name: 'dashboard', role: 'viewer', expiresAt: null } }),
  );
  await rest.api.tokens[':id'].$delete({ param: { id: old.token.id } });
  await askBroker(stack, 'POST', '/rules', {
    id: 'by_hand',
    sql: 'SELECT * FROM "test"',
    actions: ['http:gone'],
  });
  await askBroker(stack, 'POST', '/publish/bulk', [{ topic: 'test', payload: '{}' }]);
  for (const payload of ['{', '{"level":"loud","message":"hello"}']) {
    await sendEvent(stack, { clientid: 'device-003', topic: 'devices/device-003/log', payload });
  }
  await sendEvent(stack, { clientid: 'stranger', topic: 'devices/stranger/log', payload: '{}' });
}

async function tally(rest: Rest, ids: string[]): Promise<number> {
  const all = await unwrap(rest.api.devices.$get({ query: { online: 'true', limit: '1000' } }));
  const items = 'items' in all ? all.items : all;
  return items.filter((device) => ids.includes(device.id) && device.running.length > 0).length;
}

type Asked = Parameters<Rest['api']['deployments']['$post']>[0]['json'];

async function deploy(rest: Rest, json: Asked): Promise<string> {
  return (await unwrap(rest.api.deployments.$post({ json }))).id;
}

async function ended(rest: Rest, id: string, states: string[]): Promise<void> {
  await until(
    () => unwrap(rest.api.deployments[':id'].$get({ param: { id } })).then((one) => one.state),
    (state) => states.includes(state),
    60_000,
  );
}
