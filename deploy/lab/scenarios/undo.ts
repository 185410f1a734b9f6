import type { Scenario } from '../scenario.ts';
import { runUndo } from '../undo/undo.ts';

const devices = 60;

export default {
  kind: 'rollout',
  title: 'An undo',
  about:
    'A fleet is updated and taken back by one order: every device boots its previous slot, power cuts included, and downloads nothing.',
  async run({ createDisplay, name, seed }) {
    const display = createDisplay(name);
    try {
      const run = await runUndo(devices, seed ?? 1, (line) => display.phase(line));
      const all = run.state === 'completed' && run.succeeded === devices && run.back === devices;
      const text = `${run.state}: ${run.back} of ${devices} back in ${run.seconds.toFixed(1)} s, ${run.imageBytes} bytes of image, ${run.powerCuts} power cuts`;
      return { good: all && run.imageBytes === 0, text, report: run };
    } finally {
      display.end();
    }
  },
} satisfies Scenario;
