import { compareStrategies } from '../fleet/comparison.ts';
import { openSubject } from '../fleet/subject.ts';
import type { Scenario } from '../scenario.ts';

export default {
  kind: 'experiment',
  title: 'Strategies compared',
  about:
    'Fixed chunk and adaptive, restart and resume, all at once and waves on the same bad network: one run each, and the ratios.',
  async run({ seed, signal, createDisplay }) {
    const subject = await openSubject();
    try {
      const options = seed === null ? {} : { seed: String(seed) };
      const comparison = await compareStrategies({ options, system: subject, signal, createDisplay });
      return { good: comparison.good, text: comparison.text, report: comparison };
    } finally {
      await subject.close();
    }
  },
} satisfies Scenario;
