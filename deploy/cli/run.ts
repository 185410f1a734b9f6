/** One call of `flota`, whoever makes it. */
import { parseArgs } from 'node:util';
import product from '../../package.json' with { type: 'json' };
import { type Command, readInput } from './command.ts';
import { commands } from './commands.ts';
import { CliError, type Exit, exits } from './errors.ts';
import { helpOf, helpOfAll } from './help.ts';
import { type Terminal, writeError } from './output.ts';

/** Resolves with the exit status; what was wrong has been said. */
export async function run(args: string[], terminal: Terminal): Promise<Exit> {
  return runCommand(args, terminal).catch((error: unknown) => {
    const { values } = parseArgs({
      args,
      strict: false,
      allowPositionals: true,
      options: { json: { type: 'boolean' } },
    });
    return writeError(error, values.json === true, terminal);
  });
}

async function runCommand(args: string[], terminal: Terminal): Promise<Exit> {
  const [first, second] = args;
  if (
    first === undefined ||
    first === '--help' ||
    first === '-h' ||
    (first === 'help' && second === undefined)
  ) {
    terminal.stdout.write(helpOfAll(commands));
    return first === undefined ? exits.usage : exits.succeeded;
  }
  if (first === '--version') {
    terminal.stdout.write(`${product.version}\n`);
    return exits.succeeded;
  }
  const isHelp = first === 'help';
  const { command, rest } = findCommand(isHelp ? args.slice(1) : args);
  try {
    const input = isHelp ? 'help' : readInput(command, rest, terminal);
    if (input !== 'help') return (await command.run(input)) ?? exits.succeeded;
  } catch (error) {
    const { usageExit } = command;
    if (usageExit === undefined || !(error instanceof CliError) || error.exit !== exits.usage) throw error;
    throw error.endingWith(usageExit);
  }
  terminal.stdout.write(helpOf(command));
  return exits.succeeded;
}

function findCommand(args: string[]): { command: Command; rest: string[] } {
  for (const words of [2, 1]) {
    const command = commands.find(({ name }) => name === args.slice(0, words).join(' '));
    if (command) return { command, rest: args.slice(words) };
  }
  const group = commands.filter(({ name }) => name.startsWith(`${args[0]} `)).map(({ name }) => name);
  throw CliError.of(
    'usage',
    group.length ? `${args[0]} needs one word more` : `There is no command "${args[0]}".`,
    group.length ? `There are: ${group.join(', ')}` : 'See flota --help',
  );
}
