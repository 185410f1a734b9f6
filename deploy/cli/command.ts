/** What a command is; its arguments are read, its help and its completion are written from this alone. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { createFlota, type Flota } from './client.ts';
import { CliError, type Exit } from './errors.ts';
import { createOutput, type Output, type Terminal } from './output.ts';
import { readToken, readUrl } from './settings.ts';

export interface Option {
  /** Of its value; a switch has none. */
  hint?: string;
  help: string;
  multiple?: true;
  short?: string;
  /** All that it takes. */
  values?: readonly string[];
}

export interface Command {
  /** `firmware upload`. */
  name: string;
  /** `FILE`, all needed. */
  operands?: string[];
  summary: string;
  options?: Record<string, Option>;
  /** Where 2 has a meaning of its own: what bad usage and a bad file end with. */
  usageExit?: Exit;
  /** What follows the name. */
  examples: string[];
  /** Resolves with the exit status; with nothing it is 0. */
  run(input: Input): Promise<Exit> | Promise<void>;
}

export interface Input {
  operands: string[];
  text(option: string): string | undefined;
  /** Through `parse`, whose error names the option. */
  parsed<T>(option: string, parse: (text: string) => T): T | undefined;
  all(option: string): string[];
  has(option: string): boolean;
  /** Who is logged in; without one it throws. */
  flota(): Flota;
  out: Output;
}

export const commonOptions: Record<string, Option> = {
  url: { hint: 'URL', help: 'the Flota to talk to (FLOTA_URL, or where you are logged in)' },
  json: { help: 'JSON on stdout, errors as JSON on stderr' },
  help: { short: 'h', help: 'this text' },
};

export function readInput(command: Command, args: string[], terminal: Terminal): Input | 'help' {
  const specs = { ...command.options, ...commonOptions };
  const options: ParseArgsConfig['options'] = {};
  for (const [name, { hint, multiple, short }] of Object.entries(specs))
    options[name] = {
      type: hint ? 'string' : 'boolean',
      ...(multiple && { multiple }),
      ...(short && { short }),
    };
  const usage = (message: string) => CliError.of('usage', message, `See flota ${command.name} --help`);
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw usage((error as Error).message.split(/\. |\n/)[0]!);
  }
  const { values, positionals } = parsed;
  if (values.help) return 'help';
  const { operands = [] } = command;
  if (positionals.length < operands.length) throw usage(`${operands[positionals.length]} is missing`);
  if (positionals.length > operands.length) throw usage(`"${positionals[operands.length]}" is one too many`);
  for (const [name, { values: allowed }] of Object.entries(specs)) {
    const given = values[name];
    if (allowed && given !== undefined && !allowed.includes(given as string))
      throw usage(`--${name}: "${given}" is none of ${allowed.join(', ')}`);
  }
  const out = createOutput(values.json === true, terminal);
  const text = (name: string) => values[name] as string | undefined;
  return {
    operands: positionals,
    text,
    parsed(name, parse) {
      const given = text(name);
      if (given === undefined) return undefined;
      try {
        return parse(given);
      } catch (error) {
        throw usage(`--${name}: ${(error as Error).message}`);
      }
    },
    all: (name) => (values[name] as string[] | undefined) ?? [],
    has: (name) => values[name] === true,
    flota() {
      const url = readUrl(text('url'), terminal.env);
      return createFlota(url, { authorization: `Bearer ${readToken(url, terminal.env)}` }, out.warn);
    },
    out,
  };
}
