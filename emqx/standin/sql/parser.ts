/**
 * The rule SQL that rules for devices use: columns and constants with their aliases, FROM, and comparisons with AND and OR. What EMQX has
 * beyond that (functions, CASE, FOREACH …) is refused by name.
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
export type Condition =
  | { operator: 'and' | 'or'; left: Condition; right: Condition }
  | { operator: string; left: Expression; right: Expression };
export interface Field {
  /** null: `*` */
  expression: Expression | null;
  alias: string[];
}
export interface Statement {
  fields: Field[];
  from: string[];
  where: Condition | null;
}

interface Token {
  /** text: 'single quotes'; name: "double quotes" or a bare word; keyword: a bare word in lower case. */
  kind: 'keyword' | 'name' | 'text' | 'number' | 'sign' | 'end';
  value: string;
  at: number;
  quoted?: boolean;
}

const keywords = new Set(
  'select foreach do incase from where as and or not in case when then else end div mod'.split(' '),
);
const comparisons = new Set(['=', '!=', '<>', '<', '>', '<=', '>=', '=~']);
const shape =
  /(?<space>\s+|--[^\n]*)|'(?<text>[^']*(?:''[^']*)*)'|"(?<quoted>[^"]*)"|(?<number>\d+(?:\.\d+(?:[eE][+-]?\d+)?)?)|(?<word>[A-Za-z$]\w*)|(?<sign><>|!=|>=|<=|=~|[=<>+\-*/(),.[\]])/y;

/** Throws SqlError. */
export function parseSql(sql: string): Statement {
  return new Parser(tokenize(sql)).statement();
}

function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < sql.length) {
    shape.lastIndex = at;
    const found = shape.exec(sql)?.groups;
    if (!found) throw new SqlError('sql_invalid', `unexpected ${JSON.stringify(sql[at])}`, at);
    const { text, quoted, number, word, sign } = found;
    const lower = word?.toLowerCase() ?? '';
    if (text !== undefined) tokens.push({ kind: 'text', value: text, at });
    else if (quoted !== undefined) tokens.push({ kind: 'name', value: quoted, at, quoted: true });
    else if (keywords.has(lower)) tokens.push({ kind: 'keyword', value: lower, at });
    else if (word !== undefined) tokens.push({ kind: 'name', value: word, at });
    else if (number !== undefined) tokens.push({ kind: 'number', value: number, at });
    else if (sign !== undefined) tokens.push({ kind: 'sign', value: sign, at });
    at = shape.lastIndex;
  }
  return [...tokens, { kind: 'end', value: '', at }];
}

class Parser {
  private at = 0;
  private readonly tokens: Token[];
  constructor(tokens: Token[]) {
    this.tokens = tokens;
  }

  statement(): Statement {
    if (this.next.value === 'foreach') throw this.unsupported('FOREACH');
    this.expect('keyword', 'select');
    const fields = this.list(() => this.field());
    this.expect('keyword', 'from');
    const from = this.list(() => this.topic());
    const where = this.take('keyword', 'where') ? this.condition() : null;
    if (this.next.kind !== 'end') throw this.unexpected();
    return { fields, from, where };
  }

  private topic(): string {
    if (this.next.kind !== 'name' && this.next.kind !== 'text') throw this.unexpected();
    return this.tokens[this.at++]!.value;
  }

  private field(): Field {
    if (this.take('sign', '*')) return { expression: null, alias: [] };
    const expression = this.operand();
    if (comparisons.has(this.next.value)) throw this.unsupported('a comparison in SELECT');
    if (this.take('keyword', 'as') || this.next.kind === 'name') {
      const { at } = this.next;
      const alias = this.path();
      if (alias[0] === 'payload' && alias.length > 1)
        throw this.unsupported('an alias inside the payload', at);
      return { expression, alias };
    }
    if ('constant' in expression) throw this.unsupported('a constant without AS');
    return { expression, alias: expression.path };
  }

