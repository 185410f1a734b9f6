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
  // Not counted here.
  ...{ 'matched.rate': 0, 'matched.rate.last5m': 0, 'matched.rate.max': 0 },
};
export type RuleMetrics = typeof counters;
interface Rule {
  id: string;
  statement: Statement;
  actions: string[];
  enable: boolean;
  metrics: RuleMetrics;
}

export class RuleEngine {
  /** Those that are enabled and select only from fixed names, by name; the others are asked each time. */
  private exact = new Map<string, Rule[]>();
  private wild: Rule[] = [];
  private readonly rules = new Map<string, Rule>();
  /** null: disabled. */
  private readonly actions = new Map<string, HttpAction | null>();
  private readonly log: Log;
  constructor(log: Log) {
    this.log = log;
  }

  /** `topic` is the message's, or `$events/…`; `columns` makes the event's columns only when a rule wants them. */
  handle(topic: string, columns: () => Row): void {
    const wild = this.wild.filter((rule) => selectsFrom(rule.statement, topic));
    const chosen = [...(this.exact.get(topic) ?? []), ...wild];
    if (chosen.length === 0) return;
    const row = columns();
    for (const rule of chosen) this.run(rule, row);
  }

  /** Its counts go on when it is replaced. Throws SqlError. */
  putRule(id: string, { sql, actions, enable }: { sql: string; actions: string[]; enable: boolean }): void {
    const metrics = this.rules.get(id)?.metrics ?? { ...counters };
    this.rules.set(id, { id, statement: parseSql(sql), actions, enable, metrics });
    this.index();
  }

  removeRule(id: string): void {
    this.rules.delete(id);
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
    return this.rules.get(id)?.metrics;
  }

  actionMetrics(id: string): ActionMetrics | undefined {
    return this.actions.get(id)?.metrics();
  }

  /** False when its webhook refused a connection when it last tried. */
  isUp(action: string): boolean {
    return this.actions.get(action)?.connected !== false;
  }

  reset(kind: 'rule' | 'action', id: string): void {
    if (kind === 'action') this.actions.get(id)?.reset();
    else Object.assign(this.rules.get(id)?.metrics ?? {}, counters);
  }

  close(): void {
    for (const action of this.actions.values()) action?.close();
  }

  private run({ id, statement, actions, metrics }: Rule, event: Row): void {
    metrics.matched++;
    let row: Row | null;
    try {
      row = evaluate(statement, { ...event, metadata: newRow({ rule_id: id }) });
    } catch (error) {
      metrics.failed++;
      metrics['failed.exception']++;
      this.log('warn', 'rule failed', { rule: id, error: String(error) });
      return;
    }
    if (!row) {
      metrics.failed++;
      metrics['failed.no_result']++;
      return;
    }
    metrics.passed++;
    for (const name of actions) this.act(name, row, metrics);
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
    const enabled = [...this.rules.values()].filter(({ enable }) => enable);
    this.wild = enabled.filter(({ statement }) => statement.from.some(hasWildcard));
    this.exact = new Map();
    for (const rule of enabled)
      if (!this.wild.includes(rule))
        for (const topic of new Set(rule.statement.from))
          this.exact.set(topic, [...(this.exact.get(topic) ?? []), rule]);
  }
}
