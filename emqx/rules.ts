/** Reads `rules/`: one rule a file, the connector, the actions; as one object in the shape of EMQX's configuration. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type HoconObject, type HoconValue, mergeObjects, nodeAt, readHocon, toPlain } from './hocon.ts';
import { SqlError } from './standin/sql/lexer.ts';
import { parseSql } from './standin/sql/parser.ts';

export interface RuleConfig {
  sql: string;
  actions: string[];
  description?: string;
  enable?: boolean;
}
export type Settings = { [key: string]: HoconValue };
/** The roots of EMQX's configuration that operators tune. */
export interface BrokerConfig {
  connectors: { http: Record<string, Settings> };
  actions: { http: Record<string, Settings> };
  rule_engine: { rules: Record<string, RuleConfig> };
}
/** An event as EMQX would have it, and the rows that the webhook must receive for it. */
export interface RuleSample {
  rule: string;
  name: string;
  given: Settings;
  receives: Settings[];
}

export type RuleErrorCode =
  | 'rule_invalid'
  | 'sql_invalid'
  | 'rule_duplicate'
  | 'action_unknown'
  | 'connector_unknown';
export class RuleError extends Error {
  override readonly name = 'RuleError';
  readonly code: RuleErrorCode;
  constructor(code: RuleErrorCode, file: string, line: number, message: string) {
    super(`${file}:${line}: ${message}`);
    this.code = code;
  }
}

export const rulesDir = fileURLToPath(new URL('./rules/', import.meta.url));

/**
 * The configuration for a broker whose rules post to `<webhookUrl>/emqx/events` with the bearer token.
 * Throws HoconError or RuleError, both with file and line.
 */
export function loadRules(options: { dir?: string; webhookUrl: string; webhookToken: string }): BrokerConfig {
  const { config } = readRules(options.dir);
  for (const connector of Object.values(config.connectors.http)) {
    connector.url = options.webhookUrl;
    connector.headers = {
      ...(connector.headers as Settings | undefined),
      authorization: `Bearer ${options.webhookToken}`,
    };
  }
  return config;
}

/** Everything under the directory, checked: SQL can be read, ids are unique, every action and connector that is named exists. */
export function readRules(dir = rulesDir): { config: BrokerConfig; samples: RuleSample[] } {
  const samples: RuleSample[] = [];
  const owners = new Map<string, string>();
  let whole: HoconObject | undefined;
  for (const file of hoconFiles(dir)) {
    const root = readHocon(file);
    for (const [kind, node] of named(root)) {
      const owner = owners.get(kind);
      if (owner) throw new RuleError('rule_duplicate', file, node.line, `${kind} is already in ${owner}`);
      owners.set(kind, file);
    }
    samples.push(...samplesOf(root, file));
    root.entries.delete('samples');
    whole = whole ? mergeObjects(whole, root) : root;
  }
  const plain = (whole ? toPlain(whole) : {}) as Partial<BrokerConfig>;
  const config: BrokerConfig = {
    connectors: { http: plain.connectors?.http ?? {} },
    actions: { http: plain.actions?.http ?? {} },
    rule_engine: { rules: plain.rule_engine?.rules ?? {} },
  };
  if (whole) check(config, whole);
  return { config, samples };
}

function hoconFiles(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.hocon'))
    .sort()
    .map((name) => join(dir, name));
}

function* named(root: HoconObject): Generator<[string, { line: number }]> {
  for (const path of [
    ['connectors', 'http'],
    ['actions', 'http'],
    ['rule_engine', 'rules'],
  ]) {
    const node = nodeAt(root, ...path);
    if (node?.kind === 'object')
      for (const [id, child] of node.entries) yield [`${path.join('.')}.${id}`, child.span];
  }
}

function samplesOf(root: HoconObject, file: string): RuleSample[] {
  const node = root.entries.get('samples');
  if (!node) return [];
  const rules = nodeAt(root, 'rule_engine', 'rules');
  const ids = rules?.kind === 'object' ? [...rules.entries.keys()] : [];
  if (ids.length !== 1 || node.kind !== 'list')
    throw new RuleError('rule_invalid', file, node.span.line, 'samples is a list in the file of one rule');
  return node.items.map((item) => ({
    ...(toPlain(item) as unknown as Omit<RuleSample, 'rule'>),
    rule: ids[0]!,
  }));
}

function check(config: BrokerConfig, whole: HoconObject): void {
  const place = (...path: string[]) => {
    const span = nodeAt(whole, ...path)!.span;
    return [span.file, span.line] as const;
  };
  for (const [id, rule] of Object.entries(config.rule_engine.rules)) {
    const at = place('rule_engine', 'rules', id);
    if (typeof rule.sql !== 'string' || !Array.isArray(rule.actions))
      throw new RuleError('rule_invalid', ...at, `rule ${id} needs sql and a list of actions`);
    checkSql(id, rule.sql, ...place('rule_engine', 'rules', id, 'sql'));
    for (const action of rule.actions)
      if (!Object.hasOwn(config.actions.http, String(action).replace(/^http:/, '')))
        throw new RuleError('action_unknown', ...at, `rule ${id} names the unknown action ${action}`);
  }
  for (const [id, action] of Object.entries(config.actions.http))
    if (!Object.hasOwn(config.connectors.http, String(action.connector)))
      throw new RuleError(
        'connector_unknown',
        ...place('actions', 'http', id),
        `action ${id} names the unknown connector ${action.connector}`,
      );
}

function checkSql(id: string, sql: string, file: string, line: number): void {
  try {
    parseSql(sql);
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    const below = sql.slice(0, error.at).split('\n').length - 1;
    throw new RuleError('sql_invalid', file, line + below, `rule ${id}: ${error.message}`);
  }
}
