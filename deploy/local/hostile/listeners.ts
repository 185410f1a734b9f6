/** `npm start`, and the CA as a service with its metrics, each as a process of its own under hostile bytes. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { spawnGuarded } from '../../lab/primitives/guard.ts';
import { program } from '../../lab/primitives/programs.js';
import { until } from '../../lab/primitives/until.ts';
import { type Run, start } from '../npm-start.ts';
import { loadSecrets } from '../secrets.ts';
import { attack, bombard, listeningPorts } from './bombard.ts';
import { hostileBytes } from './bytes.ts';

const hostileDevice = 'device-001';
const otherDevice = 'device-002';
const startsWithinMs = 120_000;

/** `every`: as in `Bombardment`. */
export async function attackNpmStart(every: boolean): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'flota-hostile-'));
  const run = start(['--devices', '2', '--no-demo'], { FLOTA_DATA: dataDir });
  try {
    await until(
      run.output,
      (text) => text.includes('Running.') || run.child.exitCode !== null,
      startsWithinMs,
    );
    expect(run.output(), run.errors()).toContain('Running.');
    await attackAll(run, dataDir, every);
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(0);
  } finally {
    run.child.kill('SIGKILL');
    await run.exit;
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function attackAll(run: Run, dataDir: string, every: boolean): Promise<void> {
  const secrets = loadSecrets(dataDir);
  const bytes = hostileBytes({
    bearer: [secrets.apiToken, secrets.webhookToken],
    basic: `${secrets.emqxKey}:${secrets.emqxSecret}`,
  });
  const { key, certificate, chain } = JSON.parse(
    readFileSync(join(dataDir, 'devices', hostileDevice, 'identity.json'), 'utf8'),
  );
  const device = { key, cert: `${certificate}${chain}`, servername: 'localhost' };
  const pid = run.child.pid!;
  const ports = await bombard({ pid, bytes, secures: [null, {}, device], every });
  // Console and API, internal, MQTT, the broker's API, the store twice.
  expect(ports.length).toBeGreaterThanOrEqual(6);
  // As the device itself: it is thrown out each time. At last with a connection that breaks as soon as it has said its name.
  const connect = Buffer.from('100c00044d5154540402003c0000', 'hex');
  const broken = Buffer.concat([connect, Buffer.from('4000', 'hex')]);
  for (let i = 0; i < (every ? 50 : 2); i++)
    for (const bytes of [connect, broken])
      await Promise.all(ports.map((port) => attack(port, bytes, 'late', device)));

  expect(run.child.exitCode, run.errors()).toBe(null);
  expect(run.errors()).toBe('');
  expect(listeningPorts(pid).sort()).toEqual(ports.sort());
  const url = /Console: +(\S+)/.exec(run.output())![1]!;
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const headers = { authorization: `Bearer ${secrets.apiToken}` };
  const isOnline = async (id: string) =>
    (await (await fetch(`${url}/api/devices/${id}`, { headers })).json()).online;
  await until(`${otherDevice} online`, () => isOnline(otherDevice));
  // The attacked one comes back by itself: first to the broker, after its pauses, and then without delay to the console.
  const access = { authorization: `Basic ${btoa(`${secrets.emqxKey}:${secrets.emqxSecret}`)}` };
  const clientAt = (port: number) => `http://127.0.0.1:${port}/api/v5/clients?clientid=${hostileDevice}`;
  // Which port is the broker's API is not printed; the others refuse.
  const asks = ports.map((port) => async () => (await fetch(clientAt(port), { headers: access })).json());
  const atBroker = async () =>
    (await Promise.allSettled(asks.map((ask) => ask()))).some(
      (answer) => answer.status === 'fulfilled' && answer.value.data?.[0]?.connected,
    );
  await until(`${hostileDevice} at the broker`, atBroker);
  await until(`${hostileDevice} online`, () => isOnline(hostileDevice));
}

export async function attackCa(every: boolean): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'flota-hostile-'));
  const env = { PATH: process.env.PATH, CA_DIR: dir, CA_PORT: '0', CA_METRICS_PORT: '0' };
  const run = (file: string) => program(new URL(`../../../ca/${file}`, import.meta.url));
  spawnSync(process.execPath, [...run('cli.ts'), 'init'], { env });
  const out = join(dir, 'webhook');
  const issue = ['issue', '--name', 'webhook.flota', '--out', out];
  expect(spawnSync(process.execPath, [...run('cli.ts'), ...issue], { env }).status).toBe(0);
  const service = spawnGuarded(process.execPath, run('main.ts'), { env });
  const [output, errors]: [string[], string[]] = [[], []];
  service.stdout.on('data', (text) => output.push(String(text)));
  service.stderr.on('data', (text) => errors.push(String(text)));
  const exit = new Promise((resolve) => service.once('exit', resolve));
  try {
    const metrics = await until('its metrics', () => /"(http:[^"]+)"/.exec(output.join(''))?.[1]);
    const webhook = {
      key: readFileSync(join(out, 'key.pem')),
      cert: readFileSync(join(out, 'cert.pem')),
      servername: 'localhost',
    };
    const bytes = hostileBytes({ bearer: ['x', 'x'], basic: 'x:x' });
    const ports = await bombard({ pid: service.pid!, bytes, secures: [null, {}, webhook], every });
    expect(ports).toHaveLength(2);
    expect([service.exitCode, errors.join('')]).toEqual([null, '']);
    expect(listeningPorts(service.pid!).sort()).toEqual(ports.sort());
    expect((await fetch(metrics)).status).toBe(200);
    service.kill('SIGTERM');
    expect(await exit).toBe(0);
  } finally {
    service.kill('SIGKILL');
    await exit;
    rmSync(dir, { recursive: true, force: true });
  }
}
