/**
 * Runs a statement over one event. SELECT comes before WHERE, later fields see earlier aliases, and what fails anywhere
 * fails the event.
 */
import { decodeJson, isRow, newRow, type Row, type Value } from '../json.ts';
import { topicMatches } from '../topic.ts';
import { calculate, compare, EvaluationError, identical } from './compare.ts';
import { call } from './functions.ts';
import type { Condition, Expression, Field, Statement, Step } from './parser.ts';

/** Whether an event's topic (or `$events/…` name) is one that the statement selects from. */
export function selectsFrom(statement: Statement, topic: string): boolean {
  return statement.from.some((filter) =>
    topic.startsWith('$events/') ? filter === topic : topicMatches(filter, topic),
  );
}

/** The rows for one event (a SELECT has at most one), or null where WHERE says no. Throws EvaluationError. */
export function evaluate(statement: Statement, event: Row): Row[] | null {
  const columns = new Columns(event);
  if (statement.type === 'select') {
    const row = select(statement.fields, columns);
    return statement.where && !holds(statement.where, columns) ? null : [row];
  }
  const items = statement.fields.at(-1)!;
  select(statement.fields.slice(0, -1), columns);
  if (items.expression === null) throw new EvaluationError('FOREACH needs a list, not *');
  const list = value(items.expression, columns);
  if (items.alias) columns.put(items.alias, list);
  else columns.replace(nameOf(items.expression), list);
  if (statement.where && !holds(statement.where, columns)) return null;
  const name = items.alias ?? [{ key: 'item' }];
  const rows: Row[] = [];
  for (const item of Array.isArray(list) ? list : []) {
    const each = columns.copy();
    each.put(name, item);
    if (statement.incase && !holds(statement.incase, each)) continue;
    rows.push(statement.doFields ? select(statement.doFields, each) : each.all());
  }
  return rows;
}

/** The event's columns and, over them, the aliases given so far. A payload is decoded when a path first goes into it. */
class Columns {
  private readonly row: Row;
  private payload: Value;
  private payloadRead = false;
  constructor(event: Row) {
    this.row = newRow(event);
  }

  all(): Row {
    return newRow(this.row);
  }

  copy(): Columns {
    return new Columns(this.row);
  }

  put(path: Step[], to: Value): void {
    const [first] = path;
    if (
      path.length > 1 &&
      first &&
      'key' in first &&
      first.key === 'payload' &&
      typeof this.row.payload === 'string'
    )
      this.row.payload = this.decodedPayload();
    putAt(this.row, path, to);
    this.payloadRead = false;
  }

  /** As put, but what stands in the way is not gone into: a payload keeps only what is put. */
  replace(path: Step[], to: Value): void {
    putAt(this.row, path, to);
    this.payloadRead = false;
  }

  get(path: Step[]): Value {
    let at: Value = this.row;
    for (const [depth, step] of path.entries()) {
      if (depth > 0 && (typeof at === 'string' || Buffer.isBuffer(at)))
        at = depth === 1 && isPayload(path) ? this.decodedPayload() : inText(at);
      if ('key' in step) at = isRow(at) ? at[step.key] : undefined;
      else if (!Array.isArray(at) || step.index === 0) at = undefined;
      else at = at[step.index > 0 ? step.index - 1 : at.length + step.index];
    }
    return at;
  }

  private decodedPayload(): Value {
    if (this.payloadRead) return this.payload;
    try {
      this.payload = decodeJson(String(this.row.payload));
    } catch {
      throw new EvaluationError('the payload is not JSON');
    }
    this.payloadRead = true;
    return this.payload;
  }
}

function isPayload(path: Step[]): boolean {
  return 'key' in path[0]! && path[0].key === 'payload';
}

/** A text that is JSON can be gone into as well; any other text has nothing inside. */
function inText(text: string | Buffer): Value {
  try {
    return decodeJson(String(text));
  } catch {
    return undefined;
  }
}

function select(fields: Field[], columns: Columns): Row {
  const row = newRow();
  for (const { expression, alias } of fields) {
    if (expression === null) {
      Object.assign(row, columns.all());
      continue;
    }
    const result = value(expression, columns);
    const path = alias ?? nameOf(expression);
    putAt(row, path, result);
    if (alias) columns.put(alias, result);
  }
  return row;
}

function putAt(row: Row, path: Step[], to: Value): void {
  let at: Value = row;
  for (const [depth, step] of path.entries()) {
    const next = path[depth + 1];
    const put = (old: Value): Value => {
      if (!next) return to;
      if ('index' in next) return Array.isArray(old) ? [...old] : [];
      return newRow(isRow(old) ? old : undefined);
    };
    if ('key' in step) {
      const parent = at as Row;
      parent[step.key] = put(parent[step.key]);
      at = parent[step.key];
    } else {
      const parent = at as Value[];
      const index =
        step.index > 0 ? Math.min(step.index - 1, parent.length) : Math.max(parent.length + step.index, 0);
      parent[index] = put(parent[index]);
      at = parent[index];
    }
  }
}

/** A computed column without an alias gets a name with a time stamp in it, of no use to anybody. */
function nameOf(expression: Expression): Step[] {
  const stamped = (what: string) => [{ key: `_v_${what}_${process.hrtime.bigint()}` }];
  switch (expression.type) {
    case 'path':
      return expression.steps;
    case 'constant':
      return typeof expression.value === 'string'
        ? [{ key: expression.value }]
        : stamped(`const_${expression.value}`);
    case 'call':
      return stamped(`fun_{var,<<"${expression.name}">>}`);
    case 'operation':
      return stamped(`op_'${expression.operator}'`);
    default:
      return stamped(expression.type);
  }
}

function value(expression: Expression, columns: Columns): Value {
  switch (expression.type) {
    case 'constant':
      return expression.value;
    case 'path':
      return columns.get(expression.steps);
    case 'call':
      return call(
        expression.name,
        expression.args.map((arg) => value(arg, columns)),
      );
    case 'negate':
      return calculate('-', 0n, value(expression.of, columns));
    case 'operation': {
      const { operator } = expression;
      const [left, right] = [value(expression.left, columns), value(expression.right, columns)];
      return '+-*/divmod'.includes(operator)
        ? calculate(operator, left, right)
        : compare(operator, left, right);
    }
    case 'case': {
      const of = expression.of && value(expression.of, columns);
      for (const { when, result } of expression.branches) {
        const found = value(when, columns);
        if (expression.of ? identical(of, found) : found === true) return value(result, columns);
      }
      return expression.otherwise ? value(expression.otherwise, columns) : undefined;
    }
  }
}

function holds(condition: Condition, columns: Columns): boolean {
  switch (condition.type) {
    case 'and':
      return holds(condition.left, columns) && holds(condition.right, columns);
    case 'or':
      return holds(condition.left, columns) || holds(condition.right, columns);
    case 'not':
      return !holds(condition.of, columns);
    case 'in': {
      // NOT IN parses on the broker and then always fails.
      if (condition.negated) throw new EvaluationError('NOT IN');
      const left = value(condition.value, columns);
      return condition.list.some((item) => identical(left, value(item, columns)));
    }
    case 'test': {
      const result = value(condition.of, columns);
      if (condition.of.type === 'path') throw new EvaluationError('a column alone is not a condition');
      if (typeof result !== 'boolean') throw new EvaluationError('the condition is neither true nor false');
      return result;
    }
  }
}
