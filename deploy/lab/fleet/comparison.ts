import type { Display } from './display.ts';
import { runExperiment, type Subject } from './experiment.ts';
import type { ExperimentText } from './options.ts';
import { format, isGood, type Report } from './report.ts';

/** A network on which strategies differ. Options of the command line go before these. */
export const badNetwork: ExperimentText = {
  devices: '20',
  image: '2MiB',
  loss: '5%',
  latency: '20ms',
  bandwidth: '4mbit',
  disconnects: '4/min',
  'power-cuts': '10%',
};

/** Who changes what, against the first. */
const strategies: Record<string, ExperimentText> = {
  'adaptive + resume, all at once': {},
  'fixed chunk (16 KiB)': { chunk: '16KiB' },
  'restart from zero, one request': { resume: 'no', chunk: '64MiB' },
  waves: { waves: '1,20%,100%' },
};
/** What waves are for: a firmware that is bad. */
const badFirmware: Record<string, ExperimentText> = {
  'bad firmware, all at once': { 'bad-images': '100%' },
  'bad firmware, waves': { 'bad-images': '100%', waves: '1,20%,100%' },
};

export interface Ratio {
  what: string;
  value: string;
  against: string;
  ratio: number | null;
}

export interface Comparison {
  reports: Report[];
  ratios: Ratio[];
  text: string;
  good: boolean;
}

/** One run for each strategy, with the same seed and so the same network and faults, on one Flota. */
export async function compareStrategies(input: {
  options: ExperimentText;
  system: Subject;
  signal: AbortSignal;
  createDisplay(title: string): Display;
}): Promise<Comparison> {
  const reports: Report[] = [];
  for (const [name, change] of Object.entries({ ...strategies, ...badFirmware })) {
    if (input.signal.aborted) break;
    const options = { ...badNetwork, ...input.options, ...change };
    reports.push(await runExperiment({ ...input, name, options, display: input.createDisplay(name) }));
  }
  const [base, fixed, restart, waves, badAtOnce, badWaves] = reports;
  const ratios = [
    compare(
      'download time, fixed chunk / adaptive',
      fixed,
      base,
      (r) => r.figures.downloadMeanMs,
      format.time,
    ),
    compare('download time, restart / resume', restart, base, (r) => r.figures.downloadMeanMs, format.time),
    compare(
      'bytes downloaded, restart / resume',
      restart,
      base,
      (r) => r.figures.receivedBytes,
      format.bytes,
    ),
    compare(
      'share re-downloaded, restart / resume',
      restart,
      base,
      (r) => r.figures.redownloadPercent,
      format.share,
    ),
    compare('time until 100 %, waves / all at once', waves, base, (r) => r.figures.to100Ms, format.time),
    compare(
      'devices hit by a bad firmware, waves / all at once',
      badWaves,
      badAtOnce,
      (r) => r.figures.badImageDevices,
      format.plain,
    ),
  ];
  return {
    reports,
    ratios,
    text: [
      'strategies compared:',
      ...ratios.map((r) => `  ${r.what.padEnd(52)} ${r.value} / ${r.against} = ${r.ratio ?? '–'}`),
    ].join('\n'),
    // All at once, a bad firmware reaches everybody: that is what is shown, and no fault of the run.
    good: reports.length === 6 && reports.slice(0, 4).every(isGood),
  };
}

function compare(
  what: string,
  one: Report | undefined,
  other: Report | undefined,
  read: (report: Report) => number | null,
  show: (value: number | null) => string,
): Ratio {
  const [a, b] = [one ? read(one) : null, other ? read(other) : null];
  const ratio = a === null || b === null || b === 0 ? null : Math.round((100 * a) / b) / 100;
  return { what, value: show(a), against: show(b), ratio };
}
