/** Rule SQL to a syntax tree. What EMQX's grammar lacks (LIKE, BETWEEN, AND in SELECT …) is refused here too. */
import { SqlError, type Token, tokenize } from './lexer.ts';

export type Step = { key: string } | { index: number };
export type Expression =
  | { type: 'constant'; value: string | number | bigint | boolean }
  | { type: 'path'; steps: Step[] }
  | { type: 'call'; name: string; args: Expression[] }
  | { type: 'operation'; operator: string; left: Expression; right: Expression }
  | { type: 'negate'; of: Expression }
  | {
      type: 'case';
      of: Expression | null;
      branches: { when: Expression; result: Expression }[];
      otherwise: Expression | null;
    };
export type Condition =
  | { type: 'and' | 'or'; left: Condition; right: Condition }
  | { type: 'not'; of: Condition }
  | { type: 'in'; negated: boolean; value: Expression; list: Expression[] }
  | { type: 'test'; of: Expression };
export interface Field {
  /** null: `*` */
  expression: Expression | null;
  alias: Step[] | null;
}
export interface Statement {
  type: 'select' | 'foreach';
  fields: Field[];
  /** FOREACH only: null where there is no DO. */
  doFields: Field[] | null;
  incase: Condition | null;
  from: string[];
  where: Condition | null;
}

/** Throws SqlError. */
export function parseSql(sql: string): Statement {
  return new Parser(tokenize(sql)).statement();
}

const comparisons = new Set(['=', '!=', '<>', '<', '>', '<=', '>=', '=~']);

class Parser {
  private at = 0;
  private readonly tokens: Token[];
  constructor(tokens: Token[]) {
    this.tokens = tokens;
  }

  statement(): Statement {
    const type = this.take('keyword', 'foreach') ? 'foreach' : 'select';
    if (type === 'select') this.expect('keyword', 'select');
    const fields = this.fields();
    const doFields = type === 'foreach' && this.take('keyword', 'do') ? this.fields() : null;
    const incase = type === 'foreach' && this.take('keyword', 'incase') ? this.condition() : null;
    this.expect('keyword', 'from');
    const from = this.list(() => this.topic());
    const where = this.take('keyword', 'where') ? this.condition() : null;
    if (this.peek().kind !== 'end') throw this.unexpected();
    return { type, fields, doFields, incase, from, where };
  }

  private topic(): string {
    const token = this.peek();
    if (token.kind !== 'name' && token.kind !== 'text') throw this.unexpected();
    this.at++;
    return token.value;
  }

  private fields(): Field[] {
    return this.list(() => {
      if (this.take('sign', '*')) return { expression: null, alias: null };
      const expression = this.comparison();
      const next = this.peek();
      if (this.take('keyword', 'as') || next.kind === 'name') return { expression, alias: this.path() };
      return { expression, alias: null };
    });
  }

  private condition(): Condition {
    let left = this.conjunction();
    while (this.take('keyword', 'or')) left = { type: 'or', left, right: this.conjunction() };
    return left;
  }

  private conjunction(): Condition {
    let left = this.negation();
    while (this.take('keyword', 'and')) left = { type: 'and', left, right: this.negation() };
    return left;
  }

  private negation(): Condition {
    if (this.take('keyword', 'not')) return { type: 'not', of: this.negation() };
    return this.test();
  }

  private test(): Condition {
    const start = this.at;
    if (this.peek().value === '(' && this.peek().kind === 'sign') {
      // A parenthesis opens a condition or an expression; which one shows only behind it.
      try {
        this.at++;
        const inner = this.condition();
        this.expect('sign', ')');
        if (!this.continuesExpression()) return inner;
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
      }
      this.at = start;
    }
    const value = this.comparison();
    const negated = this.take('keyword', 'not');
    if (this.take('keyword', 'in')) {
      this.expect('sign', '(');
      const list = this.list(() => this.sum());
      this.expect('sign', ')');
      return { type: 'in', negated, value, list };
    }
    if (negated) throw this.unexpected();
    return { type: 'test', of: value };
  }

  private continuesExpression(): boolean {
    const { kind, value } = this.peek();
    if (kind === 'sign') return comparisons.has(value) || '+-*/'.includes(value);
    return kind === 'keyword' && ['div', 'mod', 'in', 'not'].includes(value);
  }

