/** Events to try a rule with: the samples of the files, and what `capture` has seen on the broker. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Settings as Values } from '../schema.ts';
import { contextFields } from '../standin/rule-test.ts';
import { CliError } from './output.ts';

export interface Captures {
  /** RFC 3339 */
  at: string;
  events: Values[];
}
export interface Context {
  /** For POST /rule_test. */
  fields: Record<string, unknown>;
  /** Columns of the event that rule_test does not take. */
  dropped: string[];
}

const file = (dataDir: string) => join(dataDir, 'emqx-captures.json');

export function readCaptures(dataDir: string): Captures | null {
  let text: string;
  try {
    text = readFileSync(file(dataDir), 'utf8');
  } catch {
    return null;
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new CliError(`${file(dataDir)} is not JSON; capture again, or delete it`);
  }
}

/** For its owner only: payloads are in it. */
export function writeCaptures(dataDir: string, captures: Captures): string {
  const path = file(dataDir);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, JSON.stringify(captures, null, 1), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return path;
}

/** The part of an event that the broker's rule_test takes; null for events of which it knows nothing. */
export function toContext(event: Values): Context | null {
  const type = String(event.event).replace('.', '_');
  const known = contextFields[type];
  if (!known) return null;
  const fields: Record<string, unknown> = { event_type: type };
  const dropped: string[] = [];
  for (const [name, value] of Object.entries(event)) {
    if (name === 'event' || value === 'undefined') continue;
    if (!known.has(name)) dropped.push(name);
    else fields[name] = name === 'proto_ver' ? String(value) : value;
  }
  return { fields, dropped };
}
