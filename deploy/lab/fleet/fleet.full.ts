import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { System } from '../system/system.ts';
import { type Display, silent } from './display.ts';
import { runExperiment } from './experiment.ts';
import type { ExperimentText } from './options.ts';
import { openSubject } from './subject.ts';

let system: System;
beforeAll(async () => {
  system = await openSubject();
});
afterAll(() => system?.close());

const run = (options: ExperimentText, display: Display = silent) =>
  runExperiment({ name: 'full', options, system, display, signal: new AbortController().signal });

const badNetwork: ExperimentText = {
  devices: '20',
  image: '2MiB',
  loss: '5%',
  latency: '20ms',
  bandwidth: '4mbit',
  disconnects: '4/min',
  'power-cuts': '10%',
  seed: '7',
};

describe('a fleet', () => {
  it('on a bad network with power cuts gets there whole, and re-downloads next to nothing because it resumes', async () => {
    const resume = await run(badNetwork);
    expect(resume.figures).toMatchObject({ successPercent: 100, disagreements: 0 });
    expect(resume.figures.redownloadPercent).toBeLessThanOrEqual(5);
    const restart = await run({ ...badNetwork, resume: 'no', chunk: '64MiB' });
    expect(restart.figures.successPercent).toBe(100);
    expect(restart.figures.redownloadPercent).toBeGreaterThan(50);
  }, 600_000);

  it('tells of a device process that crashes, and ends without its devices', async () => {
    let killed = false;
    const killer: Display = {
      ...silent,
      update(scene) {
        if (killed || !scene.states.downloading) return;
        killed = true;
        const pids = execFileSync('pgrep', ['-P', String(process.pid), '-f', 'worker.mjs'], {
          encoding: 'utf8',
        });
        process.kill(Number(pids.split('\n')[0]), 'SIGKILL');
      },
    };
    const slow = { devices: '6', processes: '2', image: '512KiB', bandwidth: '256kbit' };
    const { state, problems, figures } = await run(slow, killer);
    expect(state).toBe('failed');
    expect(problems.join('\n')).toMatch(/device process \d \(3 devices\) ended: SIGKILL/);
    expect(problems.join('\n')).toContain('3 devices were lost with their process');
    expect(figures).toMatchObject({ crashedProcesses: 1, successPercent: 50 });
  }, 300_000);
});
