/** Everything that `npm start` listens with, found by asking the system, under bytes that no client of ours sends. */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../lab/primitives/until.ts';
import { killAll, type Run, start } from '../npm-start.ts';
import { loadSecrets } from '../secrets.ts';
import { hostileBytes } from './bytes.ts';

let dataDir: string;
let run: Run;
const deviceId = 'device-001';
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'flota-hostile-'));
  run = start(['--devices', '1', '--no-demo'], { FLOTA_DATA: dataDir });
  await until(run.output, (text) => text.includes('Running.'), 60_000);
}, 90_000);
afterAll(() => {
  killAll();
  rmSync(dataDir, { recursive: true, force: true });
});

/** From /proc: the sockets that this process holds and that are in state LISTEN (0A). */
function listeningPorts(pid: number): number[] {
  const held = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  const lines = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').trim().split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A' && held.has(fields[9]!))
    .map((fields) => Number.parseInt(fields[1]!.split(':')[1]!, 16));
}

/** Some listeners rightly wait for the rest. */
const patienceMs = 400;
const atOnce = 16;

/** `end`: the peer closes and is waited for; `reset`: as soon as the bytes are out; `late`: after the first answer. */
type Ending = 'end' | 'reset' | 'late';

function attack(
  port: number,
  bytes: Buffer,
  ending: Ending,
  secure: tls.ConnectionOptions | null,
): Promise<void> {
  return new Promise((resolve) => {
    const raw = net.connect(port, '127.0.0.1');
    const socket = secure ? tls.connect({ ...secure, socket: raw, rejectUnauthorized: false }) : raw;
    const patience = setTimeout(() => raw.resetAndDestroy(), patienceMs);
    raw.on('close', () => {
      clearTimeout(patience);
      socket.destroy();
      resolve();
    });
    for (const each of new Set([raw, socket])) each.on('error', () => raw.destroy());
    if (ending === 'late') socket.once('data', () => raw.resetAndDestroy());
    else socket.resume();
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      if (ending === 'end') socket.end(bytes);
      else socket.write(bytes, () => ending === 'reset' && raw.resetAndDestroy());
    });
  });
}

/** A client that goes away in the middle of its handshake. */
function halfHandshake(port: number): Promise<void> {
  return new Promise((resolve) => {
    const raw = net.connect(port, '127.0.0.1');
    const socket = tls.connect({ socket: raw, rejectUnauthorized: false });
    socket.on('error', () => {});
    raw.on('error', () => {}).on('close', () => resolve());
    raw.once('data', () => raw.resetAndDestroy());
    setTimeout(() => raw.resetAndDestroy(), patienceMs).unref();
  });
}

it('nothing that npm start listens with falls to hostile bytes, half-open connections or resets', async () => {
  const secrets = loadSecrets(dataDir);
  const ports = listeningPorts(run.child.pid!);
  // Console and API, internal, MQTT, the broker's API, the store twice.
  expect(ports.length).toBeGreaterThanOrEqual(6);
  const all = hostileBytes({
    bearer: [secrets.apiToken, secrets.webhookToken],
    basic: `${secrets.emqxKey}:${secrets.emqxSecret}`,
  });
  const idle = ports.flatMap((port) => [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')]);
  for (const [i, socket] of idle.entries()) {
    socket.on('error', () => {});
    if (i % 2) socket.write('G');
  }
  const { key, certificate, chain } = JSON.parse(
    readFileSync(join(dataDir, 'devices', deviceId, 'identity.json'), 'utf8'),
  );
  const device = { key, cert: `${certificate}${chain}`, servername: 'localhost' };
  const attacks = all.flatMap((bytes) =>
    ports.flatMap((port) =>
      (['end', 'reset', 'late'] as const).flatMap((ending) =>
        [null, {}, device].map((secure) => () => attack(port, bytes, ending, secure)),
      ),
    ),
  );
  const lane = async () => {
    for (let next = attacks.pop(); next; next = attacks.pop()) await next();
  };
  await Promise.all(Array.from({ length: atOnce * ports.length }, lane));
  await Promise.all(ports.map(halfHandshake));
  for (const socket of idle) socket.resetAndDestroy();

  expect(run.child.exitCode, run.errors()).toBe(null);
  expect(run.errors()).toBe('');
  expect(listeningPorts(run.child.pid!).sort()).toEqual(ports.sort());
  const console = /Console: +(\S+)/.exec(run.output())![1]!;
  expect((await fetch(`${console}/readyz`)).status).toBe(200);
  const headers = { authorization: `Bearer ${secrets.apiToken}` };
  const isOnline = async () =>
    (await (await fetch(`${console}/api/devices/${deviceId}`, { headers })).json()).online;
  await until(isOnline, Boolean);
  run.child.kill('SIGINT');
  expect(await run.exit).toBe(0);
}, 120_000);
