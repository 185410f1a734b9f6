import { parseArgs } from 'node:util';
import {
  parseBandwidth,
  parseChunk,
  parseDuration,
  parseFrequency,
  parseNights,
  parseShare,
  parseSize,
  parseWaves,
  parseWhole,
  UnitError,
} from './units.ts';

/** What a user can mend: one line. */
export class OptionError extends Error {
  override name = 'OptionError';
}

interface Option<T> {
  parse: (text: string) => T;
  fallback: string | null;
  hint: string;
  help: string;
}

function option<T>(parse: (text: string) => T, fallback: string, hint: string, help: string): Option<T> {
  return { parse, fallback, hint, help };
}

/** What an experiment is made of; a scenario names these as the command line does. */
const experiment = {
  devices: option(parseWhole(1, 10_000), '100', 'N', 'how many virtual devices'),
  image: option(parseSize, '1MiB', 'SIZE', 'size of the firmware image'),
  loss: option(parseShare, '0%', 'P', 'lost packets: each stalls its connection, one in fifty resets it'),
  latency: option(parseDuration, '0ms', 'TIME', 'one way, added to each packet'),
  jitter: option(parseDuration, '0ms', 'TIME', 'up to so much more latency'),
  bandwidth: option(
    (text) => (text === 'unlimited' ? null : parseBandwidth(text)),
    'unlimited',
    'RATE',
    "of each device's link, each way: 256kbit",
  ),
  disconnects: option(parseFrequency, '0/min', 'N/min', 'how often each device loses its network'),
  nights: option(
    (text) => (text === 'none' ? null : parseNights(text)),
    'none',
    'TIME/TIME',
    'outage of each device out of every period: 10s/60s',
  ),
  'power-cuts': option(
    parseShare,
    '0%',
    'P',
    'of the devices lose their power once in the middle of the update',
  ),
  'bad-images': option(parseShare, '0%', 'P', 'of the devices get an image whose self-test fails'),
  seed: option(parseWhole(0, 2 ** 31), '1', 'N', 'what chance does is fixed by it'),
  waves: option(parseWaves, '100%', 'LIST', 'how far each wave reaches: 1,10%,100%'),
  rate: option(
    (text) => (text === 'unlimited' ? null : parseRate(text)),
    'unlimited',
    'N/min',
    'updates started at most',
  ),
  chunk: option(parseChunk, 'adaptive', 'SIZE', 'of ranged requests: adaptive, or always the same'),
  resume: option(parseSwitch, 'yes', 'yes|no', 'no: every broken download starts again from zero'),
  patches: option(
    (text) => (text === 'none' ? null : parseSwitch(text)),
    'none',
    'yes|no',
    'the fleet runs an earlier release first, and takes this one by patch, or whole',
  ),
  attempts: option(parseWhole(1, 20), '10', 'N', 'for each device'),
  timeout: option(parseDuration, '10min', 'TIME', 'when the run is given up'),
  processes: option(parseWhole(0, 64), '0', 'N', 'device processes; 0: one for every 2,000 devices'),
  certificates: option(
    (text) => (text === 'long' ? null : parseDuration(text)),
    'long',
    'TIME',
    'life of device certificates (local Flota only): 60s',
  ),
};

type Spec = typeof experiment;
export type ExperimentOptions = { [K in keyof Spec]: Spec[K] extends Option<infer T> ? T : never };
/** As text, as on the command line. */
export type ExperimentText = { [K in keyof Spec]?: string };

function parseRate(text: string): number {
  const match = /^(\d{1,7})\/min$/.exec(text);
  if (!match || Number(match[1]) < 1 || Number(match[1]) > 1_000_000)
    throw new UnitError(`"${text.slice(0, 40)}" is not a rate from 1/min to 1000000/min`);
  return Number(match[1]);
}

function parseSwitch(text: string): boolean {
  if (text !== 'yes' && text !== 'no') throw new UnitError(`"${text.slice(0, 40)}" is not yes or no`);
  return text === 'yes';
}

/** Throws OptionError, one line, for the first that is wrong. */
export function toExperiment(text: ExperimentText): ExperimentOptions {
  const values: Record<string, unknown> = {};
  for (const [name, { parse, fallback }] of Object.entries(experiment)) {
    try {
      values[name] = parse(text[name as keyof Spec] ?? fallback!);
    } catch (error) {
      if (error instanceof UnitError) throw new OptionError(`--${name}: ${error.message}`);
      throw error;
    }
  }
  for (const name of Object.keys(text))
    if (!Object.hasOwn(experiment, name)) throw new OptionError(`there is no option --${name}`);
  const options = values as ExperimentOptions;
  if (options.waves.length > 20) throw new OptionError('--waves: at most 20 waves');
  return options;
}

export interface FleetOptions {
  experiment: ExperimentText;
  scenario: string | null;
  compare: boolean;
  report: string | null;
  /** A Flota that is running; null: a local one is started. */
  remote: { url: string; mqttUrl: string; trust: string; signingKeys: string } | null;
}

/** Throws OptionError. File names are not opened here. */
export function readOptions(args: string[]): FleetOptions | 'help' {
  const flags = Object.keys(experiment).map((name) => [name, { type: 'string' as const }] as const);
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        ...Object.fromEntries(flags),
        scenario: { type: 'string' },
        compare: { type: 'boolean' },
        report: { type: 'string' },
        url: { type: 'string' },
        'mqtt-url': { type: 'string' },
        trust: { type: 'string' },
        'signing-keys': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    throw new OptionError(`${(error as Error).message.split(/[.\n]/)[0]} (see --help)`);
  }
  if (values.help) return 'help';
  const text = (name: string) => (values[name] as string | undefined) ?? null;
  const asked = Object.fromEntries(
    flags.flatMap(([name]) => (text(name) === null ? [] : [[name, text(name)!]])),
  ) as ExperimentText;
  toExperiment(asked);
  const scenario = text('scenario');
  if (scenario !== null && values.compare) throw new OptionError('--compare does not go with --scenario');
  return {
    experiment: asked,
    scenario,
    compare: values.compare === true,
    report: text('report'),
    remote: readRemote(text),
  };
}

function readRemote(text: (name: string) => string | null): FleetOptions['remote'] {
  const url = text('url');
  const others = ['mqtt-url', 'trust', 'signing-keys'];
  if (url === null) {
    const stray = others.find((name) => text(name) !== null);
    if (stray) throw new OptionError(`--${stray} goes with --url`);
    return null;
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new OptionError(`--url: "${url.slice(0, 80)}" is not an http or https address`);
  const missing = others.filter((name) => text(name) === null);
  if (missing.length > 0)
    throw new OptionError(`--url also needs ${missing.map((name) => `--${name}`).join(', ')}`);
  const mqttUrl = text('mqtt-url')!;
  if (!URL.canParse(mqttUrl) || new URL(mqttUrl).protocol !== 'mqtts:')
    throw new OptionError(`--mqtt-url: "${mqttUrl.slice(0, 80)}" is not mqtts://host:port`);
  return { url, mqttUrl, trust: text('trust')!, signingKeys: text('signing-keys')! };
}

/** The lines of `--help` for the options of an experiment. */
export function describeOptions(): string {
  return Object.entries(experiment)
    .map(([name, { hint, help, fallback }]) => `  ${`--${name} ${hint}`.padEnd(24)} ${help} (${fallback})`)
    .join('\n');
}
