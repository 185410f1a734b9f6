/** `npm run screenshots`: pictures of the console for the READMEs, from a whole Flota with a deployment under way. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { deployDemo } from './demo.ts';
import { openBrowser, startTestSystem, until } from './testing.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
const folder = fileURLToPath(new URL('../../console/screenshots/', import.meta.url));
const deviceCount = 10;
mkdirSync(folder, { recursive: true });

const system = await startTestSystem();
const browser = await openBrowser();
try {
  const { devices } = await system.start(deviceCount, { bytesPerSecond: 150_000 });
  const [deployment] = await deployDemo(
    system.rest,
    devices.map((device) => device.id),
  );
  // Networks that go away for different times: the picture shows every stage.
  await until(
    () => devices.every((device) => device.snapshot().receivedBytes > 100_000),
    (all) => all,
  );
  for (const [i, device] of devices.entries()) if (i > 1) device.cutNetwork(i * 1_500);
  await until(
    () => devices.filter((device) => device.snapshot().running?.version === '1.0.0').length,
    (updated) => updated >= 2,
    60_000,
  );
  const views = [
    { name: 'light', colorScheme: 'light', width: 1200, height: 760 },
    { name: 'dark', colorScheme: 'dark', width: 1200, height: 760 },
    { name: 'phone', colorScheme: 'light', width: 390, height: 760 },
  ] as const;
  const pages = { deployment: `/deployments/${deployment!.id}`, firmware: '/firmware', devices: '/devices' };
  for (const { name, colorScheme, width, height } of views) {
    const context = await browser.newContext({ colorScheme, viewport: { width, height }, locale: 'en-US' });
    const page = await context.newPage();
    await page.goto(system.stack.url);
    await page.getByLabel('Email').fill(system.stack.admin.email);
    await page.getByLabel('Password').fill(system.stack.admin.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByTestId('login').waitFor({ state: 'detached' });
    for (const [title, path] of Object.entries(pages)) {
      await page.goto(`${system.stack.url}${path}`);
      await page.locator('tbody tr').first().waitFor();
      await page.screenshot({ path: `${folder}${title}-${name}.png` });
      process.stdout.write(`${title}-${name}.png\n`);
    }
    await context.close();
  }
} finally {
  await browser.close();
  await system.close();
}
process.exit();
