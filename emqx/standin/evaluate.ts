/**
 * Runs a statement over one event. SELECT comes before WHERE, later fields see earlier aliases, and what fails anywhere
 * fails the event.
 */
import { decodeJson, isRow, lookUp, newRow, type Row, type Value } from '../json.ts';
import type { Expression, Statement } from '../sql.ts';
import { compare, EvaluationError } from './compare.ts';
import { topicMatches } from './topic.ts';

/** Whether an event's topic (or `$events/…` name) is one that the statement selects from. */
export function selectsFrom({ from }: Statement, topic: string): boolean {
  return from.some((filter) =>
    topic.startsWith('$events/') ? filter === topic : topicMatches(filter, topic),
  );
}

/** The row of one event, or null where WHERE says no. Throws EvaluationError. */
export function evaluate({ fields, where }: Statement, event: Row): Row | null {
  /** The event's columns and, over them, the aliases given so far. */
  const columns = newRow(event);
  const row = newRow();
  for (const { expression, alias } of fields) {
    if (expression === null) {
      Object.assign(row, columns);
      continue;
    }
    const result = valueIn(expression, columns);
    putAt(row, alias, result);
    // Without an alias it is where it was.
    if (!('path' in expression && expression.path === alias)) putAt(columns, alias, result);
  }
  const holds = where.every(({ operator, left, right }) =>
    compare(operator, valueIn(left, columns), valueIn(right, columns)),
  );
  return holds ? row : null;
}

function valueIn(expression: Expression, columns: Row): Value {
  if ('constant' in expression) return expression.constant;
  const [first, ...rest] = expression.path;
  const column = columns[first!];
  if (rest.length === 0 || first !== 'payload' || (typeof column !== 'string' && !Buffer.isBuffer(column)))
    return lookUp(columns, expression.path);
  let payload: Value;
  try {
    payload = decodeJson(String(column));
  } catch {
    throw new EvaluationError('the payload is not JSON');
  }
  return lookUp(payload, rest);
}

function putAt(row: Row, path: string[], value: Value): void {
  let at = row;
  for (const step of path.slice(0, -1)) {
    const old = at[step];
    at = at[step] = newRow(isRow(old) ? old : undefined);
  }
  at[path.at(-1)!] = value;
}
