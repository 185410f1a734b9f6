/** The rules, asked for every event; what they select goes to their actions. Both can be replaced while it runs. */
import type { ActionMetrics, HttpAction } from './http-action.ts';
import { newRow, type Row } from './json.ts';
import { evaluate, selectsFrom } from './sql/evaluate.ts';
import { parseSql, type Statement } from './sql/parser.ts';
import { hasWildcard } from './topic.ts';

export type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: object) => void;

const counters = {
  matched: 0,
  passed: 0,
  failed: 0,
  'failed.exception': 0,
  'failed.no_result': 0,
  'actions.total': 0,
  'actions.success': 0,
  'actions.failed': 0,
  'actions.failed.out_of_service': 0,
  'actions.discarded': 0,
};
export type RuleMetrics = typeof counters;
interface Rule {
  id: string;
  statement: Statement;
  actions: string[];
  metadata: Row;
  metrics: RuleMetrics;
}

export class RuleEngine {
  private readonly rules = new Map<string, Rule>();
  private readonly metrics = new Map<string, RuleMetrics>();
  /** null: disabled. */
  private readonly actions = new Map<string, HttpAction | null>();
  /** Rules that select only from fixed names are found by name; the others are asked each time. */
  private exact = new Map<string, Rule[]>();
  private wild: Rule[] = [];
  private readonly log: Log;
  constructor(log: Log) {
    this.log = log;
  }

  /** `topic` is the message's, or `$events/…`; `columns` makes the event's columns only when a rule wants them. */
  handle(topic: string, columns: () => Row): void {
    const chosen = [
      ...(this.exact.get(topic) ?? []),
      ...this.wild.filter((rule) => selectsFrom(rule.statement, topic)),
    ];
    if (chosen.length === 0) return;
    const row = columns();
    for (const rule of chosen) this.run(rule, row);
  }

  /** Its counts go on when it is replaced. Throws SqlError. */
  putRule(id: string, { sql, actions, enable }: { sql: string; actions: string[]; enable: boolean }): void {
    const statement = parseSql(sql);
    const metrics = this.metrics.get(id) ?? { ...counters };
    this.metrics.set(id, metrics);
    const metadata = Object.assign(newRow(), { rule_id: id });
    if (enable) this.rules.set(id, { id, statement, actions, metadata, metrics });
    else this.rules.delete(id);
    this.index();
  }

  removeRule(id: string): void {
    this.rules.delete(id);
    this.metrics.delete(id);
    this.index();
  }

  /** What the old one had queued is lost, as on EMQX. */
  putAction(id: string, action: HttpAction | null): void {
    this.actions.get(id)?.close();
    this.actions.set(id, action);
  }

  removeAction(id: string): void {
    this.actions.get(id)?.close();
    this.actions.delete(id);
  }

  ruleMetrics(id: string): RuleMetrics | undefined {
    return this.metrics.get(id);
  }

  resetRule(id: string): void {
    Object.assign(this.metrics.get(id) ?? {}, counters);
  }

  actionMetrics(id: string): ActionMetrics | undefined {
    return this.actions.get(id)?.metrics();
  }

  action(id: string): HttpAction | null | undefined {
    return this.actions.get(id);
  }

  close(): void {
    for (const action of this.actions.values()) action?.close();
  }

  private run(rule: Rule, row: Row): void {
    const { metrics } = rule;
    metrics.matched++;
    row.metadata = rule.metadata;
    let rows: Row[] | null;
    try {
      rows = evaluate(rule.statement, row);
    } catch (error) {
      metrics.failed++;
      metrics['failed.exception']++;
      this.log('warn', 'rule failed', { rule: rule.id, error: String(error) });
      return;
    }
    if (!rows || rows.length === 0) {
      metrics.failed++;
      metrics['failed.no_result']++;
      return;
    }
    metrics.passed++;
    for (const each of rows) for (const name of rule.actions) this.act(name, each, metrics);
  }

  private act(name: string, row: Row, metrics: RuleMetrics): void {
    metrics['actions.total']++;
    const action = this.actions.get(name.replace(/^http:/, ''));
    if (action) action.send(row, (ok) => metrics[ok ? 'actions.success' : 'actions.failed']++);
    else if (action === null) metrics['actions.discarded']++;
    else {
      metrics['actions.failed']++;
      metrics['actions.failed.out_of_service']++;
    }
  }

  private index(): void {
    this.exact = new Map();
    this.wild = [];
    for (const rule of this.rules.values()) {
      const { from } = rule.statement;
      if (from.some(hasWildcard)) this.wild.push(rule);
      else for (const topic of new Set(from)) this.exact.set(topic, [...(this.exact.get(topic) ?? []), rule]);
    }
  }
}
