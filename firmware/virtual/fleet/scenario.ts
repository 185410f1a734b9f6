import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Figures } from './figures.ts';
import { type ExperimentText, OptionError, toExperiment } from './options.ts';

export interface Disturbance {
  /** When so much of all the bytes of the run has arrived. */
  atPercent: number;
  do: 'broker-outage' | 'store-outage' | 'power-cut';
  forMs: number;
}

/** `'>= 99'`, `'<= 5'`, `'== 0'`; times in ms, shares in percent. */
export type Expectation = `${'>=' | '<=' | '=='} ${number}`;

export interface Scenario {
  title: string;
  /** One sentence: what is going on, and what should come of it. */
  about: string;
  options: ExperimentText;
  disturbances?: Disturbance[];
  expect: { [K in keyof Figures]?: Expectation } & { state?: 'completed' | 'halted' };
}

const directory = new URL('../scenarios/', import.meta.url);

export function listScenarios(): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.slice(0, -3))
    .sort();
}

/** By the name of a file in `scenarios/`, or by the path of one elsewhere. Throws OptionError. */
export async function loadScenario(name: string): Promise<Scenario> {
  const known = listScenarios().includes(name);
  const path = known ? fileURLToPath(new URL(`${name}.ts`, directory)) : resolve(name);
  if (!known && !(/\.(ts|js|mjs)$/.test(name) && existsSync(path)))
    throw new OptionError(`there is no scenario "${name.slice(0, 80)}": ${listScenarios().join(', ')}`);
  const { default: scenario } = (await import(pathToFileURL(path).href)) as { default?: Scenario };
  if (!scenario?.title || !scenario.options || !scenario.expect)
    throw new OptionError(`${name} does not export a scenario (title, options, expect)`);
  toExperiment(scenario.options);
  return scenario;
}

export interface Verdict {
  what: string;
  expected: string;
  found: string;
  met: boolean;
}

/** What was found against what the scenario expects; a figure that could not be had is not met. */
export function judge(expect: Scenario['expect'], figures: Figures, state: string): Verdict[] {
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
