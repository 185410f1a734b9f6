/** The one-shot jobs of compose.yaml, as processes, against a local Flota. */

import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { spawnGuarded } from '../lab/primitives/guard.ts';
import { listen } from '../lab/primitives/listen.ts';
import { program } from '../lab/primitives/programs.js';
import { until } from '../lab/primitives/until.ts';
import { unwrap } from '../lab/rest.ts';
import { startTestSystem, type TestSystem } from '../lab/testing.ts';

let system: TestSystem;
let children: ChildProcess[];
beforeAll(async () => {
  children = [];
  system = await startTestSystem();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await system?.close();
});

function start(job: string, args: string[], env: Record<string, string>) {
  const path = fileURLToPath(new URL(`./${job}.ts`, import.meta.url));
  const child = spawnGuarded(process.execPath, [...program(path), ...args], {
    env: { PATH: process.env.PATH, ...env },
  });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      output += data;
    });
  const status = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, output: () => output, status };
}

test('the first device gets its certificate, comes online, and is the same device at its second start', async () => {
  const dir = join(system.dataDir, 'first-device');
  const trust = join(system.dataDir, 'trust.pem');
  writeFileSync(trust, system.stack.trust);
  const env = {
    FLOTA_URL: system.stack.url,
    FLOTA_MQTT_URL: system.stack.mqttUrl,
    FLOTA_API_TOKEN: system.stack.apiToken,
    CA_ROOT: trust,
    FIRMWARE_KEYS: JSON.stringify(system.stack.signing.publicKeys),
  };
  const first = start('first-device', ['--dir', dir], env);
  await until(first.output, (text) => text.includes('is online'));
  const device = () => unwrap(system.rest.api.devices[':id'].$get({ param: { id: 'first-device' } }));
  // It has said so before the broker's word has come to the webhook.
  await until(device, ({ online }) => online);
  first.child.kill('SIGTERM');
  expect(await first.status).toBe(0);
  const identity = readFileSync(join(dir, 'identity.json'), 'utf8');
  const again = start('first-device', ['--dir', dir], env);
  await until(again.output, (text) => text.includes('is online'));
  expect(again.output()).not.toContain('has its certificate');
  expect(readFileSync(join(dir, 'identity.json'), 'utf8')).toBe(identity);
  again.child.kill('SIGTERM');
  expect(await again.status).toBe(0);
});

test('the broker gets a token for its names, and none when it has a certificate', async () => {
  const dir = join(system.dataDir, 'certs');
  mkdirSync(dir);
  const token = join(dir, 'token');
  const file = join(system.dataDir, 'api-token');
  writeFileSync(file, `${system.stack.apiToken}\n`);
  const env = { FLOTA_URL: system.stack.url, FLOTA_HOST: 'flota.example.org', FLOTA_API_TOKEN_FILE: file };
  // One that is there from before, and that everybody may read.
  writeFileSync(token, 'old', { mode: 0o644 });
  const first = start('broker-token', ['--out', token], env);
  expect(await first.status, first.output()).toBe(0);
  expect(first.output()).toBe('one-time token for emqx, flota.example.org\n');
  expect(readFileSync(token, 'utf8')).toMatch(/^[A-Za-z0-9_-]{16,}$/);
  expect(statSync(token).mode & 0o777).toBe(0o600);
  writeFileSync(join(dir, 'cert.pem'), '');
  const again = start('broker-token', ['--out', token], env);
  expect(await again.status).toBe(0);
  expect(again.output()).toBe('the broker has its certificate\n');
});

test('the bucket is made once, lets the console upload, and drops what nobody ends', async () => {
  const asked: string[] = [];
  let made = false;
  const said: Record<string, string> = {};
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const address = new URL(request.url!, 'http://s3');
    const about = ['cors', 'lifecycle'].find((name) => address.searchParams.has(name));
    asked.push(`${request.method} ${address.pathname}${about ? `?${about}` : ''}`);
    if (about) said[about] = body;
    else if (request.method === 'PUT') made = true;
    // Not every store knows such rules.
    const isUnknown = about === 'lifecycle' && asked.length > 4;
    response.writeHead(isUnknown ? 501 : request.method === 'HEAD' && !made ? 404 : 200).end();
  });
  const env = {
    S3_ENDPOINT: `http://127.0.0.1:${await listen(server)}`,
    S3_BUCKET: 'flota',
    PUBLIC_URL: 'https://flota.example.org/console',
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
  };
  for (let i = 0; i < 2; i++) expect(await start('bucket', [], env).status).toBe(0);
  server.closeAllConnections();
  server.close();
  const path = (entry: string) => entry.replace(/\/(\?|$)/, '$1');
  expect(asked.map(path)).toEqual([
    'HEAD /flota',
    'PUT /flota',
    'PUT /flota?cors',
    'PUT /flota?lifecycle',
    'HEAD /flota',
    'PUT /flota?cors',
    'PUT /flota?lifecycle',
  ]);
  expect(said.lifecycle).toContain('<DaysAfterInitiation>7</DaysAfterInitiation>');
  expect(said.cors).toContain('<AllowedOrigin>https://flota.example.org</AllowedOrigin>');
});

test('a job says everything that its environment lacks', async () => {
  const job = start('broker-token', [], { FLOTA_HOST: 'no host' });
  expect(await job.status).toBe(1);
  expect(job.output()).toBe('--out: is needed\n');
  const device = start('first-device', ['--dir', '/'], { FLOTA_MQTT_URL: 'mqtt://plain' });
  expect(await device.status).toBe(1);
  for (const name of ['FLOTA_URL', 'FLOTA_MQTT_URL', 'FLOTA_API_TOKEN', 'CA_ROOT', 'FIRMWARE_KEYS'])
    expect(device.output()).toContain(`${name}: `);
});
