/** What `--help` prints, from the commands themselves. */
import { type Command, commonOptions, type Option } from './command.ts';

const width = 28;
const pair = (left: string, right: string) =>
  left.length < width ? `  ${left.padEnd(width)}${right}` : `  ${left}\n  ${' '.repeat(width)}${right}`;

function optionLine([name, { hint, help, short }]: [string, Option]): string {
  return pair(`${short ? `-${short}, ` : ''}--${name}${hint ? ` ${hint}` : ''}`, help);
}

function callOf({ name, operands = [] }: Command): string {
  return [name, ...operands].join(' ');
}

const closing = `Environment: FLOTA_URL, FLOTA_TOKEN (both are enough in CI), FLOTA_SIGNING_KEY; NODE_EXTRA_CA_CERTS for a private CA.
Exit status: 0 all succeeded, 1 some failed or not in time, 2 usage (of plan: there are changes), 3 refused by the server, 4 server not reached, 130 Ctrl-C.
`;

export function helpOfAll(commands: Command[]): string {
  const lines = commands.map((command) => pair(callOf(command), command.summary));
  return `flota: firmware updates over the air, from a terminal

Usage: flota COMMAND [options]; flota COMMAND --help

${lines.join('\n')}

Every command takes
${Object.entries(commonOptions).map(optionLine).join('\n')}

${closing}`;
}

export function helpOf(command: Command): string {
  const { name, summary, options = {}, examples } = command;
  return `flota ${callOf(command)} [options]: ${summary}

${[...Object.entries(options), ...Object.entries(commonOptions)].map(optionLine).join('\n')}

Examples
${examples.map((example) => `  flota ${name} ${example}`.trimEnd()).join('\n')}

${closing}`;
}
