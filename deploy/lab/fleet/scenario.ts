/** Scenarios that are one deployment over a fleet of virtual devices, judged by its figures. */
import type { Lab, Outcome, Scenario } from '../scenario.ts';
import { type Disturbance, runExperiment } from './experiment.ts';
import type { Figures } from './figures.ts';
import { type ExperimentText, toExperiment } from './options.ts';
import { describeReport, isGood } from './report.ts';
import { openSubject } from './subject.ts';

/** `'>= 99'`, `'<= 5'`, `'== 0'`; times in ms, shares in percent. */
export type Expectation = `${'>=' | '<=' | '=='} ${number}`;

export interface ExperimentSpec {
  title: string;
  about: string;
  /** As on the command line. */
  options: ExperimentText;
  disturbances?: Disturbance[];
  expect: { [K in keyof Figures]?: Expectation } & { state?: 'completed' | 'halted' };
}

export interface ExperimentScenario extends Scenario {
  spec: ExperimentSpec;
}

/** Throws OptionError for options that are none. */
export function experiment(spec: ExperimentSpec): ExperimentScenario {
  toExperiment(spec.options);
  const { title, about } = spec;
  return { kind: 'experiment', title, about, spec, run: (lab) => run(spec, lab) };
}

async function run(spec: ExperimentSpec, { name, seed, signal, createDisplay }: Lab): Promise<Outcome> {
  const options = { ...spec.options, ...(seed !== null && { seed: String(seed) }) };
  const display = createDisplay(name);
  const { certificates, devices } = toExperiment(options);
  const subject = await openSubject({ certificateMs: certificates, devices });
  try {
    const { about, disturbances } = spec;
    const report = await runExperiment({
      name,
      about,
      options,
      disturbances,
      system: subject,
      display,
      signal,
    });
    report.verdicts = judge(spec.expect, report.figures, report.state);
    return { good: isGood(report), text: describeReport(report), report };
  } finally {
    await subject.close();
  }
}

export interface Verdict {
  what: string;
  expected: string;
  found: string;
  met: boolean;
}

/** What was found against what the scenario expects; a figure that could not be had is not met. */
export function judge(expect: ExperimentSpec['expect'], figures: Figures, state: string): Verdict[] {
  return Object.entries(expect).map(([what, expected]) => {
    if (what === 'state') return { what, expected, found: state, met: state === expected };
    const found = figures[what as keyof Figures];
    const [, operator, text] = /^(>=|<=|==) (-?[\d.]+)$/.exec(expected) ?? [];
    const limit = Number(text);
    const met =
      typeof found === 'number' &&
      operator !== undefined &&
      (operator === '>=' ? found >= limit : operator === '<=' ? found <= limit : found === limit);
    return { what, expected, found: found === null || found === undefined ? '–' : String(found), met };
  });
}
