import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createObjectStore } from './firmware/objects.ts';
import { apiToken, startTestWebhook, webhookToken } from './testing.ts';
import { startSuite } from './testing-suite.ts';

const consoleDir = mkdtempSync(join(tmpdir(), 'flota-console-'));
mkdirSync(join(consoleDir, 'assets'));
writeFileSync(join(consoleDir, 'index.html'), '<!doctype html>');
writeFileSync(join(consoleDir, 'assets', 'main-1a2b.js'), 'export {}');
afterAll(() => rmSync(consoleDir, { recursive: true }));
const { database, webhook } = await startSuite({ consoleDir });
webhook.objects.objects.set('crl.pem', Buffer.from('CRL'));

const get = async (path: string, port = webhook.copy.port, headers: Record<string, string> = {}) => {
  const abort = new AbortController();
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { authorization: `Bearer ${apiToken}`, ...headers },
    signal: abort.signal,
  });
  // One of them streams for ever.
  abort.abort();
  return response;
};

describe.each([
  ['an answer of the API', '/api/regions', 200],
  ['a fault of the request', '/api/deployments/1', 400],
  ['a thing that is not there', '/api/devices/nobody', 404],
  ['a route that is not there', '/api/nothing', 404],
  ['a method that is not there', '/api/login', 405],
  ['a stream', '/api/live', 200],
  ['the document', '/api/openapi.json', 200],
  ['the docs', '/api/docs', 200],
  ['a CRL', '/crl/crl.pem', 200],
  ['a CRL that is not there', '/crl/x.pem', 404],
  ['a page of the console', '/devices/one', 200],
  ['its first page', '/', 200],
  ['an asset', '/assets/main-1a2b.js', 200],
  ['an asset that is not there', '/assets/other.js', 404],
  ['a probe', '/healthz', 200],
])('%s', (_, path, status) => {
  test('tells browsers to guess no type, to show it in no frame, and whom its page may reach', async () => {
    const response = await get(path);
    const header = (name: string) => response.headers.get(name);
    expect([path, response.status]).toEqual([path, status]);
    expect(header('x-content-type-options')).toBe('nosniff');
    expect(header('x-frame-options')).toBe('DENY');
    expect(header('referrer-policy')).toBe('no-referrer');
    expect(header('cross-origin-opener-policy')).toBe('same-origin');
    expect(header('permissions-policy')).toContain('usb=()');
    expect(header('strict-transport-security')).toBeNull();
    expect(header('x-powered-by')).toBeNull();
    expect(header('content-type')).toBeTruthy();
    const policy = Object.fromEntries(
      header('content-security-policy')!
        .split('; ')
        .map((directive) => [directive.split(' ')[0], directive.split(' ').slice(1).join(' ')]),
    );
    expect(policy).toMatchObject({
      'default-src': "'self'",
      'script-src': "'self'",
      'object-src': "'none'",
      'base-uri': "'none'",
      'form-action': "'self'",
      'frame-ancestors': "'none'",
      'connect-src': "'self' https://store.test",
    });
    if (path.startsWith('/api/')) expect(header('cache-control')).toBe('no-store');
    if (path === '/' || path === '/devices/one') expect(header('cache-control')).toBe('no-cache');
  });
});

test('what only the private network reaches is not guessed at either', async () => {
  for (const [path, status] of [
    ['/metrics', 200],
    ['/nothing', 404],
    ['/emqx/events', 405],
  ] as const) {
    const response = await get(path, webhook.copy.internalPort, { authorization: `Bearer ${webhookToken}` });
    expect([path, response.status]).toEqual([path, status]);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  }
});

test('behind https, browsers are told to stay there', async () => {
  const secure = await startTestWebhook(database, { publicUrl: 'https://flota.example' });
  const { headers } = await secure.api('GET', '/healthz');
  await secure.close();
  expect(headers.get('strict-transport-security')).toBe('max-age=15552000');
});

test.each([
  ['AWS', { bucket: 'images', region: 'eu-west-1' }],
  ['AWS, a bucket with dots', { bucket: 'images.example.com', region: 'us-east-1' }],
  ['a store of one’s own', { bucket: 'images', region: 'x', endpoint: 'http://10.0.0.1:9000' }],
  [
    'another address for browsers',
    { bucket: 'images', region: 'x', endpoint: 'http://a', publicUrl: 'https://b/c' },
  ],
])('the origin that the console may upload to is that of the presigned address: %s', async (_, settings) => {
  const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' };
  const store = createObjectStore({ ...settings, credentials });
  expect(new URL((await store.presignUpload('1/firmware.bin')).url).origin).toBe(store.browserOrigin);
  store.close();
});
