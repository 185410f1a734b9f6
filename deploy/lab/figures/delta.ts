/** Updates by patch: how large patches are for each kind of change, and what a fleet downloads with them and without. */
import { makePatch } from '#webhook/firmware/patches/format.ts';
import { runDelta } from '../delta/delta.ts';
import { type Change, changes, pair } from '../delta/linker.ts';
import type { Figures } from './figures.ts';

const sizeBytes = 1024 * 1024;
/** Percent of the image. */
const aims: Record<Change, number> = { constant: 2, function: 4, release: 8 };
const aimTimesFewer = 5;

const rounded = (value: number) => Math.round(value * 100) / 100;

export async function measureDelta(): Promise<Figures> {
  const figures: Figures = {};
  for (const what of changes) {
    const [old, next] = pair(what, 1, sizeBytes);
    const percent = (makePatch(old, next).length / next.length) * 100;
    figures[`delta.${what}`] = {
      value: rounded(percent),
      unit: `% of a 1 MiB image whose code has moved (${what}); baseline: the aim`,
      baseline: aims[what],
      ratio: rounded(aims[what] / percent),
      aim: 1,
    };
  }
  const run = await runDelta({ devices: 20, sizeBytes: 256 * 1024, change: 'release', seed: 1 }, (line) =>
    process.stderr.write(`delta: ${line}\n`),
  );
  if (run.updated !== run.devices || run.fellBack > 0)
    throw new Error(`${run.updated} of ${run.devices} updated, ${run.fellBack} without their patch`);
  const [bytes, today] = [run.withPatches, run.without].map((it) => it.bytes / it.devices);
  figures['delta.bytes'] = {
    value: Math.round(bytes!),
    unit: `bytes a device for a release, ${run.powerCuts} of ${run.devices} through a power cut; baseline: whole images in the same run`,
    baseline: Math.round(today!),
    ratio: rounded(today! / bytes!),
    aim: aimTimesFewer,
  };
  return figures;
}
