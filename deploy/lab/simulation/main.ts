/** `npm run simulate`: deployments in virtual time over a hostile network, seed after seed. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { fuzzMachines } from './machines.ts';
import type { Seen } from './seen.ts';
import { Broken, playAll, type Work } from './workers.ts';

const usage = `Usage: npm run simulate -- [--schedules N] [--deployments N] [--seed S] [--replay SEED] [--database FILE]

Two simulations in virtual time. Whole deployments: the webhook itself on its own database (PGlite) in two copies that die at any
statement, 20 to 100 devices that run the shipped agent and lose power at any write, and a broker and a store that lose, repeat,
delay and reorder. And the two pure machines of targets and rollouts against any event in any order, thousands of schedules a second.

  --schedules N     schedules of the pure machines, with the seeds S, S+1, … (default 1000)
  --deployments N   schedules of whole deployments, with the same seeds (default 4)
  --seed S          the first seed (default 1)
  --replay SEED     play this one schedule of whole deployments and print everything that happens in it
  --patience S      give up a schedule that has not ended after so many seconds of real time (default 300)
  --database FILE   keep the empty database there, so that the next run need not make it again
  --help            this text

Exits 1 when a promise was broken, and prints the seed that shows it again.
`;

interface Options {
  schedules: number;
  deployments: number;
  seed: number;
  replay: number | null;
  patienceMs: number;
  database: string | null;
}
async function main(): Promise<number> {
  let options: Options | null;
  try {
    options = readOptions();
  } catch (error) {
    process.stderr.write(`simulate: ${(error as Error).message.split('\n')[0]}\n`);
    return 2;
  }
  if (!options) {
    process.stdout.write(usage);
    return 0;
  }
  if (options.replay !== null) return replay(options.replay, options);
  return fuzz(options) || (await simulate(options));
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      schedules: { type: 'string', default: '1000' },
      deployments: { type: 'string', default: '4' },
      seed: { type: 'string', default: '1' },
      replay: { type: 'string' },
      patience: { type: 'string', default: '300' },
      database: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  return {
    schedules: toWhole('--schedules', values.schedules),
    deployments: toWhole('--deployments', values.deployments),
    seed: toWhole('--seed', values.seed),
    replay: values.replay === undefined ? null : toWhole('--replay', values.replay),
    patienceMs: toWhole('--patience', values.patience) * 1000,
    database: values.database ?? null,
  };
}

function fuzz({ schedules, seed: first }: Options): number {
  const began = performance.now();
  const rate = (done: number) => Math.round(done / ((performance.now() - began) / 1000));
  let told = began;
  for (let done = 0; done < schedules; done++) {
    const violation = fuzzMachines(first + done);
    if (violation) {
      process.stderr.write(`machines, seed ${first + done}: ${violation}\n`);
      return 1;
    }
    if (performance.now() - told > 5_000) {
      told = performance.now();
      process.stdout.write(`machines: ${done + 1} of ${schedules} schedules, ${rate(done + 1)} a second\n`);
    }
  }
  if (schedules > 0)
    process.stdout.write(
      `${schedules} schedules of the machines from seed ${first}: every promise held (${rate(schedules)} a second)\n`,
    );
  return 0;
}

/** In as many processes as there are cores. */
async function simulate({ deployments, seed: first, ...options }: Options): Promise<number> {
  if (deployments === 0) return 0;
  const began = performance.now();
  const sum: Partial<Seen> = {};
  let done = 0;
  const wrong = await playSeeds({
    ...options,
    seeds: Array.from({ length: deployments }, (_, i) => first + i),
    processes: availableParallelism(),
    isTold: false,
    onPlayed: ({ seen, digest }, seed) => {
      done++;
      for (const [key, n] of Object.entries(seen) as [keyof Seen, number][]) sum[key] = (sum[key] ?? 0) + n;
      const seconds = Math.round((performance.now() - began) / 1000);
      process.stdout.write(
        `deployments: ${done} of ${deployments} schedules, ${seconds} s (seed ${seed}: run ${digest})\n`,
      );
    },
  });
  if (wrong) {
    process.stderr.write(
      `seed ${wrong.seed}: ${wrong.message}\nreplay it: npm run simulate -- --replay ${wrong.seed}\n`,
    );
    return 1;
  }
  const {
    devices,
    copiesDied,
    powerCuts,
    brokerRestarts,
    halts,
    joined,
    freezes,
    undos,
    takenBack,
    forged,
    rolledBack,
    succeeded,
    otherwise,
  } = sum;
  process.stdout.write(
    `${deployments} schedules of whole deployments from seed ${first}: every promise held\n` +
      `${sum.deployments} deployments, ${devices} devices, ${copiesDied} deaths of copies, ${powerCuts} power cuts, ` +
      `${brokerRestarts} broker restarts, ${halts} halted, ${joined} late joiners, ${freezes} freezes, ${undos} undone (${takenBack} devices back, ${forged} forged orders), ` +
      `${succeeded} updates succeeded, ` +
      `${rolledBack} rolled back, ${otherwise} ended otherwise\n`,
  );
  return 0;
}

async function replay(seed: number, options: Options): Promise<number> {
  let run = '';
  const onPlayed = ({ digest }: { digest: string }) => {
    run = digest;
  };
  const wrong = await playSeeds({ ...options, seeds: [seed], processes: 1, isTold: true, onPlayed });
  if (run) process.stdout.write(`seed ${seed}: run ${run}\n`);
  process.stdout.write(wrong ? `seed ${seed}: ${wrong.message}\n` : `seed ${seed}: every promise held\n`);
  return wrong ? 1 : 0;
}

/** Null when every promise held. */
async function playSeeds(work: Work): Promise<Broken | null> {
  try {
    await playAll(work);
    return null;
  } catch (error) {
    if (error instanceof Broken) return error;
    throw error;
  }
}

function toWhole(name: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new Error(`${name} must be a whole number, not "${text}"`);
  return value;
}

process.exitCode = await main();
