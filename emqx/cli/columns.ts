/** Which results of a statement are made of which columns of the event. */
import type { Expression, Statement } from '../sql.ts';

/** The names of the result's columns that are made of any of these columns of the event. */
export function columnsFrom(statement: Statement, columns: string[]): Set<string> {
  const tainted = new Set(columns);
  const made = new Set<string>();
  for (const { expression, alias } of statement.fields) {
    if (expression === null) for (const name of columns) made.add(name);
    else if (reads(expression, tainted)) {
      made.add(alias[0]!);
      tainted.add(alias[0]!);
    }
  }
  return made;
}

/** Whether it depends on any of these columns which rows there are. */
export function conditionReads(statement: Statement, columns: string[]): boolean {
  const tainted = new Set([...columns, ...columnsFrom(statement, columns)]);
  return statement.where.some(({ left, right }) => reads(left, tainted) || reads(right, tainted));
}

function reads(expression: Expression, columns: Set<string>): boolean {
  return 'path' in expression && columns.has(expression.path[0]!);
}
