import { compareReleases } from '../fleet/comparison.ts';
import { openSubject } from '../fleet/subject.ts';
import type { Scenario } from '../scenario.ts';
import rural from './rural-lte.ts';

/** As many bytes over the fleet at least, without patches. */
const timesFewer = 5;

export default {
  kind: 'experiment',
  title: 'A release over rural LTE',
  about:
    'The network of rural-lte and power cuts: a fleet takes the next release by patch, and the same fleet whole. At least five times fewer bytes.',
  async run({ seed, signal, createDisplay }) {
    const subject = await openSubject();
    try {
      const options = {
        ...rural.spec.options,
        'power-cuts': '20%',
        ...(seed !== null && { seed: String(seed) }),
      };
      const comparison = await compareReleases(
        { options, system: subject, signal, createDisplay },
        timesFewer,
      );
      return { good: comparison.good, text: comparison.text, report: comparison };
    } finally {
      await subject.close();
    }
  },
} satisfies Scenario;
