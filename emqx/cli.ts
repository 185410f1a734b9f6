/** `npm run emqx -- <command>`: the broker's configuration as code. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { parseArgs } from 'node:util';
import { apply } from './cli/apply.ts';
import type { Command } from './cli/command.ts';
import { connectBroker } from './cli/live.ts';
import { CliError, painter } from './cli/output.ts';
import { plan } from './cli/plan.ts';
import { pull } from './cli/pull.ts';
import { render } from './cli/render.ts';
import { readSettings } from './cli/settings.ts';
import { status } from './cli/status.ts';
import { testRules } from './cli/test-rules.ts';
import { EmqxError } from './connection.ts';
import { HoconError } from './hocon.ts';
import { remarksOn } from './nodes.ts';
import { RuleError } from './rules.ts';

export const commands: Record<string, Command> = {
  plan,
  apply,
  pull,
  test: testRules,
  status,
  render,
};

const environment = `Environment: BROKER_API_URL (http://127.0.0.1:18083), BROKER_API_KEY, BROKER_API_SECRET; WEBHOOK_URL and WEBHOOK_TOKEN of the connector
\`webhook\`. For a broker on this machine the secrets of \`npm start\` are used when they are not set (FLOTA_DATA, .flota).`;

/** Resolves to the exit status. */
export async function main(args: string[]): Promise<number> {
  const [name = '', ...rest] = args;
  if (['', '--help', '-h', 'help'].includes(name)) {
    console.log(overview());
    return name === '' ? 1 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw new CliError(`unknown command "${name}": ${Object.keys(commands).join(', ')}`);
  const flags = flagsOf(name, command, rest);
  if (flags.help) {
    console.log(helpOf(name, command));
    return 0;
  }
  const paint = painter(Boolean(process.stdout.isTTY) && !process.env.NO_COLOR);
  const given = {
    flags,
    dir: flags.rules as string | undefined,
    say: (line = '') => console.log(line),
    paint,
  };
  if (command.needs === 'files') return command.run(given);
  const settings = readSettings();
  const broker = await connectBroker(settings);
  try {
    for (const remark of remarksOn(broker.nodes)) console.error(paint('yellow', `emqx: ${remark}`));
    return await command.run({ ...given, broker, settings });
  } finally {
    broker.close();
  }
}

function flagsOf(
  name: string,
  { options = {} }: Command,
  args: string[],
): Record<string, string | boolean | undefined> {
  try {
    return parseArgs({
      args,
      strict: true,
      options: { ...options, help: { type: 'boolean', short: 'h' }, rules: { type: 'string' } },
    }).values as Record<string, string | boolean | undefined>;
  } catch (error) {
    throw new CliError(`${(error as Error).message} (npm run emqx -- ${name} --help)`);
  }
}

function overview(): string {
  const list = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`);
  return [
    'npm run emqx -- COMMAND [options]',
    '',
    ...list,
    '',
    'COMMAND --help says more.',
    environment,
  ].join('\n');
}

function helpOf(name: string, { summary, help, options = {}, needs }: Command): string {
  const all = {
    ...options,
    ...(needs === 'broker'
      ? { rules: { type: 'string', about: 'directory of the rule files (emqx/rules)' } }
      : {}),
  };
  const list = Object.entries(all).map(
    ([flag, { type, about }]) => `  ${`--${flag}${type === 'string' ? ' …' : ''}`.padEnd(16)}${about}`,
  );
  return [
    `npm run emqx -- ${name}: ${summary}`,
    '',
    help,
    '',
    ...list,
    ...(needs === 'broker' ? ['', environment] : []),
  ].join('\n');
}

if (process.argv[1] && import.meta.filename === process.argv[1])
  main(process.argv.slice(2)).then(
    (exitStatus) => {
      process.exitCode = exitStatus;
    },
    (error: unknown) => {
      const expected = [CliError, EmqxError, HoconError, RuleError].some((kind) => error instanceof kind);
      const code = (error as NodeJS.ErrnoException).code;
      console.error(expected || code ? `emqx: ${(error as Error).message}` : error);
      process.exitCode = 1;
    },
  );
