import { describe, expect, it } from 'vitest';
import { toFigures } from './figures.ts';
import { toExperiment } from './options.ts';
import { judge, listScenarios, loadScenario } from './scenario.ts';

const nothing = toFigures({
  good: ['a', 'b'],
  bad: [],
  goodSha256: 'x',
  badSha256: 'y',
  imageBytes: 1000,
  deployedAt: 0,
  targets: [
    { device: 'a', state: 'succeeded', attempt: 1, error: null, updatedAt: '1970-01-01T00:00:05.000Z' },
    {
      device: 'b',
      state: 'failed',
      attempt: 2,
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
  it.each(listScenarios())('%s says what it expects, with options that are valid', async (name) => {
    const scenario = await loadScenario(name);
    expect(Object.keys(scenario.expect).length).toBeGreaterThan(1);
    expect(toExperiment(scenario.options).devices).toBeGreaterThan(1);
  });

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
