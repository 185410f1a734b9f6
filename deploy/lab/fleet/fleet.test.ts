import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spawnGuarded } from '../primitives/guard.ts';
import { program } from '../primitives/programs.js';
import { until } from '../primitives/until.ts';
import type { Report } from './report.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
let root: string;
const running = new Set<ChildProcess>();

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'fleet-test-'));
});
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

/** As `npm run fleet -- args` does it, with a directory of its own for temporary files. */
function start(args: string[]) {
  const temporary = mkdtempSync(join(root, 'tmp-'));
  const child = spawnGuarded(process.execPath, [...program(main), ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: temporary },
  });
  running.add(child);
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    output += data;
  });
  const exit = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  const left = () => readdirSync(temporary).filter((name) => name.startsWith('flota-'));
  return { child, exit, left, output: () => output };
}

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Report;

describe('npm run fleet', () => {
  it('updates ten devices over a bad network, each of them, and reports it', async () => {
    const path = join(root, 'lossy.json');
    const shape = '--loss 3% --latency 10ms --jitter 10ms --bandwidth 4mbit --disconnects 6/min';
    const faults = '--power-cuts 40% --bad-images 10% --seed 7';
    const run = start([...`--devices 10 --image 256KiB ${shape} ${faults}`.split(' '), '--report', path]);
    expect(await run.exit, run.output()).toBe(0);
    const { state, figures, failures, moments, completionsMs } = read(path);
    expect(state).toBe('completed');
    expect(figures).toMatchObject({
      devices: 10,
      successPercent: 100,
      badImageDevices: 1,
      rollbackPercent: 100,
      disagreements: 0,
      crashedProcesses: 0,
    });
    expect(figures.interruptedDevices).toBeGreaterThanOrEqual(3);
    expect(figures.to100Ms).toBeGreaterThanOrEqual(figures.to50Ms!);
    expect(figures.receivedBytes).toBeGreaterThanOrEqual(10 * 256 * 1024);
    expect(figures.messagesPerDevice).toBeGreaterThan(3);
    expect(failures).toEqual({ 'rolled_back: self_test_failed': 1 });
    expect(completionsMs).toHaveLength(9);
    expect(moments.at(-1)!.states).toMatchObject({ succeeded: 9, rolled_back: 1 });
    expect(run.left()).toEqual([]);
  }, 300_000);

  it('interrupted, leaves nothing behind and still writes the report', async () => {
    const path = join(root, 'interrupted.json');
    const run = start([...'--devices 5 --bandwidth 64kbit --image 1MiB --report'.split(' '), path]);
    await until(run.output, (text) => text.includes('downloading'));
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(130);
    const report = read(path);
    expect(report.state).toBe('interrupted');
    expect(report.figures.devices).toBe(5);
    expect(Object.keys(report.failures).length).toBeGreaterThan(0);
    expect(run.left()).toEqual([]);
  }, 180_000);

  it('fails when a scenario is not what it says it will be', async () => {
    const path = join(root, 'hopeless.mjs');
    const scenario = {
      title: 'Hopeless',
      about: 'More than all of them.',
      options: { devices: '2', image: '1KiB' },
      expect: { successPercent: '== 100', progressMessagesPerDevice: '>= 1000' },
    };
    writeFileSync(path, `export default ${JSON.stringify(scenario)};`);
    const run = start(['--scenario', path]);
    expect(await run.exit).toBe(1);
    expect(run.output()).toMatch(/ met +successPercent == 100/);
    expect(run.output()).toMatch(/NOT MET progressMessagesPerDevice >= 1000 \(found [\d.]+\)/);
  }, 180_000);

  it('says in one line what is wrong, and touches nothing', async () => {
    for (const [args, line] of [
      [['--loss', '3'], /^fleet: --loss: "3" is not a share from 0% to 100%, such as 3%\n$/],
      [['--scenario', 'nowhere'], /^fleet: there is no scenario "nowhere": [^\n]*\n$/],
      [['--report', '/dev/null/x.json'], /^fleet: --report: cannot write [^\n]*\n$/],
    ] as const) {
      const run = start([...args]);
      expect(await run.exit).toBe(1);
      expect(run.output()).toMatch(line);
    }
  });
});
