import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../lab/primitives/listen.ts';
import { until } from '../lab/primitives/until.ts';
import { killAll, start } from './npm-start.ts';

let root: string;
type Surroundings = { root: string; keys: object; mqttUrl: string };

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'flota-start-'));
});
afterAll(() => {
  killAll();
  rmSync(root, { recursive: true, force: true });
});

async function refused(args: string[], environment: Record<string, string>): Promise<string> {
  const run = start(args, environment);
  expect(await run.exit).toBe(1);
  return run.errors();
}

describe('npm start', () => {
  it('goes on after kill -9 in the middle of the demo, and lets no second start into the same directory', async () => {
    const FLOTA_DATA = join(root, 'killed');
    const first = start(['--devices', '3'], { FLOTA_DATA });
    // By then a device has written down how far it is, which it does after four ranges at the latest: at a quarter it is in its fourth.
    await until(first.output, (text) => /downloading 50 %/.test(text));
    // At once: on a slow machine the downloads would be over before anything else is done.
    first.child.kill('SIGKILL');
    await first.exit;
    const again = start(['--devices', '3', '--exit'], { FLOTA_DATA });
    await until(again.output, (text) => text.includes('Starting Flota'));
    const second = await refused([], { FLOTA_DATA });
    expect(second).toMatch(/^flota: .* is in use by another Flota \(process \d+\)[^\n]*\n$/);
    expect(await again.exit, again.errors() + again.output()).toBe(0);
    expect(again.output()).toMatch(
      /^3\/3 succeeded\n {2}success rate +100\.0 %\n {2}mean download time +[\d.]+ s\n/m,
    );
    expect(again.output()).toMatch(/^ {2}resumed downloads +[1-3]$/m);

    const third = start(['--devices', '3', '--exit'], { FLOTA_DATA });
    expect(await third.exit).toBe(0);
    expect(third.output()).toContain('3/3 succeeded');
  }, 120_000);

  it('stops cleanly on Ctrl-C', async () => {
    const FLOTA_DATA = join(root, 'interrupted');
    // A browser that only says what it was asked to open.
    const bin = join(root, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'xdg-open'), `#!/bin/sh\necho "$1" > ${root}/opened\n`);
    chmodSync(join(bin, 'xdg-open'), 0o755);
    const PATH = `${bin}:${process.env.PATH}`;
    const run = start(['--devices', '0', '--open'], { FLOTA_DATA, PATH });
    await until(run.output, (text) => text.includes('Running.'));
    const url = /^Console: +(\S+)$/m.exec(run.output())![1]!;
    expect(run.output()).toContain(`none yet; connect one of your own: ${url}/connect`);
    expect(readFileSync(join(root, 'opened'), 'utf8').trim()).toBe(url);
    const handout = (name: string) => {
      const path = join(FLOTA_DATA, name);
      expect(run.output()).toContain(`${path}  `);
      expect(statSync(path).mode & 0o077).toBe(0);
      return readFileSync(path, 'utf8').trim();
    };
    const authorization = `Bearer ${handout('api-token')}`;
    const ask = async (path: string) => (await fetch(url + path, { headers: { authorization } })).json();
    expect(await ask('/api/devices')).toEqual([]);
    const { root: pem, keys, mqttUrl } = (await ask('/api/surroundings')) as Surroundings;
    expect(handout('root.pem')).toBe(pem.trim());
    expect(new X509Certificate(pem).ca).toBe(true);
    expect(JSON.parse(handout('firmware-keys.json'))).toEqual(keys);
    expect(run.output()).toContain(mqttUrl);
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(0);
    expect(run.errors()).toBe('');
  });

  it('names a taken port and its variable in one line', async () => {
    const server = createServer();
    const port = await listen(server);
    const errors = await refused([], { FLOTA_DATA: join(root, 'port'), MQTT_PORT: String(port) });
    server.close();
    expect(errors).toBe(`flota: port ${port} is taken: stop what uses it, or set MQTT_PORT to another\n`);
  });

  it('names a directory that cannot be written in one line', async () => {
    writeFileSync(join(root, 'file'), '');
    const errors = await refused([], { FLOTA_DATA: join(root, 'file', 'data') });
    expect(errors).toMatch(
      /^flota: .*file\/data cannot be written \(ENOTDIR\): choose another FLOTA_DATA\n$/,
    );
  });

  it('lists every bad variable and option, a line each, before it touches anything', async () => {
    const errors = await refused(['--devices', 'many'], {
      FLOTA_DATA: join(root, 'bad'),
      PORT: '99999',
      S3_PORT: '9001',
      MQTT_PORT: '9001',
      DATABASE_URL: 'mysql://localhost/flota',
    });
    expect(errors.trim().split('\n')).toHaveLength(3);
    for (const name of ['PORT', 'DATABASE_URL', '--devices']) expect(errors).toContain(name);
    const clash = await refused([], { FLOTA_DATA: join(root, 'bad'), S3_PORT: '9001', MQTT_PORT: '9001' });
    expect(clash).toBe('flota: MQTT_PORT and S3_PORT: both are 9001\n');
  });

  it('explains itself with --help', async () => {
    const run = start(['--help']);
    expect(await run.exit).toBe(0);
    expect(run.output()).toContain('--devices N');
  });
});
