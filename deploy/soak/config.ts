import { parseArgs } from 'node:util';

export const help = `Usage: npm run soak -- [options]

Runs the whole system on this machine, each part a process of its own, with devices that come and go and deployments that follow each
other, and kills parts at random. In the end it checks that nothing was lost, no update is stuck and memory is flat. Needs a PostgreSQL
server and nginx (Debian: postgresql, nginx-light) and Linux' /proc.

  --minutes N    how long parts are killed (default 20)
  --devices N    virtual devices that are updated (default 12, at most 200)
  --talkers N    devices that only send messages, each of which is counted (default 20, at most 500)
  --seed N       of what happens when (default: random, and printed)
  --keep         leave the directory with the logs of all parts
  --help         this text

Status 0 when everything holds, 1 when not, 130 after Ctrl-C, which also cleans up.
`;

export interface SoakOptions {
  minutes: number;
  devices: number;
  talkers: number;
  seed: number;
  keep: boolean;
}

/** Every problem is a line of the error; 'help' when that is all that was asked for. */
export function readOptions(args: string[]): SoakOptions | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '20' },
      devices: { type: 'string', default: '12' },
      talkers: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const problems: string[] = [];
  const number = (
    name: 'minutes' | 'devices' | 'talkers' | 'seed',
    min: number,
    max: number,
    whole: boolean,
  ) => {
    const value = /^\d+(\.\d+)?$/.test(values[name]) ? Number(values[name]) : Number.NaN;
    if (!(value >= min && value <= max) || (whole && !Number.isInteger(value)))
      problems.push(`--${name}: must be ${whole ? 'a whole number' : 'a number'} from ${min} to ${max}`);
    return value;
  };
  const options = {
    minutes: number('minutes', 0.1, 10_080, false),
    devices: number('devices', 1, 200, true),
    talkers: number('talkers', 1, 500, true),
    seed: number('seed', 0, 2 ** 31, true),
    keep: values.keep,
  };
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return options;
}

/** Mulberry32: the same seed, the same order of faults. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
