/**
 * The rule SQL that rules for devices use: columns and constants with their aliases, FROM, and comparisons joined by AND. What EMQX has
 * beyond that (OR, functions, CASE, FOREACH …) is refused by name.
 */

/** `sql_invalid`: EMQX would refuse it too; `sql_unsupported`: only the stand-in does. */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  readonly code: 'sql_invalid' | 'sql_unsupported';
  /** Offset into the statement. */
  readonly at: number;
  constructor(code: SqlError['code'], message: string, at: number) {
    super(message);
    this.code = code;
    this.at = at;
  }
}

export type Expression = { constant: string | number | bigint | boolean } | { path: string[] };
export interface Comparison {
  operator: string;
  left: Expression;
  right: Expression;
}
export interface Statement {
  /** An expression of null is `*`. */
  fields: { expression: Expression | null; alias: string[] }[];
  from: string[];
  /** All must hold. */
  where: Comparison[];
}

interface Token {
  /** text: 'single quotes'; quoted: "double quotes"; keyword: in lower case. */
  kind: 'keyword' | 'name' | 'quoted' | 'text' | 'number' | 'comparison' | 'sign' | 'end';
  value: string;
  at: number;
}

const shape =
  /(?<space>\s+|--[^\n]*)|'(?<text>[^']*(?:''[^']*)*)'|"(?<quoted>[^"]*)"|(?<number>-?\d+(?:\.\d+(?:[eE][+-]?\d+)?)?)|(?<name>[A-Za-z$]\w*)|(?<comparison>=~|[<>!]=|<>|[=<>])|(?<sign>[-+*/(),.[\]])|(?<other>.)/gs;
const keywords = new Set(['select', 'from', 'where', 'and', 'as']);
/** Keywords and signs of EMQX's grammar that are not ours, by the name under which they are refused. */
const unsupported: Record<string, string> = {
  ...{ foreach: 'FOREACH', do: 'FOREACH', incase: 'FOREACH', or: 'OR', not: 'NOT', in: 'IN' },
  ...{ case: 'CASE' },
  ...{ div: 'arithmetic', mod: 'arithmetic', '+': 'arithmetic', '-': 'arithmetic', '/': 'arithmetic' },
  ...{ '(': 'parentheses', '[': 'an index' },
};

/** Throws SqlError. */
export function parseSql(sql: string): Statement {
  const tokens = tokenize(sql);
  let i = 0;
  const unexpected = (wanted?: string) => {
    const { kind, value, at } = tokens[i]!;
    const found = kind === 'end' ? 'the end' : JSON.stringify(value);
    return new SqlError('sql_invalid', `unexpected ${found}${wanted ? `, expected ${wanted}` : ''}`, at);
  };
  const take = (kind: Token['kind'], value?: string): Token | null =>
    tokens[i]!.kind === kind && (value === undefined || tokens[i]!.value === value) ? tokens[i++]! : null;
  const list = <T>(item: () => T): T[] => {
    const items = [item()];
    while (take('sign', ',')) items.push(item());
    return items;
  };
  const path = (): string[] => {
    const steps: string[] = [];
    do {
      const step = take('name') ?? take('quoted') ?? (steps.length > 0 ? take('text') : null);
      if (!step) throw unexpected();
      steps.push(step.value);
    } while (take('sign', '.'));
    return steps;
  };
  const operand = (): Expression => {
    const text = take('text');
    if (text) return { constant: text.value };
    const number = take('number')?.value;
    if (number) return { constant: /[.eE]/.test(number) ? Number(number) : BigInt(number) };
    const flag = take('name', 'true') ?? take('name', 'false');
    return flag ? { constant: flag.value === 'true' } : { path: path() };
  };
  const field = (): Statement['fields'][number] => {
    if (take('sign', '*')) return { expression: null, alias: [] };
    const { at } = tokens[i]!;
    const expression = operand();
    const { kind } = tokens[i]!;
    if (kind === 'comparison') throw refusal('a comparison in SELECT', at);
    const alias = take('keyword', 'as') || kind === 'name' || kind === 'quoted' ? path() : null;
    if (alias?.[0] === 'payload' && alias.length > 1) throw refusal('an alias inside the payload', at);
    if (!alias && 'constant' in expression) throw refusal('a constant without AS', at);
    return { expression, alias: alias ?? (expression as { path: string[] }).path };
  };
  const comparison = (): Comparison => {
    const { at } = tokens[i]!;
    const left = operand();
    const sign = take('comparison')?.value;
    if (!sign && 'constant' in left) throw refusal('a constant as a condition', at);
    if (!sign) throw unexpected('a comparison');
    return { operator: sign === '<>' ? '!=' : sign, left, right: operand() };
  };

  if (!take('keyword', 'select')) throw unexpected('select');
  const fields = list(field);
  if (!take('keyword', 'from')) throw unexpected('from');
  const from = list(() => {
    const topic = take('quoted') ?? take('name') ?? take('text');
    if (!topic) throw unexpected('a topic');
    return topic.value;
  });
  const where = take('keyword', 'where') ? [comparison()] : [];
  while (where.length > 0 && take('keyword', 'and')) where.push(comparison());
  if (tokens[i]!.kind !== 'end') throw unexpected();
  return { fields, from, where };
}

/** Throws SqlError also for what only EMQX has. */
function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const { groups, index: at } of sql.matchAll(shape)) {
    const [kind, value] = Object.entries(groups!).find(([, given]) => given !== undefined)!;
    if (kind === 'other') throw new SqlError('sql_invalid', `unexpected ${JSON.stringify(value)}`, at);
    if (kind === 'space') continue;
    const before = tokens.at(-1);
    const lower = value.toLowerCase();
    const isOperand = before !== undefined && /^(name|quoted|text|number)$/.test(before.kind);
    if (value === '(' && before?.kind === 'name') throw refusal(`the function ${before.value}`, before.at);
    // An asterisk alone is all columns; between operands it multiplies, and a number's sign subtracts.
    if (isOperand && (value === '*' || (kind === 'number' && value.startsWith('-'))))
      throw refusal('arithmetic', at);
    if ((kind === 'name' || kind === 'sign') && Object.hasOwn(unsupported, lower))
      throw refusal(unsupported[lower]!, at);
    if (kind === 'name' && keywords.has(lower)) tokens.push({ kind: 'keyword', value: lower, at });
    else tokens.push({ kind: kind as Token['kind'], value, at });
  }
  return [...tokens, { kind: 'end', value: '', at: sql.length }];
}

function refusal(what: string, at: number): SqlError {
  return new SqlError('sql_unsupported', `the stand-in does not support ${what} in rule SQL`, at);
}
