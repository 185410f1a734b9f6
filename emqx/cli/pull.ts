/** `pull`: takes what operators changed in the dashboard into the files. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { type HoconValue, nodeAt, parseHocon } from '../hocon.ts';
import { readRules, rulesDir, webhookConnector } from '../rules.ts';
import {
  isDefault,
  isSettings,
  masked,
  roots,
  schema,
  type Settings as Values,
  withDefaults,
} from '../schema.ts';
import type { Command } from './command.ts';
import { type Change, compare, type Difference } from './difference.ts';
import { type Edit, editText, writeObject } from './edit.ts';
import type { Live } from './live.ts';
import { CliError } from './output.ts';
import { titleOf } from './plan.ts';

const folders = { connector: 'connectors', action: 'actions', rule: '.' };

export const pull: Command = {
  summary: "takes the broker's changes into the files",
  help: `Only the values that differ are replaced, in place: comments and layout stay. What was made in the dashboard becomes a
file of its own. Of what is missing on the broker you are told; its file stays. Address and token of the connector \`webhook\`
belong to the deployment and are never written. All files are read back and checked before the first one is touched.`,
  needs: 'broker',
  async run({ broker, settings, dir = rulesDir, say }) {
    const live = await broker.read();
    const { changes } = compare(dir, live, settings);
    const texts = new Map<string, string>();
    const told: string[] = [];
    for (const change of changes) {
      const title = titleOf(change);
      if (change.does === 'create') {
        const { file, line } = change.source!.node.span;
        told.push(
          `${title} is not on the broker: delete it at ${relative(process.cwd(), file)}:${line}, or apply makes it again`,
        );
      } else if (change.does === 'update') told.push(...update(change, texts));
      else {
        const unknown = unknownActions(change.live!, live);
        if (unknown.length > 0)
          told.push(`${title} was left out: files cannot say its action ${unknown.join(', ')}`);
        else {
          const file = newFile(dir, change, texts);
          texts.set(file, fileOf(change.live!));
          told.push(`${title} → ${relative(process.cwd(), file)} (new)`);
        }
      }
    }
    verify(dir, texts);
    for (const [file, text] of texts) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    }
    for (const line of told) say(line);
    if (changes.length === 0) say('No difference: nothing to pull.');
    return 0;
  },
};

function update({ kind, id, source, differences }: Change, texts: Map<string, string>): string[] {
  const { file, node } = source!;
  const place = relative(process.cwd(), file);
  const deployments = (path: string[]) =>
    kind === 'connector' &&
    id === webhookConnector &&
    (path[0] === 'url' || path.join('.') === 'headers.authorization');
  const mine = differences.filter(({ path }) => !deployments(path));
  const told = differences
    .filter(({ path }) => deployments(path))
    .map(({ path }) => `${kind} ${id}: ${path.join('.')} is the deployment's and stays out of ${place}`);
  if (mine.length === 0) return told;
  const edits: Edit[] = mine.map(({ path, broker }) => ({ path, value: writable(kind, path, broker) }));
  const before = texts.get(file) ?? readFileSync(file, 'utf8');
  // A file with two changed objects: the second's places are those of the text as it is now.
  const now = texts.has(file) ? reread(file, before, kind, id) : node;
  texts.set(file, editText(before, now, [...roots[kind], id], edits));
  return [...told, ...mine.map((one) => `${kind} ${id} → ${place}: ${one.path.join('.')} = ${shown(one)}`)];
}

/** Three quotes cannot hold a text that ends with one; behind SQL a new line means nothing. */
function writable<T extends HoconValue | undefined>(
  kind: Change['kind'],
  path: string[],
  value: T,
): T | string {
  return kind === 'rule' && path[0] === 'sql' && String(value).endsWith('"') ? `${value}\n` : value;
}

function shown({ broker }: Difference): string {
  const text = broker === undefined ? '(removed)' : JSON.stringify(broker);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function reread(file: string, text: string, kind: Change['kind'], id: string) {
  const node = nodeAt(parseHocon(text, file), ...roots[kind], id);
  if (node?.kind !== 'object') throw new CliError(`${file}: cannot find ${kind} ${id} again`);
  return node;
}

function unknownActions({ kind, settings }: Live, live: Live[]): string[] {
  if (kind !== 'rule') return [];
  return ((settings.actions ?? []) as HoconValue[])
    .filter((name) => !live.some((one) => one.kind === 'action' && name === `http:${one.id}`))
    .map((name) => (typeof name === 'string' ? name : JSON.stringify(name)));
}

function newFile(dir: string, { kind, id }: Change, texts: Map<string, string>): string {
  for (const name of [id, `${id}-${kind}`, `${id}-${kind}-2`]) {
    const file = join(dir, folders[kind], `${name}.hocon`);
    if (!existsSync(file) && !texts.has(file)) return file;
  }
  throw new CliError(`no free file name for ${kind} ${id} in ${dir}`);
}

/** What holds by default is not written. */
function fileOf({ kind, id, settings }: Live): string {
  const own = (values: Values, path: string[]): Values =>
    Object.fromEntries(
      Object.entries(values)
        .map(([name, value]): [string, HoconValue] => [
          name,
          isSettings(value) ? own(value, [...path, name]) : writable(kind, [...path, name], value),
        ])
        .filter(([name, value]) => {
          if (isSettings(value)) return Object.keys(value).length > 0;
          return !isDefault(schema[kind], [...path, name], value);
        }),
    );
  const values = own(withDefaults(schema[kind], settings), []);
  const secret = isSettings(values.headers) && Object.values(values.headers).includes(masked);
  return [
    `# Made in the dashboard.${secret ? ` EMQX does not tell the header that reads ${masked}; on a new broker it has to be written here.` : ''}`,
    `${[...roots[kind], id].join('.')} ${writeObject(values, '')}`,
    '',
  ].join('\n');
}

/** A copy with the new texts can be read and is checked; or nothing is written. */
function verify(dir: string, texts: Map<string, string>): void {
  const copy = mkdtempSync(join(tmpdir(), 'rules-'));
  try {
    cpSync(dir, copy, { recursive: true });
    for (const [file, text] of texts) {
      const target = join(copy, relative(dir, file));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text);
    }
    readRules(copy);
  } catch (error) {
    throw new CliError(
      `what the broker has cannot be written into the files, nothing was: ${(error as Error).message}`,
      { cause: error },
    );
  } finally {
    rmSync(copy, { recursive: true });
  }
}
