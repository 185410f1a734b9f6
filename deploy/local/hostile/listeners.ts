/**
 * `npm start` as a process of its own, under bytes that no client of ours sends, at each port that it listens on: found by asking the
 * system, so that a listener that is added is attacked too.
 */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { expect } from 'vitest';
import { until } from '../../lab/primitives/until.ts';
import { type Run, start } from '../npm-start.ts';
import { loadSecrets } from '../secrets.ts';
import { hostileBytes } from './bytes.ts';

const hostileDevice = 'device-001';
const otherDevice = 'device-002';
const startsWithinMs = 120_000;

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
    const done = () => {
      clearTimeout(patience);
      socket.destroy();
      resolve();
    };
    const patience = setTimeout(() => {
      raw.resetAndDestroy();
      done();
    }, patienceMs);
    raw.on('close', done);
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
    const leave = () => {
      raw.resetAndDestroy();
      resolve();
    };
    raw.on('error', () => {}).once('data', leave);
    setTimeout(leave, patienceMs);
  });
}

/** `every`: all ways of sending at every port; 1 in 9 otherwise, so that each port sees all bytes and each way all ports. */
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
    readFileSync(join(dataDir, 'devices', hostileDevice, 'identity.json'), 'utf8'),
  );
  const device = { key, cert: `${certificate}${chain}`, servername: 'localhost' };
  const ways = (['end', 'reset', 'late'] as const).flatMap((ending) =>
    [null, {}, device].map((secure) => ({ ending, secure })),
  );
  const attacks = all.flatMap((bytes, i) =>
    ports.flatMap((port, j) =>
      ways
        .filter((_, way) => every || (i + j) % ways.length === way)
        .map(
          ({ ending, secure }) =>
            () =>
              attack(port, bytes, ending, secure),
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
  const url = /Console: +(\S+)/.exec(run.output())![1]!;
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const headers = { authorization: `Bearer ${secrets.apiToken}` };
  const isOnline = async () =>
    (await (await fetch(`${url}/api/devices/${otherDevice}`, { headers })).json()).online;
  await until(isOnline, Boolean, 60_000);
}
