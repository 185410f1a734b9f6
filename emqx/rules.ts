/** Reads `rules/`: one rule a file, connectors, actions; checked, with the place of each value in its file. */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type HoconObject, nodeAt, readHocon, toPlain } from './hocon.ts';
import { kinds, problemOf, type ResourceKind, roots, type Settings, schema } from './schema.ts';
import { parseSql, SqlError } from './sql.ts';

export interface RuleConfig {
  sql: string;
  actions: string[];
  description?: string;
  enable?: boolean;
}
/** The roots of EMQX's configuration that operators tune. */
export interface BrokerConfig {
  connectors: { http: Record<string, Settings> };
  actions: { http: Record<string, Settings> };
  rule_engine: { rules: Record<string, RuleConfig> };
}
/** A connector, action or rule and where its file has it. */
export interface Source {
  kind: ResourceKind;
  id: string;
  settings: Settings;
  file: string;
  node: HoconObject;
}
/** An event as EMQX would have it, and the rows that the webhook must receive for it. */
export interface RuleSample {
  rule: string;
  name: string;
  given: Settings;
  receives: Settings[];
  file: string;
  line: number;
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
    super(`${relative(process.cwd(), file)}:${line}: ${message}`);
    this.code = code;
  }
}

/** Types of EMQX's own actions that recipes/ has. Such an action is made with EMQX's tools, and EMQX says whether it is there. */
const bridges = ['kafka_producer', 'timescale', 's3'];

export const rulesDir = fileURLToPath(new URL('./rules/', import.meta.url));
/** The connector whose address and token belong to the deployment and not to the files. */
export const webhookConnector = 'webhook';

/**
 * The configuration for a broker whose connector `webhook` posts to that address with the bearer token; connectors of other
 * names keep what their files say. Throws HoconError or RuleError, both with file and line.
 */
export function loadRules(options: { dir?: string; webhookUrl: string; webhookToken: string }): BrokerConfig {
  const { config } = readRules(options.dir);
  const webhook = config.connectors.http[webhookConnector];
  if (webhook) {
    const authorization = `Bearer ${options.webhookToken}`;
    webhook.url = options.webhookUrl;
    webhook.headers = { ...(webhook.headers as Settings | undefined), authorization };
  }
  return config;
}

/** Everything under the directory, checked: settings and SQL can be used, ids are unique, and what is named exists. */
export function readRules(dir = rulesDir): {
  config: BrokerConfig;
  sources: Source[];
  samples: RuleSample[];
} {
  const sources: Source[] = [];
  const samples: RuleSample[] = [];
  for (const file of hoconFiles(dir)) {
    const root = readHocon(file);
    for (const source of sourcesOf(root, file)) {
      const { kind, id, node } = source;
      const other = sources.find((one) => one.kind === kind && one.id === id);
      if (other)
        throw new RuleError(
          'rule_duplicate',
          node.span.file,
          node.span.line,
          `${kind} ${id} is already in ${place(other)}`,
        );
      if (node.span.again)
        throw new RuleError(
          'rule_duplicate',
          node.span.file,
          node.span.again,
          `${kind} ${id} is already in ${place(source)}`,
        );
      sources.push(source);
    }
    samples.push(...samplesOf(root, file));
  }
  for (const source of sources) check(source, sources);
  const all = <T>(kind: ResourceKind) =>
    Object.fromEntries(
      sources.filter((one) => one.kind === kind).map(({ id, settings }) => [id, settings as T]),
    );
  const config: BrokerConfig = {
    connectors: { http: all('connector') },
    actions: { http: all('action') },
    rule_engine: { rules: all('rule') },
  };
  return { config, sources, samples };
}

function place({ node: { span } }: Source): string {
  return `${relative(process.cwd(), span.file)}:${span.line}`;
}

function hoconFiles(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.hocon'))
    .sort()
    .map((name) => join(dir, name));
}

function sourcesOf(root: HoconObject, file: string): Source[] {
  const found: Source[] = [];
  const expect = (node: HoconObject, names: string[]) => {
    for (const [name, { span }] of node.entries)
      if (!names.includes(name))
        throw new RuleError(
          'rule_invalid',
          span.file,
          span.line,
          `"${name}" is not one of ${names.join(', ')}`,
        );
  };
  expect(root, [...kinds.map((kind) => roots[kind][0]), 'samples']);
  for (const kind of kinds) {
    const [top, type] = roots[kind];
    const above = nodeAt(root, top);
    if (above?.kind === 'object') expect(above, [type]);
    const all = nodeAt(root, top, type);
    if (all?.kind !== 'object') continue;
    for (const [id, node] of all.entries) {
      if (node.kind !== 'object')
        throw new RuleError('rule_invalid', file, node.span.line, `${kind} ${id} needs an object`);
      found.push({ kind, id, node, file: node.span.file, settings: toPlain(node) as Settings });
    }
  }
  return found;
}

function samplesOf(root: HoconObject, file: string): RuleSample[] {
  const node = root.entries.get('samples');
  if (!node) return [];
  const rules = nodeAt(root, ...roots.rule);
  const ids = rules?.kind === 'object' ? [...rules.entries.keys()] : [];
  const refuse = (line: number, message: string) => new RuleError('rule_invalid', file, line, message);
  if (ids.length !== 1 || node.kind !== 'list')
    throw refuse(node.span.line, 'samples is a list in the file of one rule');
  return node.items.map((item) => {
    const sample = toPlain(item) as { name: string; given: Settings; receives: Settings[] };
    if (item.kind !== 'object' || typeof sample.given !== 'object' || !Array.isArray(sample.receives))
      throw refuse(item.span.line, 'a sample has name, given { event = …, … } and a list receives');
    return { ...sample, rule: ids[0]!, file, line: item.span.line };
  });
}

function check({ kind, id, settings, node }: Source, all: Source[]): void {
  const refuse = (code: RuleErrorCode, path: string[], message: string): never => {
    const { file, line } = (nodeAt(node, ...path) ?? node).span;
    throw new RuleError(code, file, line, `${kind} ${id}: ${message}`);
  };
  const known = (wanted: ResourceKind, name: string) =>
    all.some((one) => one.kind === wanted && one.id === name);
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(id))
    refuse('rule_invalid', [], 'its name may have letters, digits, _ and - only');
  const problem = problemOf(schema[kind], settings);
  if (problem) refuse('rule_invalid', problem.path, problem.reason);
  if (kind === 'connector' && !URL.canParse(String(settings.url)))
    refuse('rule_invalid', ['url'], `${settings.url} is not a URL`);
  if (kind === 'action' && !known('connector', String(settings.connector)))
    refuse('connector_unknown', ['connector'], `unknown connector "${settings.connector}"`);
  if (kind !== 'rule') return;
  try {
    parseSql(String(settings.sql));
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    // What only EMQX understands is for EMQX to judge; the stand-in refuses it by name when it is given it.
    if (error.code === 'sql_invalid') {
      const below = String(settings.sql).slice(0, error.at).split('\n').length - 1;
      const { file, line } = nodeAt(node, 'sql')!.span;
      throw new RuleError('sql_invalid', file, line + below, `rule ${id}: ${error.message}`);
    }
  }
  for (const action of (settings.actions ?? []) as string[]) {
    const [type = '', name = ''] = action.split(':');
    if (!(type === 'http' ? known('action', name) : bridges.includes(type) && name))
      refuse('action_unknown', ['actions'], `unknown action "${action}"`);
  }
}
