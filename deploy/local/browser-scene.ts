/** What browser tests and pictures share: logging in, firmware to deploy, devices to look at. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { buildImage } from '#firmware/virtual/image.ts';
import { hardware } from '../lab/fleet/devices.ts';
import { until } from '../lab/primitives/until.ts';
import { type Rest, registerFirmware, unwrap } from '../lab/rest.ts';
import type { System } from '../lab/system/system.ts';

export interface Account {
  email: string;
  password: string;
}

/** On a slow machine that does something else besides; nothing waits for so long where all is well. */
export const patienceMs = 60_000;

export interface OwnPage {
  page: Page;
  /** Messages of the page that nobody expects. */
  faults: string[];
}

/** A page of its own session, logged in as a person does. */
export async function logIn(
  browser: Browser,
  url: string,
  account: Account,
  options: BrowserContextOptions = {},
): Promise<OwnPage> {
  const own = await openPage(browser, options);
  await own.page.goto(url);
  await submitLogin(own.page, account);
  // The first /api/me of somebody who is not logged in is refused, and the browser logs that.
  own.faults.splice(0);
  return own;
}

/** As `logIn`, but nothing is loaded yet: a whole overview costs as much as the page that somebody is after. */
export async function openSession(
  browser: Browser,
  url: string,
  account: Account,
  options: BrowserContextOptions = {},
): Promise<OwnPage> {
  const own = await openPage(browser, options);
  const answer = await own.page.request.post(`${url}/api/login`, { data: account });
  if (!answer.ok()) throw new Error(`the login was refused: ${answer.status()}`);
  return own;
}

async function openPage(browser: Browser, options: BrowserContextOptions): Promise<OwnPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(patienceMs);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  return { page, faults };
}

/** Fills the login that lies over the page, in whatever language. */
export async function submitLogin(page: Page, { email, password }: Account): Promise<void> {
  const login = page.getByTestId('login');
  await login.locator('input[name=email]').fill(email);
  await login.locator('input[name=password]').fill(password);
  await login.locator('button[type=submit]').click();
  await login.waitFor({ state: 'detached' });
}

export interface ImageOptions {
  version: string;
  name?: string;
  note?: string;
  sizeBytes?: number;
  selfTest?: 'pass' | 'fail';
  /** Of which version it is another build: all but the header is the same. */
  like?: string;
  /** Default: the main program of the virtual devices. */
  child?: { component: string; hardware: string };
}

/** Registers a firmware for the virtual devices, and answers its id. */
export async function addFirmware(rest: Rest, options: ImageOptions): Promise<string> {
  const { version, name = 'Thermostat', note = '', sizeBytes = 1024 * 1024, selfTest = 'pass' } = options;
  const seed = [...(options.like ?? version)].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7) % 1e6;
  const image = buildImage({ version, sizeBytes, selfTest, seed });
  const fileName = `${name.toLowerCase().replaceAll(' ', '-')}.bin`;
  const firmware = await registerFirmware(rest, image, {
    version,
    fileName,
    name,
    releaseNote: note,
    hardware,
    ...options.child,
  });
  return firmware.id;
}

/** An account of that role, made through the API. */
export async function addUser(rest: Rest, role: 'viewer' | 'operator'): Promise<Account> {
  const account = { email: `${role}@example.test`, password: `${role}s may look around` };
  await unwrap(rest.api.users.$post({ json: { ...account, role } }));
  return account;
}

type Ways = Pick<System, 'internalUrl' | 'webhookToken' | 'emqx'>;

