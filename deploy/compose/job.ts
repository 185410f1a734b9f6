import { parseArgs } from 'node:util';
import { ConfigError } from '#webhook/config.ts';

/** Runs a job with its options, all of which are needed; what is wrong becomes a line each and status 1. */
export async function runJob<Name extends string>(
  names: Name[],
  work: (options: Record<Name, string>) => Promise<void>,
): Promise<void> {
  try {
    const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
    const { values } = parseArgs({ options });
    const missing = names.filter((name) => !values[name]);
    if (missing.length > 0) throw new ConfigError(missing.map((name) => `--${name}: is needed`));
    await work(values as Record<Name, string>);
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [(error as Error).message];
    for (const problem of problems) process.stderr.write(`${problem}\n`);
    process.exit(1);
  }
}