  private condition(): Condition {
    let left = this.conjunction();
    while (this.take('keyword', 'or')) left = { operator: 'or', left, right: this.conjunction() };
    return left;
  }

  private conjunction(): Condition {
    let left = this.comparison();
    while (this.take('keyword', 'and')) left = { operator: 'and', left, right: this.comparison() };
    return left;
  }

  private comparison(): Condition {
    if (this.next.kind === 'keyword' && this.next.value === 'not') throw this.unsupported('NOT');
    if (this.take('sign', '(')) {
      const inner = this.condition();
      this.expect('sign', ')');
      if (comparisons.has(this.next.value)) throw this.unsupported('a comparison of comparisons');
      return inner;
    }
    const left = this.operand();
    const { kind, value } = this.next;
    if (kind === 'keyword' && (value === 'in' || value === 'not')) throw this.unsupported('IN');
    if (kind === 'sign' && value === ')') throw this.unsupported('an operand in parentheses');
    const compares = kind === 'sign' && comparisons.has(value);
    if (!compares && 'constant' in left) throw this.unsupported('a constant as a condition');
    if (!compares) throw this.unexpected('a comparison');
    this.at++;
    return { operator: value === '<>' ? '!=' : value, left, right: this.operand() };
  }

  private operand(): Expression {
    const expression = this.constant() ?? { path: this.path() };
    const { kind, value } = this.next;
    if (kind === 'sign' && '+-*/'.includes(value)) throw this.unsupported('arithmetic');
    if (kind === 'keyword' && (value === 'div' || value === 'mod')) throw this.unsupported('arithmetic');
    return expression;
  }

  private constant(): Expression | null {
    const { kind, value, quoted, at } = this.next;
    const after = this.tokens[this.at + 1]!;
    if (kind === 'keyword' && value === 'case') throw this.unsupported('CASE');
    if (kind === 'sign' && value === '(') throw this.unsupported('an operand in parentheses');
    if (kind === 'name' && !quoted && after.kind === 'sign' && after.value === '(')
      throw this.unsupported(`the function ${value}`);
    const negative = this.take('sign', '-');
    if (negative && this.next.kind !== 'number') throw this.unsupported('arithmetic', at);
    const token = this.next;
    const isFlag = token.kind === 'name' && !token.quoted && /^(true|false)$/.test(token.value);
    if (!isFlag && token.kind !== 'text' && token.kind !== 'number') return null;
    this.at++;
    if (token.kind === 'text') return { constant: token.value };
    if (isFlag) return { constant: token.value === 'true' };
    const text = (negative ? '-' : '') + token.value;
    return { constant: /[.eE]/.test(text) ? Number(text) : BigInt(text) };
  }

  private path(): string[] {
    const steps: string[] = [];
    do {
      const { kind, value } = this.next;
      if (kind !== 'name' && !(kind === 'text' && steps.length > 0)) throw this.unexpected();
      this.at++;
      steps.push(value);
    } while (this.take('sign', '.'));
    if (this.next.value === '[' && this.next.kind === 'sign') throw this.unsupported('an index');
    return steps;
  }

  private list<T>(item: () => T): T[] {
    const items = [item()];
    while (this.take('sign', ',')) items.push(item());
    return items;
  }

  private get next(): Token {
    return this.tokens[this.at]!;
  }

  private take(kind: Token['kind'], value: string): boolean {
    if (this.next.kind !== kind || this.next.value !== value) return false;
    this.at++;
    return true;
  }

  private expect(kind: Token['kind'], value: string): void {
    if (!this.take(kind, value)) throw this.unexpected(value);
  }

  private unsupported(what: string, at = this.next.at): SqlError {
    return new SqlError('sql_unsupported', `the stand-in does not support ${what} in rule SQL`, at);
  }

  private unexpected(wanted?: string): SqlError {
    const { kind, value, at } = this.next;
    const found = kind === 'end' ? 'the end' : JSON.stringify(value);
    return new SqlError('sql_invalid', `unexpected ${found}${wanted ? `, expected ${wanted}` : ''}`, at);
  }
}
