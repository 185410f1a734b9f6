import { spawn } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { built, make } from '../make.ts';
import { createPki } from '../virtual/bench/pki.ts';

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

it('a device whose broker is away waits without using the processor', { timeout: 60_000 }, async () => {
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
    expect(cpuMs(device.pid!) - before).toBeLessThan(spanMs / 20);
  } finally {
    device.kill('SIGKILL');
  }
});