  private comparison(): Expression {
    if (this.peek().kind === 'keyword' && this.peek().value === 'case') return this.case();
    const left = this.sum();
    const { kind, value } = this.peek();
    if (kind !== 'sign' || !comparisons.has(value)) return left;
    this.at++;
    return { type: 'operation', operator: value === '<>' ? '!=' : value, left, right: this.sum() };
  }

  private sum(): Expression {
    let left = this.product();
    for (;;) {
      const { kind, value } = this.peek();
      if (kind !== 'sign' || (value !== '+' && value !== '-')) return left;
      this.at++;
      left = { type: 'operation', operator: value, left, right: this.product() };
    }
  }

  private product(): Expression {
    let left = this.unary();
    for (;;) {
      const { kind, value } = this.peek();
      if (
        !(kind === 'sign' && (value === '*' || value === '/')) &&
        !(kind === 'keyword' && (value === 'div' || value === 'mod'))
      )
        return left;
      this.at++;
      left = { type: 'operation', operator: value, left, right: this.unary() };
    }
  }

  private unary(): Expression {
    if (this.take('sign', '-')) return { type: 'negate', of: this.unary() };
    return this.primary();
  }

  private primary(): Expression {
    const token = this.peek();
    if (token.kind === 'text') {
      this.at++;
      return { type: 'constant', value: token.value };
    }
    if (token.kind === 'integer' || token.kind === 'float') {
      this.at++;
      return {
        type: 'constant',
        value: token.kind === 'integer' ? BigInt(token.value) : Number(token.value),
      };
    }
    if (this.take('sign', '(')) {
      const inner = this.sum();
      this.expect('sign', ')');
      return inner;
    }
    if (token.kind !== 'name') throw this.unexpected();
    const after = this.tokens[this.at + 1]!;
    if (!token.quoted && after.kind === 'sign' && after.value === '(') return this.call(token.value);
    if (!token.quoted && (token.value === 'true' || token.value === 'false')) {
      this.at++;
      return { type: 'constant', value: token.value === 'true' };
    }
    return { type: 'path', steps: this.path() };
  }

  private call(name: string): Expression {
    this.at += 2;
    if (this.take('sign', ')')) return { type: 'call', name, args: [] };
    const args = this.list(() => this.comparison());
    this.expect('sign', ')');
    return { type: 'call', name, args };
  }

  private case(): Expression {
    this.at++;
    const of = this.peek().value === 'when' ? null : this.sum();
    const branches: { when: Expression; result: Expression }[] = [];
    while (this.take('keyword', 'when')) {
      const when = this.comparison();
      this.expect('keyword', 'then');
      branches.push({ when, result: this.sum() });
    }
    if (branches.length === 0) throw this.unexpected();
    const otherwise = this.take('keyword', 'else') ? this.sum() : null;
    this.expect('keyword', 'end');
    return { type: 'case', of, branches, otherwise };
  }

  private path(): Step[] {
    const steps: Step[] = [];
    do {
      const token = this.peek();
      if (token.kind !== 'name' && !(token.kind === 'text' && steps.length > 0)) throw this.unexpected();
      this.at++;
      steps.push({ key: token.value });
      while (this.take('sign', '[')) {
        const negative = this.take('sign', '-');
        const index = this.peek();
        if (index.kind !== 'integer') throw this.unexpected();
        this.at++;
        this.expect('sign', ']');
        steps.push({ index: negative ? -Number(index.value) : Number(index.value) });
      }
    } while (this.take('sign', '.'));
    return steps;
  }

  private list<T>(item: () => T): T[] {
    const items = [item()];
    while (this.take('sign', ',')) items.push(item());
    return items;
  }

  private peek(): Token {
    return this.tokens[this.at]!;
  }

  private take(kind: Token['kind'], value: string): boolean {
    const token = this.peek();
    if (token.kind !== kind || token.value !== value) return false;
    this.at++;
    return true;
  }

  private expect(kind: Token['kind'], value: string): void {
    if (!this.take(kind, value)) throw this.unexpected(value);
  }

  private unexpected(wanted?: string): SqlError {
    const token = this.peek();
    const found = token.kind === 'end' ? 'the end' : JSON.stringify(token.value);
    return new SqlError(`unexpected ${found}${wanted ? `, expected ${wanted}` : ''}`, token.at);
  }
}
