/** Reads a fleet file; what is wrong with it is told with line and column, all of it at once. */
import { readFileSync } from 'node:fs';
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from 'yaml';
import type { z } from 'zod';
import { CliError } from '../errors.ts';
import { type Fleet, fleetSchema } from './schema.ts';

const maxBytes = 1024 * 1024;
const maxFaults = 20;
type Path = PropertyKey[];
/** By the path of a value: why it cannot be. */
export type Blame = (path: Path, message: string) => CliError;

export interface FleetFile {
  fleet: Fleet;
  blame: Blame;
  /** With its comments, to be written back. */
  document: Document;
}

export function readFleetFile(path: string, env: NodeJS.ProcessEnv): FleetFile {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw CliError.of('file_unreadable', `${path} cannot be read: ${code}.`, undefined, error);
  }
  if (content.length > maxBytes)
    throw CliError.of('fleet_file_invalid', `${path} is larger than ${maxBytes} bytes.`);
  return parseFleet(content.toString('utf8'), path, env);
}

export function parseFleet(text: string, name: string, env: NodeJS.ProcessEnv): FleetFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const faults = [...document.errors, ...document.warnings];
  // Of a key that is there twice the parser tells where the one before it ends.
  const start = ({ code, pos: [from] }: (typeof faults)[number]) =>
    code === 'DUPLICATE_KEY' ? from + /^(\s|#.*\n)*/.exec(text.slice(from))![0].length : from;
  refuse(faults.map((fault) => `${at(start(fault))}: ${fault.message.split('\n')[0]}`));
  const locate = (path: Path, key: boolean) => at(offsetOf(document, path, key));
  const parsed = fleetSchema.safeParse(toValue(document, at));
  if (!parsed.success) refuse(parsed.error.issues.flatMap((issue) => toLines(issue, locate)));
  const blame: Blame = (path, message) => CliError.of('fleet_file_invalid', toLine(path, message, locate));
  return { fleet: withEnvironment(parsed.data!, env, blame), blame, document };
}

/** Aliases that multiply are refused by the parser's own bound, which it tells by throwing. */
function toValue(document: Document, at: (offset: number) => string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw CliError.of('fleet_file_invalid', `${at(0)}: ${(error as Error).message}`, undefined, error);
  }
}

function refuse(faults: string[]): void {
  if (faults.length === 0) return;
  const more = faults.length > maxFaults ? [`… and ${faults.length - maxFaults} more`] : [];
  throw CliError.of('fleet_file_invalid', [...faults.slice(0, maxFaults), ...more].join('; '));
}

function toLine(
  path: Path,
  message: string,
  locate: (path: Path, key: boolean) => string,
  key = false,
): string {
  const where = path.map(String).join('.');
  return `${locate(path, key)}: ${where ? `${where}: ` : ''}${message}`;
}

function toLines(issue: z.core.$ZodIssue, locate: (path: Path, key: boolean) => string): string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => toLine([...issue.path, key], 'is not known here', locate, true));
  if (issue.code === 'invalid_key')
    return issue.issues.map(({ message }) => toLine(issue.path, message, locate, true));
  return [toLine(issue.path, issue.message, locate)];
}

/** Of the key, or of the value; where a path leads nowhere, of the last thing on the way. */
function offsetOf(document: Document, path: Path, wantsKey: boolean): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const [i, step] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (!pair) return offset;
      const { key, value } = pair as Pair<Node, Node | null>;
      node = value;
      const isLast = i === path.length - 1;
      offset = ((isLast && wantsKey) || !value?.range ? key : value).range![0];
    } else if (isSeq(node)) {
      node = (node.items[Number(step)] as Node | undefined) ?? null;
      offset = node?.range?.[0] ?? offset;
    }
  }
  return offset;
}

/** Addresses may be secrets: `${NAME}` in one stands for a variable of the environment. */
function withEnvironment(fleet: Fleet, env: NodeJS.ProcessEnv, blame: Blame): Fleet {
  for (const [name, channel] of Object.entries(fleet.channels)) {
    if (channel.kind === 'email') continue;
    const path = ['channels', name, 'url'];
    channel.url = channel.url.replace(/\$\{(\w+)\}/g, (_, variable: string) => {
      const value = env[variable];
      if (!value) throw blame(path, `the environment has no ${variable}`);
      return value;
    });
    if (!/^https?:/.test(channel.url) || !URL.canParse(channel.url))
      throw blame(path, 'must be an http(s) address');
  }
  return fleet;
}
