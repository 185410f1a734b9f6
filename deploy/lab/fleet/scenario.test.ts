import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listScenarios, loadScenario } from '../scenario.ts';
import { toFigures } from './figures.ts';
import { toExperiment } from './options.ts';
import { type ExperimentScenario, judge } from './scenario.ts';

const nothing = toFigures({
  good: ['a', 'b'],
  bad: [],
  goodSha256: 'x',
  badSha256: 'y',
  imageBytes: 1000,
  deployedAt: 0,
  targets: [
    { device: 'a', state: 'succeeded', error: null, updatedAt: '1970-01-01T00:00:05.000Z' },
    {
      device: 'b',
      state: 'failed',
      error: { code: 'download_failed' },
      updatedAt: '1970-01-01T00:00:09.000Z',
    },
  ],
  reports: [],
  peakBytes: 0,
  processorMs: 0,
  crashes: 0,
  reconnectMs: null,
});

describe('a scenario', () => {
  it.each(listScenarios())(
    '%s says what it is about, and is one file that one reads at once',
    async (name) => {
      const scenario = (await loadScenario(name)) as ExperimentScenario;
      expect(scenario.about).toMatch(/^[A-Z5].{30,200}\.$/);
      const source = readFileSync(new URL(`../scenarios/${name}.ts`, import.meta.url), 'utf8');
      expect(source.split('\n').length).toBeLessThan(60);
      if (!scenario.spec || !('expect' in scenario.spec)) return;
      expect(Object.keys(scenario.spec.expect).length).toBeGreaterThan(1);
      expect(toExperiment(scenario.spec.options).devices).toBeGreaterThan(1);
    },
  );

  it('is met only by what was measured', () => {
    expect(nothing).toMatchObject({ successPercent: 50, to50Ms: 5000, to100Ms: null, recoveryPercent: null });
    const verdicts = judge(
      {
        state: 'completed',
        successPercent: '== 50',
        to50Ms: '<= 4999',
        to100Ms: '<= 999999',
        devices: '>= 2',
      },
      nothing,
      'completed',
    );
    expect(verdicts.map(({ met }) => met)).toEqual([true, true, false, false, true]);
  });

  it('that does not exist is refused by a line that names those that do', async () => {
    await expect(loadScenario('city')).rejects.toThrow(/^there is no scenario "city": .*city-wifi/);
    await expect(loadScenario('../../../package.json')).rejects.toThrow(/there is no scenario/);
  });
});