/** As the broker does: again, where the webhook has no time for it. */
async function sendRow(stack: Ways, row: unknown): Promise<void> {
  const post = async () => {
    const answer = await fetch(`${stack.internalUrl}/emqx/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.webhookToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(row),
    });
    return { status: answer.status, text: await answer.text() };
  };
  const { status, text } = await until(post, (answer) => answer.status !== 503);
  if (status >= 300) throw new Error(`the webhook refused ${JSON.stringify(row)}: ${status} ${text}`);
}

/** A device's message as the broker's rules hand it over, without a device; `receivedAt`: not now. */
export function sendEvent(
  stack: Ways,
  {
    receivedAt = Date.now(),
    ...row
  }: { clientid: string; topic: string; payload: string; receivedAt?: number },
): Promise<void> {
  return sendRow(stack, { event: 'message', ...row, cert: `CN=${row.clientid}`, received_at: receivedAt });
}

/** The broker tells of a device that has come and waits for requests, without a device. */
export async function sendPresence(stack: Ways, clientid: string): Promise<void> {
  const client = { clientid, cert: `SERIALNUMBER=0A,CN=${clientid}` };
  await sendRow(stack, {
    event: 'connected',
    ...client,
    peername: '127.0.0.1:1',
    connected_at: Date.now(),
  });
  const topic = `devices/${clientid}/firmware/download/request`;
  await sendRow(stack, { event: 'subscribed', ...client, topic });
}

const first = { version: '1.0.0', securityVersion: 0 };
const unregistered = { component: 'main', hardware, sha256: 'a'.repeat(64), ...first };

/** A first report of a device with an Arduino on its serial port. */
export const reportChild = (stack: Ways, device: string, child: { component: string; hardware: string }) =>
  reportFirst(stack, device, [unregistered, { ...child, sha256: 'b'.repeat(64), ...first }]);

/** A first report of a device that runs that image. */
export const reportRunning = (stack: Ways, device: string, sha256: string) =>
  reportFirst(stack, device, [{ ...unregistered, sha256 }]);

function reportFirst(stack: Ways, device: string, running: object[]) {
  const boot = { count: 1, reason: 'power_on' };
  const report = { id: 'first', at: null, seq: [1, 0], state: 'ok', running, boot };
  return sendEvent(stack, {
    clientid: device,
    topic: `devices/${device}/status/health`,
    payload: JSON.stringify(report),
  });
}

/** What an admin of the broker does by its own API. */
export async function askBroker(stack: Ways, method: string, path: string, body?: object): Promise<void> {
  const { url, key, secret } = stack.emqx;
  const answer = await fetch(`${url}/api/v5${path}`, {
    method,
    headers: { authorization: `Basic ${btoa(`${key}:${secret}`)}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`the broker refused ${method} ${path}: ${answer.status}`);
}

/** Gives a firmware an SBOM, and brings in an advisory about what is in it; answers the vulnerability's name. */
export async function addVulnerability(
  { rest, stack }: { rest: Rest; stack: System },
  firmware: string,
): Promise<string> {
  const components = [
    { name: 'mbedtls', version: '3.4.0', purl: 'pkg:github/mbed-tls/mbedtls@v3.4.0' },
    { name: 'lwip', version: '2.1.3' },
  ];
  const headers = {
    authorization: `Bearer ${stack.apiToken}`,
    'content-type': 'application/octet-stream',
  };
  const body = JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components });
  const put = await fetch(`${stack.url}/api/firmware/${firmware}/sbom`, { method: 'PUT', headers, body });
  if (!put.ok) throw new Error(await put.text());
  const advisory = {
    id: 'OSV-2024-45157',
    modified: '2024-09-30T00:00:00Z',
    published: '2024-08-30T00:00:00Z',
    aliases: ['CVE-2024-45157'],
    summary: 'The generator of random numbers that was chosen is not the one that is used',
    severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N' }],
    references: [
      {
        url: 'https://mbed-tls.readthedocs.io/en/latest/security-advisories/mbedtls-security-advisory-2024-08-2/',
      },
    ],
    affected: [
      {
        package: { ecosystem: 'OSS-Fuzz', name: 'mbedtls' },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '3.6.1' }] }],
      },
    ],
  };
  await unwrap(rest.api.vulnerabilities.feed.$post({ json: { advisories: [advisory] } }));
  return advisory.aliases[0]!;
}
