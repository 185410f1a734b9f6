/** Whole deployments over virtual devices on a local Flota: what a device costs in memory, and what resuming saves. */
import { badNetwork } from '../fleet/comparison.ts';
import { silent } from '../fleet/display.ts';
import { runExperiment } from '../fleet/experiment.ts';
import type { ExperimentText } from '../fleet/options.ts';
import type { Report } from '../fleet/report.ts';
import { openSubject } from '../fleet/subject.ts';
import type { Figures } from './figures.ts';

const aimBytesPerDevice = 200_000;
const aimProcessorMs = 20;
/** In one process, so that what an empty one costs is shared by them all. */
const devices = '2000';

export async function measureFleet(): Promise<Figures> {
  const system = await openSubject({ devices: Number(devices) });
  const run = async (name: string, options: ExperimentText): Promise<Report> => {
    const { signal } = new AbortController();
    const report = await runExperiment({ name, options, system, display: silent, signal });
    if (report.figures.successPercent !== 100)
      throw new Error(`${name}: ${report.figures.successPercent} % succeeded: ${report.problems.join('; ')}`);
    return report;
  };
  try {
    const resume = await run('resume', badNetwork);
    // What any client does that asks for ranges of one size and goes on where it was.
    const plain = await run('plain', { ...badNetwork, chunk: '64KiB' });
    const many = await run('many', { devices, image: '1MiB' });
    const [saved, wasted] = [resume.figures.redownloadPercent!, plain.figures.redownloadPercent!];
    const bytesPerDevice = many.figures.bytesPerDevice!;
    const processorMs = many.figures.processorMsPerDevice!;
    return {
      'fleet.processor': {
        value: round(processorMs),
        unit: 'ms of processor time per virtual device, from its start through an update of 1 MiB',
        baseline: aimProcessorMs,
        ratio: round(aimProcessorMs / processorMs),
        aim: 1,
      },
      'fleet.memory': {
        value: Math.round(bytesPerDevice / 1000),
        unit: `kB per virtual device at most, ${devices} updated at once`,
        baseline: aimBytesPerDevice / 1000,
        ratio: round(aimBytesPerDevice / bytesPerDevice),
        aim: 1,
      },
      'fleet.redownloaded': {
        value: saved,
        unit: '% of the images with adaptive chunks and resume; baseline: resuming with ranges of 64 KiB',
        baseline: wasted,
        ratio: round(wasted / Math.max(saved, 0.01)),
        aim: null,
      },
      'fleet.download_time': {
        value: Math.round(resume.figures.downloadMeanMs! / 1000),
        unit: 's for a download on the bad network; baseline: resuming with ranges of 64 KiB',
        baseline: Math.round(plain.figures.downloadMeanMs! / 1000),
        ratio: round(plain.figures.downloadMeanMs! / resume.figures.downloadMeanMs!),
        aim: null,
      },
      'fleet.update': {
        value: round(Number(devices) / (many.figures.to100Ms! / 1000)),
        unit: `devices updated per second, of ${devices} at once; baseline: of 20 on a bad network`,
        baseline: round(20 / (resume.figures.to100Ms! / 1000)),
        ratio: round((Number(devices) / many.figures.to100Ms!) * (resume.figures.to100Ms! / 20)),
        aim: null,
      },
    };
  } finally {
    await system.close();
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
