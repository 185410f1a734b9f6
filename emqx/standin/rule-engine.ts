/** The rules, asked for every event; what they select goes to their actions. Both can be replaced while it runs. */

import { newRow, type Row } from '../json.ts';
import { parseSql, type Statement } from '../sql.ts';
import { evaluate, selectsFrom } from './evaluate.ts';
import type { ActionMetrics, HttpAction } from './http-action.ts';

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
  'actions.failed.unknown': 0,
  'actions.discarded': 0,
};
export type RuleMetrics = typeof counters;
interface Rule {
  statement: Statement;
  actions: string[];
  enable: boolean;
  metrics: RuleMetrics;
}

export class RuleEngine {
  private readonly rules = new Map<string, Rule>();
  /** null: disabled. */
  private readonly actions = new Map<string, HttpAction | null>();
  private readonly log: Log;
  constructor(log: Log) {
    this.log = log;
  }

  /** `topic` is the message's, or `$events/…`; `columns` makes the event's columns only when a rule wants them. */
  handle(topic: string, columns: () => Row): void {
    let event: Row | null = null;
    for (const [id, rule] of this.rules)
      if (rule.enable && selectsFrom(rule.statement, topic)) {
        event ??= columns();
        this.run(rule, { ...event, metadata: newRow({ rule_id: id }) });
      }
  }

  /** null removes it. Its counts go on when it is replaced. Throws SqlError. */
  setRule(id: string, given: { sql: string; actions: string[]; enable: boolean } | null): void {
    const metrics = this.rules.get(id)?.metrics ?? { ...counters };
    if (given) this.rules.set(id, { ...given, statement: parseSql(given.sql), metrics });
    else this.rules.delete(id);
  }

  /** null: disabled; undefined removes it. What the old one had queued is lost, as on EMQX. */
  setAction(id: string, action: HttpAction | null | undefined): void {
    this.actions.get(id)?.close();
    if (action === undefined) this.actions.delete(id);
    else this.actions.set(id, action);
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

  private run({ statement, actions, metrics }: Rule, event: Row): void {
    metrics.matched++;
    let row: Row | null = null;
    try {
      row = evaluate(statement, event);
      metrics[row ? 'passed' : 'failed.no_result']++;
    } catch (error) {
      metrics['failed.exception']++;
      this.log('warn', 'rule failed', { rule: (event.metadata as Row).rule_id, error: String(error) });
    }
    if (row) for (const name of actions) this.act(name, row, metrics);
    else metrics.failed++;
  }

  private act(name: string, row: Row, metrics: RuleMetrics): void {
    metrics['actions.total']++;
    const action = this.actions.get(name.replace(/^http:/, ''));
    const fail = (why: 'unknown' | 'out_of_service') => {
      metrics['actions.failed']++;
      metrics[`actions.failed.${why}`]++;
    };
    if (action) action.send(row, (ok) => (ok ? metrics['actions.success']++ : fail('unknown')));
    else if (action === null) metrics['actions.discarded']++;
    else fail('out_of_service');
  }
}
