/** `npm run simulate`: whole deployments in virtual time over a hostile network, seed after seed. */
import { parseArgs } from 'node:util';
import { nothingSeen, play, type Seen } from './schedule.ts';

const usage = `Usage: npm run simulate -- [--schedules N] [--seed S] [--replay SEED]

Plays whole deployments in virtual time with the real machines of targets and rollouts: two copies of the webhook that may die
between any two statements, a network that loses, duplicates, delays and reorders, devices that crash at any step.

  --schedules N   how many schedules, with the seeds S, S+1, … (default 1000)
  --seed S        the first seed (default 1)
  --replay SEED   play this one schedule and print everything that happens in it
  --help          this text

Exits 1 when a promise was broken, and prints the seed that shows it again.
`;

function main(): number {
  let options: { schedules: number; seed: number; replay: number | null };
  try {
    const { values } = parseArgs({
      options: {
        schedules: { type: 'string', default: '1000' },
        seed: { type: 'string', default: '1' },
        replay: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(usage);
      return 0;
    }
    options = {
      schedules: toWhole('--schedules', values.schedules, 1),
      seed: toWhole('--seed', values.seed, 0),
      replay: values.replay === undefined ? null : toWhole('--replay', values.replay, 0),
    };
  } catch (error) {
    process.stderr.write(`simulate: ${(error as Error).message.split('\n')[0]}\n`);
    return 2;
  }
  return options.replay === null ? simulate(options.schedules, options.seed) : replay(options.replay);
}

function replay(seed: number): number {
  const { violation } = play(seed, undefined, (line) => process.stdout.write(`${line}\n`));
  process.stdout.write(violation ? `seed ${seed}: ${violation}\n` : `seed ${seed}: every promise held\n`);
  return violation ? 1 : 0;
}

function simulate(schedules: number, first: number): number {
  const began = performance.now();
  const rate = (done: number) => Math.round(done / ((performance.now() - began) / 1000));
  const sum = nothingSeen();
  let told = began;
  for (let done = 0; done < schedules; done++) {
    const { violation, seen } = play(first + done);
    if (violation) {
      process.stderr.write(`seed ${first + done}: ${violation}\n`);
      process.stderr.write(`replay it: npm run simulate -- --replay ${first + done}\n`);
      return 1;
    }
    for (const key of Object.keys(sum) as (keyof Seen)[]) sum[key] += seen[key];
    if (performance.now() - told > 5_000) {
      told = performance.now();
      process.stdout.write(`${done + 1} of ${schedules} schedules, ${rate(done + 1)} a second\n`);
    }
  }
  process.stdout.write(
    `${schedules} schedules from seed ${first}: every promise held (${rate(schedules)} a second)\n` +
      `${sum.events} events, ${sum.deaths} deaths of copies, ${sum.crashes} crashes of devices, ${sum.lost} messages lost, ` +
      `${sum.halts} halts, ${sum.joined} late joiners, ${sum.windows} maintenance windows, ${sum.succeeded} updates succeeded (${sum.children} of a child component), ${sum.otherwise} ended otherwise\n`,
  );
  return 0;
}

function toWhole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new Error(`${name} must be a whole number from ${least}, not "${text}"`);
  }
  return value;
}

process.exitCode = main();
