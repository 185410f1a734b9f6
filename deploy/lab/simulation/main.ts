/** `npm run simulate`: deployments in virtual time over a hostile network, seed after seed. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeKey, openKey } from '#firmware/signing/key.ts';
import { SimulatedDatabase } from './database.ts';
import { fuzzMachines } from './machines.ts';
import { type Keys, type Played, play } from './schedule.ts';
import type { Seen } from './seen.ts';
import { simulationStart } from './stage.ts';

const usage = `Usage: npm run simulate -- [--schedules N] [--deployments N] [--seed S] [--replay SEED] [--database FILE]

Two simulations in virtual time. Whole deployments: the webhook itself on its own database (PGlite) in two copies that die at any
statement, 20 to 100 devices that run the shipped agent and lose power at any write, and a broker and a store that lose, repeat,
delay and reorder. And the two pure machines of targets and rollouts against any event in any order, thousands of schedules a second.

  --schedules N     schedules of the pure machines, with the seeds S, S+1, … (default 1000)
  --deployments N   schedules of whole deployments, with the same seeds (default 4)
  --seed S          the first seed (default 1)
  --replay SEED     play this one schedule of whole deployments and print everything that happens in it
  --database FILE   keep the empty database there, so that the next run need not make it again
  --help            this text

Exits 1 when a promise was broken, and prints the seed that shows it again.
`;

interface Options {
  schedules: number;
  deployments: number;
  seed: number;
  replay: number | null;
  database: string | null;
}
/** What a process of its own is to play. */
interface Share {
  seeds: number[];
  database: string | null;
}
/** What a process of its own tells of the schedules that it plays. */
type Told = { seed: number; played: Played };

async function main(): Promise<number> {
  const share = process.env.FLOTA_SIMULATION_SHARE;
  if (share) return playShare(JSON.parse(share) as Share);
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
  if (options.replay !== null) return replay(options.replay, options.database);
  return fuzz(options) || (await simulate(options));
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      schedules: { type: 'string', default: '1000' },
      deployments: { type: 'string', default: '4' },
      seed: { type: 'string', default: '1' },
      replay: { type: 'string' },
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

/** In as many processes as there are cores, for the faked time is a process's own. */
async function simulate({ deployments, seed: first, database }: Options): Promise<number> {
  if (deployments === 0) return 0;
  const began = performance.now();
  const seeds = Array.from({ length: deployments }, (_, i) => first + i);
  const workers = Math.min(availableParallelism(), deployments);
  const sum: Partial<Seen> = {};
  let done = 0;
  const shares = Array.from({ length: workers }, (_, k) => seeds.filter((_, i) => i % workers === k));
  const children = shares.map((seeds) =>
    fork(fileURLToPath(import.meta.url), [], {
      env: { ...process.env, FLOTA_SIMULATION_SHARE: JSON.stringify({ seeds, database } satisfies Share) },
    }),
  );
  let broken: Told | null = null;
  const ends = children.map(
    (child) =>
      new Promise<number>((resolve) => {
        child.on('message', (told: Told) => {
          done++;
          for (const [key, n] of Object.entries(told.played.seen) as [keyof Seen, number][])
            sum[key] = (sum[key] ?? 0) + n;
          const seconds = Math.round((performance.now() - began) / 1000);
          process.stdout.write(`deployments: ${done} of ${deployments} schedules, ${seconds} s\n`);
          if (told.played.violation === null || broken) return;
          broken = told;
          for (const other of children) other.kill();
        });
        child.once('exit', (code) => resolve(code ?? 0));
      }),
  );
  const codes = await Promise.all(ends);
  if (broken) {
    const { seed, played } = broken as Told;
    process.stderr.write(
      `seed ${seed}: ${played.violation}\nreplay it: npm run simulate -- --replay ${seed}\n`,
    );
    return 1;
  }
  if (codes.some((code) => code !== 0) || done < deployments) {
    process.stderr.write('simulate: a process ended before its schedules did\n');
    return 1;
  }
  const { devices, copiesDied, powerCuts, brokerRestarts, halts, joined, rolledBack, succeeded, otherwise } =
    sum;
  process.stdout.write(
    `${deployments} schedules of whole deployments from seed ${first}: every promise held\n` +
      `${sum.deployments} deployments, ${devices} devices, ${copiesDied} deaths of copies, ${powerCuts} power cuts, ` +
      `${brokerRestarts} broker restarts, ${halts} halted, ${joined} late joiners, ${succeeded} updates succeeded, ` +
      `${rolledBack} rolled back, ${otherwise} ended otherwise\n`,
  );
  return 0;
}

async function playShare({ seeds, database: file }: Share): Promise<number> {
  const database = await SimulatedDatabase.open(simulationStart, file);
  const keys = await makeKeys();
  for (const seed of seeds) {
    const played = await play(database, keys, seed);
    await new Promise<void>((resolve) => process.send!({ seed, played } satisfies Told, () => resolve()));
  }
  await database.close();
  process.disconnect();
  return 0;
}

async function replay(seed: number, file: string | null): Promise<number> {
  const database = await SimulatedDatabase.open(simulationStart, file);
  const { violation } = await play(database, await makeKeys(), seed, (line) =>
    process.stdout.write(`${line}\n`),
  );
  process.stdout.write(violation ? `seed ${seed}: ${violation}\n` : `seed ${seed}: every promise held\n`);
  await database.close();
  return violation ? 1 : 0;
}

async function makeKeys(): Promise<Keys> {
  const key = await openKey(makeKey());
  return { signer: key, trusted: key.publicKeys };
}

function toWhole(name: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new Error(`${name} must be a whole number, not "${text}"`);
  return value;
}

process.exitCode = await main();
