import type { Display } from './display.ts';
import { runExperiment, type Subject } from './experiment.ts';
import type { Figures } from './figures.ts';
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

/** Who changes what, against the first; the last two are what waves are for: a firmware that is bad. */
const strategies = {
  base: { name: 'adaptive + resume, all at once', change: {} },
  fixed: { name: 'fixed chunk (16 KiB)', change: { chunk: '16KiB' } },
  restart: { name: 'restart from zero, one request', change: { resume: 'no', chunk: '64MiB' } },
  waves: { name: 'waves', change: { waves: '1,20%,100%' } },
  badAtOnce: { name: 'bad firmware, all at once', change: { 'bad-images': '100%' } },
  badWaves: { name: 'bad firmware, waves', change: { 'bad-images': '100%', waves: '1,20%,100%' } },
} satisfies Record<string, { name: string; change: ExperimentText }>;
type Strategy = keyof typeof strategies;
type Show = (value: number | null) => string;

/** What is asked, of which, against which, of which figure. */
const questions: [what: string, of: Strategy, against: Strategy, figure: keyof Figures, show: Show][] = [
  ['download time, fixed chunk / adaptive', 'fixed', 'base', 'downloadMeanMs', format.time],
  ['download time, restart / resume', 'restart', 'base', 'downloadMeanMs', format.time],
  ['bytes downloaded, restart / resume', 'restart', 'base', 'receivedBytes', format.bytes],
  ['share re-downloaded, restart / resume', 'restart', 'base', 'redownloadPercent', format.share],
  ['time until 100 %, waves / all at once', 'waves', 'base', 'to100Ms', format.time],
  [
    'devices hit by a bad firmware, waves / all at once',
    'badWaves',
    'badAtOnce',
    'badImageDevices',
    format.plain,
  ],
];

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
  const found = new Map<string, Report>();
  for (const [strategy, { name, change }] of Object.entries(strategies)) {
    if (input.signal.aborted) break;
    const options = { ...badNetwork, ...input.options, ...change };
    const display = input.createDisplay(name);
    found.set(strategy, await runExperiment({ ...input, name, options, display }));
  }
  const reports = [...found.values()];
  const ratios = questions.map(([what, of, against, figure, show]): Ratio => {
    const [a, b] = [of, against].map((strategy) => found.get(strategy)?.figures[figure] ?? null);
    const ratio = a == null || b == null || b === 0 ? null : Math.round((100 * a) / b) / 100;
    return { what, value: show(a ?? null), against: show(b ?? null), ratio };
  });
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
