/** An undo of a whole fleet: how long until the last device attests the older image, and what was downloaded for it. */
import { runUndo } from '../undo/undo.ts';
import type { Figures } from './figures.ts';

const devices = 2_000;
const aimSeconds = 60;

export async function measureUndo(): Promise<Figures> {
  const run = await runUndo(devices, 1, (line) => process.stderr.write(`undo: ${line}\n`));
  if (run.back !== devices) throw new Error(`${run.back} of ${devices} devices are back: ${run.state}`);
  const seconds = Math.round(run.seconds * 10) / 10;
  process.stderr.write(
    `undo: ${seconds} s, of which the webhook and its database computed ${run.webhookSeconds.toFixed(1)} s; load ${run.load.toFixed(1)} on ${run.cores} cores\n`,
  );
  return {
    'undo.seconds': {
      value: seconds,
      unit: `s until all of ${devices} devices attest the older image, ${run.powerCuts} of them through a power cut`,
      processorUs: Math.round((run.webhookSeconds * 1e6) / devices),
      baseline: aimSeconds,
      ratio: Math.round((aimSeconds / seconds) * 100) / 100,
      aim: 1,
    },
    'undo.bytes': {
      value: run.imageBytes,
      unit: 'bytes of image downloaded; the aim is none',
      baseline: 0,
      ratio: run.imageBytes === 0 ? 1 : 0,
      aim: 1,
    },
  };
}
