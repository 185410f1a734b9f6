/**
 * Runs a statement over one event. SELECT comes before WHERE, later fields see earlier aliases, and what fails anywhere
 * fails the event.
 */
import { decodeJson, isRow, newRow, type Row, type Value } from '../json.ts';
import { topicMatches } from '../topic.ts';
import { compare, EvaluationError } from './compare.ts';
import type { Condition, Expression, Statement } from './parser.ts';

/** Whether an event's topic (or `$events/…` name) is one that the statement selects from. */
export function selectsFrom({ from }: Statement, topic: string): boolean {
  return from.some((filter) =>
    topic.startsWith('$events/') ? filter === topic : topicMatches(filter, topic),
  );
}

/** The row of one event, or null where WHERE says no. Throws EvaluationError. */
export function evaluate({ fields, where }: Statement, event: Row): Row | null {
  const columns = new Columns(event);
  const row = newRow();
  for (const { expression, alias } of fields) {
    if (expression === null) {
      Object.assign(row, columns.row);
      continue;
    }
    const result = columns.value(expression);
    putAt(row, alias, result);
    // Without an alias it is where it was.
    if (!('path' in expression && expression.path === alias)) putAt(columns.row, alias, result);
  }
  return where && !holds(where, columns) ? null : row;
}

function holds(condition: Condition, columns: Columns): boolean {
  const { operator, left, right } = condition;
  if ('operator' in left && 'operator' in right)
    return operator === 'and'
      ? holds(left, columns) && holds(right, columns)
      : holds(left, columns) || holds(right, columns);
  return compare(operator, columns.value(left as Expression), columns.value(right as Expression));
}

/** The event's columns and, over them, the aliases given so far. A payload is decoded when a path first goes into it. */
class Columns {
  readonly row: Row;
  private decoded: { text: Value; value: Value } | null = null;
  constructor(event: Row) {
    this.row = newRow(event);
  }

  value(expression: Expression): Value {
    if ('constant' in expression) return expression.constant;
    let at: Value = this.row;
    for (const [depth, step] of expression.path.entries()) {
      if (depth > 0 && (typeof at === 'string' || Buffer.isBuffer(at)))
        at = depth === 1 && expression.path[0] === 'payload' ? this.payload(at) : inText(at);
      at = isRow(at) ? at[step] : undefined;
    }
    return at;
  }

  private payload(text: string | Buffer): Value {
    if (this.decoded?.text === text) return this.decoded.value;
    try {
      this.decoded = { text, value: decodeJson(String(text)) };
      return this.decoded.value;
    } catch {
      throw new EvaluationError('the payload is not JSON');
    }
  }
}

/** A text that is JSON can be gone into as well; any other text has nothing inside. */
export function inText(text: string | Buffer): Value {
  try {
    return decodeJson(String(text));
  } catch {
    return undefined;
  }
}

function putAt(row: Row, path: string[], value: Value): void {
  let at = row;
  for (const step of path.slice(0, -1)) {
    const old = at[step];
    at = at[step] = newRow(isRow(old) ? old : undefined);
  }
  at[path.at(-1)!] = value;
}
