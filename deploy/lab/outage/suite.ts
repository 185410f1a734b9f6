/** The outages as tests: the same scenarios that the lab runs, those of one site on one bench. */
import { afterAll, beforeAll, test } from 'vitest';
import { listScenarios, loadScenario } from '../scenario.ts';
import { type Bench, openBench, type Site } from './bench.ts';
import { type OutageScenario, survive } from './outage.ts';
import type { Settings } from './settings.ts';

/** `only`: names; default all of that site. To be awaited at the file's top. */
export async function defineOutages(site: Site, settings: Settings, only?: string[]): Promise<void> {
  const timeoutMs = 6 * (settings.outageMs + settings.recoveryMs);
  let bench: Bench;
  beforeAll(async () => {
    bench = await openBench(site, settings);
  }, 180_000);
  afterAll(() => bench?.close(), 60_000);
  for (const name of only ?? listScenarios()) {
    const scenario = (await loadScenario(name)) as OutageScenario;
    if (scenario.kind !== 'outage' || scenario.site !== site) continue;
    test(
      `${settings.devices} devices lose no critical message: ${scenario.title}`,
      async (context) => {
        const faults = scenario.spec.faults(bench);
        if (faults.length === 0) context.skip('NOT RUN: nobody said how (BROKER_RESTART_CMD)');
        for (const fault of faults) await survive(scenario.spec, bench, fault);
      },
      timeoutMs,
    );
  }
}
