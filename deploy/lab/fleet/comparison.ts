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
type Question<Name> = [what: string, of: Name, against: Name, figure: keyof Figures, show: Show];

const questions: Question<Strategy>[] = [
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

export interface Compared {
  options: ExperimentText;
  system: Subject;
  signal: AbortSignal;
  createDisplay(title: string): Display;
}

/** One run for each, with the same seed and so the same network and faults, on one Flota. */
async function compare<Name extends string>(
  { options: asked, ...input }: Compared,
  runs: Record<Name, { name: string; change: ExperimentText }>,
  questions: Question<Name>[],
): Promise<Omit<Comparison, 'good'>> {
  const found = new Map<string, Report>();
  for (const [key, { name, change }] of Object.entries<{ name: string; change: ExperimentText }>(runs)) {
    if (input.signal.aborted) break;
    const options = { ...asked, ...change };
    const display = input.createDisplay(name);
    found.set(key, await runExperiment({ ...input, name, options, display }));
  }
  const ratios = questions.map(([what, of, against, figure, show]): Ratio => {
    const [a, b] = [of, against].map((key) => found.get(key)?.figures[figure] ?? null);
    const ratio = a == null || b == null || b === 0 ? null : Math.round((100 * a) / b) / 100;
    return { what, value: show(a ?? null), against: show(b ?? null), ratio };
  });
  const line = (r: Ratio) => `  ${r.what.padEnd(52)} ${r.value} / ${r.against} = ${r.ratio ?? '–'}`;
  return { reports: [...found.values()], ratios, text: ['compared:', ...ratios.map(line)].join('\n') };
}

export async function compareStrategies(input: Compared): Promise<Comparison> {
  const options = { ...badNetwork, ...input.options };
  const comparison = await compare({ ...input, options }, strategies, questions);
  const { reports } = comparison;
  // All at once, a bad firmware reaches everybody: that is what is shown, and no fault of the run.
  return { ...comparison, good: reports.length === 6 && reports.slice(0, 4).every(isGood) };
}

const releases = {
  whole: { name: 'whole images', change: { patches: 'no' } },
  patched: { name: 'by patch', change: { patches: 'yes' } },
} satisfies Record<string, { name: string; change: ExperimentText }>;

/** A fleet that runs the release before takes the next whole, and by patch: so many times fewer bytes at least. */
export async function compareReleases(input: Compared, timesFewer: number): Promise<Comparison> {
  const comparison = await compare<keyof typeof releases>(input, releases, [
    ['bytes downloaded, whole / by patch', 'whole', 'patched', 'receivedBytes', format.bytes],
    ['download time, whole / by patch', 'whole', 'patched', 'downloadMeanMs', format.time],
    ['time until 100 %, whole / by patch', 'whole', 'patched', 'to100Ms', format.time],
  ]);
  const { reports, ratios } = comparison;
  return {
    ...comparison,
    good: reports.length === 2 && reports.every(isGood) && (ratios[0]!.ratio ?? 0) >= timesFewer,
  };
}
