/** A scenario: a fleet, what is done to it or to Flota, and what is expected. One file each in scenarios/, found by its name. */
import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Display } from './fleet/display.ts';
import { OptionError } from './fleet/options.ts';
import { type ExperimentSpec, experiment } from './fleet/scenario.ts';

export const kinds = ['experiment', 'outage', 'rollout', 'soak'] as const;
export type Kind = (typeof kinds)[number];

export interface Scenario {
  kind: Kind;
  title: string;
  /** One sentence: what is going on, and what should come of it. */
  about: string;
  run(lab: Lab): Promise<Outcome>;
}

/** What a run is given. */
export interface Lab {
  name: string;
  /** Of everything that happens by chance; null: the scenario's own. */
  seed: number | null;
  /** How long a soak lasts, or each fault of an outage; null: the scenario's own time. */
  minutes: number | null;
  /** Directories stay, with all logs. */
  keep: boolean;
  signal: AbortSignal;
  say(line: string): void;
  createDisplay(title: string): Display;
}

export interface Outcome {
  good: boolean;
  /** For a person. */
  text: string;
  /** For a machine. */
  report: object;
}

const directory = new URL('./scenarios/', import.meta.url);

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
  type Exported = { default?: Scenario | ExperimentSpec };
  const { default: exported } = (await import(pathToFileURL(path).href)) as Exported;
  if (!exported?.title) throw new OptionError(`${name} does not export a scenario`);
  if ('run' in exported) return exported;
  if (!exported.options || !exported.expect)
    throw new OptionError(`${name} does not export an experiment (title, about, options, expect)`);
  // A file elsewhere has nothing to import: the bare data of an experiment will do.
  return experiment(exported);
}
