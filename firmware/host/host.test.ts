import { execFileSync, spawn } from 'node:child_process';
import { createHash, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { built, make } from '../make.ts';
import { Broker } from '../virtual/bench/broker.ts';
import { createPki } from '../virtual/bench/pki.ts';
import { createCsr } from '../virtual/csr.ts';
import { createKey } from '../virtual/identity.ts';

const dir = fs.mkdtempSync(join(tmpdir(), 'flota-host-'));

beforeAll(() => make('build/flota-device'), 600_000);
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

/** Processor time that a process has used, in ms (proc_pid_stat(5); a clock tick is 10 ms on Linux). */
function cpuMs(pid: number): number {
  const fields = fs
    .readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

it('a device whose broker is away waits without using the processor', async () => {
  const pki = await createPki();
  const pair = await pki.server();
  fs.writeFileSync(join(dir, 'identity.pem'), `${pair.certificate}${pair.key}`);
  fs.writeFileSync(join(dir, 'trust.pem'), pki.trust);
  const jwk = createPublicKey(pair.key).export({ format: 'jwk' });
  fs.writeFileSync(join(dir, 'keys.json'), JSON.stringify({ keys: [{ ...jwk, kid: 'key-1' }] }));
  // Port 1 is nobody's: every connection is refused.
  const device = spawn(built('flota-device'), [
    ...['--id', 'localhost', '--dir', dir, '--mqtt-url', 'mqtts://127.0.0.1:1', '--log', 'debug'],
    ...['--trust', join(dir, 'trust.pem'), '--signing-keys', join(dir, 'keys.json')],
  ]);
  try {
    await new Promise((resolve) => device.stdout.once('data', resolve));
    const before = cpuMs(device.pid!);
    const spanMs = 3_000;
    await new Promise((resolve) => setTimeout(resolve, spanMs));
    expect(cpuMs(device.pid!) - before).toBeLessThan(spanMs / 10);
  } finally {
    device.kill('SIGKILL');
  }
});

it('a process that crashes tells where by its next boot, in addresses of its ELF', async () => {
  fs.mkdirSync(dir, { recursive: true });
  const pki = await createPki();
  const server = await pki.server();
  const broker = await Broker.start({ ...server, trust: pki.trust });
  const key = createKey();
  const certificate = await pki.issue(createCsr(key, 'dev-1'));
  fs.writeFileSync(join(dir, 'identity.pem'), `${certificate}${pki.issuing}${key}`);
  fs.writeFileSync(join(dir, 'trust.pem'), pki.trust);
  const jwk = createPublicKey(server.key).export({ format: 'jwk' });
  fs.writeFileSync(join(dir, 'keys.json'), JSON.stringify({ keys: [{ ...jwk, kid: 'key-1' }] }));
  const start = () =>
    spawn(built('flota-device'), [
      ...['--id', 'dev-1', '--dir', dir, '--mqtt-url', broker.url.replace('127.0.0.1', 'localhost')],
      ...['--trust', join(dir, 'trust.pem'), '--signing-keys', join(dir, 'keys.json')],
    ]);
  let device = start();
  try {
    const booted = (count: number) =>
      broker.see('status/health', (it) => (it.boot as { count: number } | undefined)?.count === count);
    expect((await booted(1)).crash).toBeUndefined();
    const ended = once(device, 'exit');
    device.kill('SIGSEGV');
    expect((await ended)[1]).toBe('SIGSEGV');
    device = start();
    const { boot, crash } = (await booted(2)) as { boot: object; crash: Record<string, string & string[]> };
    expect(boot).toEqual({ count: 2, reason: 'watchdog' });
    expect(crash.reason).toBe('SIGSEGV');
    const elf = fs.readFileSync(built('flota-device'));
    expect(crash.elf).toBe(createHash('sha256').update(elf).digest('hex'));
    const names = execFileSync('addr2line', ['-f', '-e', built('flota-device'), ...crash.backtrace!]);
    expect(names.toString()).toMatch(/\bmain\n/);
    // It is told: the next boot says nothing of it.
    device.kill('SIGTERM');
    await once(device, 'exit');
    device = start();
    expect((await booted(3)).crash).toBeUndefined();
    expect(broker.violations).toEqual([]);
  } finally {
    device.kill('SIGKILL');
    await broker.close();
  }
});
