/** `flota plan`: what `flota apply` would do. */
import type { Command, Input } from '../command.ts';
import { CliError, exits } from '../errors.ts';
import { printable } from '../output.ts';
import type { Change, Comparison, Difference } from './difference.ts';

export const fileOption = { hint: 'FILE', short: 'f', help: 'the fleet file (YAML)' } as const;
export const secretsOption = {
  help: 'also write the addresses of webhooks again, of which the server tells only a part',
};

export const plan: Command = {
  name: 'plan',
  summary: 'what apply would change; ends with 0 when there is nothing, with 2 when there is something',
  options: { file: fileOption, secrets: secretsOption },
  examples: ['-f fleet.yaml', '-f fleet.yaml --json'],
  usageExit: exits.failed,
  async run(input) {
    const { compared } = await prepare(input);
    input.out.show({ changes: compared.changes.map(presentChange) }, describe(compared));
    return compared.changes.length > 0 ? exits.differs : exits.succeeded;
  },
};

export function readFileName(input: Input): string {
  const path = input.text('file');
  if (path === undefined) throw CliError.of('usage', 'Which file?', 'Give -f fleet.yaml.');
  return path;
}

/** Loaded when it is needed: the parsers are half of the program. */
export async function prepare(input: Input) {
  const path = readFileName(input);
  const [{ readFleetFile }, { compare }, { readPresent }] = await Promise.all([
    import('./file.ts'),
    import('./difference.ts'),
    import('./things.ts'),
  ]);
  const file = readFleetFile(path, input.out.terminal.env);
  const flota = input.flota();
  const present = await readPresent(flota);
  return { flota, file, present, compared: compare(file, present, { secrets: input.has('secrets') }) };
}

export function presentChange(change: Change) {
  const { does, kind, name } = change;
  return { does, kind, name, ...(change.does === 'update' && { differences: change.differences }) };
}

export const titleOf = ({ kind, name }: { kind: string; name: string }) => `${kind} ${name}`;

function describe({ changes, unchanged, foreign }: Comparison): string[] {
  const count = (does: Change['does']) => changes.filter((change) => change.does === does).length;
  const left = foreign.length > 0 ? `; ${foreign.length} made elsewhere, which apply leaves alone` : '';
  if (changes.length === 0)
    return [`Nothing to do: the server is as the file says (${unchanged.length} things${left}).`];
  return [
    ...changes.flatMap(describeChange),
    `${count('create')} to create, ${count('update')} to change, ${count('remove')} to remove${left}.`,
  ].map(printable);
}

function describeChange(change: Change): string[] {
  const title = titleOf(change);
  if (change.does === 'create')
    return [`+ ${title}`, ...Object.entries(change.wanted.fields).map(([f, v]) => `    ${f}: ${shown(v)}`)];
  if (change.does === 'remove') {
    const { devices = 0 } = change.live;
    const held = devices > 0 ? `: ${devices} devices are of it, and it stays until they are moved` : '';
    return [`- ${title}  is not in the file any more${held}`];
  }
  const { differences } = change;
  if (differences.length === 0) return [`~ ${title}  its address is written again`];
  return [`~ ${title}`, ...differences.map(describeDifference)];
}

function describeDifference({ field, server, file }: Difference): string {
  return `    ${field}: ${shown(server)} → ${shown(file)}`;
}

function shown(value: unknown): string {
  return value === undefined ? '(default)' : JSON.stringify(value);
}
