/** Which results of a statement are made of which columns of the event. */
import type { Condition, Expression, Statement } from '../standin/sql/parser.ts';

/** The names of the result's columns that are made of any of these columns of the event. */
export function columnsFrom(statement: Statement, columns: string[]): Set<string> {
  const tainted = new Set(columns);
  const made = new Set<string>();
  for (const { expression, alias } of [...statement.fields, ...(statement.doFields ?? [])]) {
    if (expression === null) for (const name of columns) made.add(name);
    else if (reads(expression, tainted)) {
      const steps = alias ?? (expression.type === 'path' ? expression.steps : []);
      const [first] = steps;
      if (!first || !('key' in first)) continue;
      made.add(first.key);
      if (alias) tainted.add(first.key);
    }
  }
  return made;
}

/** Whether it depends on any of these columns which rows there are. */
export function conditionReads(statement: Statement, columns: string[]): boolean {
  const tainted = new Set([...columns, ...columnsFrom(statement, columns)]);
  const test = (condition: Condition | null): boolean => {
    if (!condition) return false;
    if ('left' in condition) return test(condition.left) || test(condition.right);
    if (condition.type === 'not') return test(condition.of);
    if (condition.type === 'in')
      return [condition.value, ...condition.list].some((one) => reads(one, tainted));
    return reads(condition.of, tainted);
  };
  return test(statement.where) || test(statement.incase);
}

function reads(expression: Expression | null, columns: Set<string>): boolean {
  switch (expression?.type) {
    case 'path': {
      const [first] = expression.steps;
      return first !== undefined && 'key' in first && columns.has(first.key);
    }
    case 'call':
      return expression.args.some((arg) => reads(arg, columns));
    case 'operation':
      return reads(expression.left, columns) || reads(expression.right, columns);
    case 'negate':
      return reads(expression.of, columns);
    case 'case':
      return [
        expression.of,
        expression.otherwise,
        ...expression.branches.flatMap((b) => [b.when, b.result]),
      ].some((one) => reads(one, columns));
    default:
      return false;
  }
}
