/** What a change means: the same events through the old and the new rule, and which requests to the webhook differ. */

import type { Row } from '../json.ts';
import type { Settings as Values } from '../schema.ts';
import { compileTemplate, wholeRow } from '../template.ts';
import { actionOf, type Change, type Comparison } from './difference.ts';
import { toContext } from './events.ts';
import type { Broker, Tested } from './live.ts';

export interface Meaning {
  rule: string;
  /** How many were tried: the samples of its file. */
  samples: number;
  /** Only those that differ. */
  changed: { event: string; old: string[]; new: string[] }[];
}
interface Version {
  sql: string;
  actions: string[];
  from: Parameters<typeof actionOf>[1];
}

/** One for each rule that is changed itself or through its actions. */
export async function meaningsOf(broker: Broker, compared: Comparison): Promise<Meaning[]> {
  const meanings: Meaning[] = [];
  for (const [rule, old, fresh] of versions(compared)) {
    const meaning: Meaning = { rule, samples: 0, changed: [] };
    for (const { name, given } of compared.files.samples.filter((sample) => sample.rule === rule)) {
      const context = toContext(given);
      if (!context) continue;
      const [before, after] = [
        await requests(broker, old, context.fields),
        await requests(broker, fresh, context.fields),
      ];
      meaning.samples++;
      if (before.join('\n') !== after.join('\n'))
        meaning.changed.push({ event: `sample "${name}"`, old: before, new: after });
    }
    meanings.push(meaning);
  }
  return meanings;
}

function* versions({
  changes,
  files,
  live,
}: Comparison): Generator<[string, Version | null, Version | null]> {
  const changed = (kind: Change['kind'], id: string) =>
    changes.some((one) => one.kind === kind && one.id === id && one.does !== 'foreign');
  const version = (settings: Values | undefined, from: Version['from']): Version | null =>
    settings && settings.enable !== false
      ? { sql: String(settings.sql), actions: (settings.actions ?? []) as string[], from }
      : null;
  const ids = new Set(Object.keys(files.config.rule_engine.rules));
  for (const { kind, id, ours } of live) if (kind === 'rule' && ours) ids.add(id);
  for (const id of ids) {
    const fresh = version(files.config.rule_engine.rules[id] as unknown as Values | undefined, files.config);
    const old = version(live.find((one) => one.kind === 'rule' && one.id === id)?.settings, live);
    const actions = [...(old?.actions ?? []), ...(fresh?.actions ?? [])];
    if (changed('rule', id) || (old && actions.some((name) => changed('action', name.replace(/^http:/, '')))))
      yield [id, old, fresh];
  }
}

async function requests(broker: Broker, version: Version | null, context: object): Promise<string[]> {
  if (!version) return [];
  const tested: Tested = await broker.test(version.sql, context);
  if ('error' in tested) return [`fails: ${tested.error}`];
  return tested.rows.flatMap((row) =>
    version.actions.map((name) => requestOf(name, actionOf(name, version.from), withoutPresent(row) as Row)),
  );
}

/** `rule_test` takes no `connected_at` of some events and fills in the present time, which is another in each test. Samples are older. */
function withoutPresent(value: unknown): unknown {
  if (typeof value === 'bigint' || typeof value === 'number')
    return Math.abs(Number(value) - Date.now()) < presentMs ? '(now)' : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutPresent);
  return Object.assign(
    Object.create(null),
    Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withoutPresent(one)])),
  );
}
/** For clocks that differ. */
const presentMs = 300_000;

function requestOf(name: string, action: Values | undefined, row: Row): string {
  if (!action && !name.startsWith('http:'))
    return `${name} ${compileTemplate(wholeRow)(row).toString('utf8')}`;
  if (!action) return `${name} (unknown action)`;
  if (action.enable === false) return `${name} (disabled)`;
  const { method = 'post', path = '', body = wholeRow } = (action.parameters ?? {}) as Record<string, string>;
  const ordered = Object.assign(Object.create(null), Object.fromEntries(Object.entries(row).sort()));
  const text = compileTemplate(body)(ordered).toString('utf8');
  return `${method.toUpperCase()} ${compileTemplate(path)(row)} ${text}`;
}
