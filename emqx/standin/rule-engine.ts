/** The rules of a configuration, asked for every event; what they select goes to their actions. */
import { type ActionMetrics, createHttpAction, type HttpAction, type Settings } from './http-action.ts';
import { newRow, type Row } from './json.ts';
import { evaluate, selectsFrom } from './sql/evaluate.ts';
import { parseSql, type Statement } from './sql/parser.ts';
import { hasWildcard } from './topic.ts';

export type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: object) => void;
/** The roots of EMQX's configuration that the stand-in executes. */
export interface EngineConfig {
  connectors?: { http?: Record<string, Settings> };
  actions?: { http?: Record<string, Settings> };
  rule_engine?: { rules?: Record<string, { sql: string; actions: string[]; enable?: boolean }> };
}
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'config_invalid';
}

export interface RuleMetrics {
  matched: number;
  passed: number;
  failed: number;
  'failed.exception': number;
  'failed.no_result': number;
  'actions.total': number;
  'actions.success': number;
  'actions.failed': number;
}
interface Rule {
  id: string;
  statement: Statement;
  actions: HttpAction[];
  metadata: Row;
  metrics: RuleMetrics;
}

export interface RuleEngine {
  /** `topic` is the message's, or `$events/…`; `columns` makes the event's columns only when a rule wants them. */
  handle(topic: string, columns: () => Row): void;
  ruleMetrics(id: string): RuleMetrics | undefined;
  actionMetrics(id: string): ActionMetrics | undefined;
  ruleIds(): string[];
  actionIds(): string[];
  close(): void;
}

/** Throws ConfigError that names the rule or action which cannot be used. */
export function createRuleEngine(config: EngineConfig, log: Log, options?: { hangMs?: number }): RuleEngine {
  const actions = new Map<string, HttpAction>();
  for (const [id, settings] of Object.entries(config.actions?.http ?? {})) {
    const connector = config.connectors?.http?.[String(settings.connector)];
    if (!connector) throw new ConfigError(`action ${id}: unknown connector ${settings.connector}`);
    actions.set(
      id,
      explained(`action ${id}`, () => createHttpAction(connector, settings, options)),
    );
  }
  const rules = Object.entries(config.rule_engine?.rules ?? {})
    .filter(([, rule]) => rule.enable !== false)
    .map(([id, rule]): Rule => {
      const named = rule.actions.map((name) => {
        const action = actions.get(name.replace(/^http:/, ''));
        if (!action) throw new ConfigError(`rule ${id}: unknown action ${name}`);
        return action;
      });
      return {
        id,
        statement: explained(`rule ${id}`, () => parseSql(rule.sql)),
        actions: named,
        metadata: Object.assign(newRow(), { rule_id: id }),
        metrics: noMetrics(),
      };
    });
  const { exact, wild } = indexed(rules);

  const run = (rule: Rule, row: Row) => {
    const { metrics } = rule;
    metrics.matched++;
    row.metadata = rule.metadata;
    let rows: Row[] | null;
    try {
      rows = evaluate(rule.statement, row);
    } catch (error) {
      metrics.failed++;
      metrics['failed.exception']++;
      log('warn', 'rule failed', { rule: rule.id, error: String(error) });
      return;
    }
    if (!rows || rows.length === 0) {
      metrics.failed++;
      metrics['failed.no_result']++;
      return;
    }
    metrics.passed++;
    for (const each of rows)
      for (const action of rule.actions) {
        metrics['actions.total']++;
        action.send(each, (ok) => metrics[ok ? 'actions.success' : 'actions.failed']++);
      }
  };

  return {
    handle(topic, columns) {
      const chosen = [
        ...(exact.get(topic) ?? []),
        ...wild.filter((rule) => selectsFrom(rule.statement, topic)),
      ];
      if (chosen.length === 0) return;
      const row = columns();
      for (const rule of chosen) run(rule, row);
    },
    ruleMetrics: (id) => rules.find((rule) => rule.id === id)?.metrics,
    actionMetrics: (id) => actions.get(id)?.metrics(),
    ruleIds: () => rules.map((rule) => rule.id),
    actionIds: () => [...actions.keys()],
    close() {
      for (const action of actions.values()) action.close();
    },
  };
}

/** Rules that select only from fixed names are found by name; the others are asked each time. */
function indexed(rules: Rule[]): { exact: Map<string, Rule[]>; wild: Rule[] } {
  const exact = new Map<string, Rule[]>();
  const wild: Rule[] = [];
  for (const rule of rules) {
    if (rule.statement.from.some(hasWildcard)) wild.push(rule);
    else
      for (const topic of new Set(rule.statement.from)) exact.set(topic, [...(exact.get(topic) ?? []), rule]);
  }
  return { exact, wild };
}

function explained<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new ConfigError(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

function noMetrics(): RuleMetrics {
  return {
    matched: 0,
    passed: 0,
    failed: 0,
    'failed.exception': 0,
    'failed.no_result': 0,
    'actions.total': 0,
    'actions.success': 0,
    'actions.failed': 0,
  };
}
