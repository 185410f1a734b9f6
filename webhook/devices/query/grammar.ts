/**
 * The language in which devices are searched for and chosen:
 *
 *     hardware = esp32-s3 and version < 2.1 and region in (seoul, busan) and not tag = pilot and last_seen > 7d
 *
 *     query      = and { "or" and }
 *     and        = not { "and" not }
 *     not        = "not" not | "(" query ")" | comparison
 *     comparison = field ( operator value | "in" "(" value { "," value } ")" )
 *     operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"
 *     value      = word | "text in quotes"
 *
 * Words need no quotes unless they hold blanks, parentheses, commas or operators; fields and keywords are told apart by their place, so
 * a region may be called `and` in quotes. Pure, without imports: the console completes by it as well.
 */

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | '~';
export type Query =
  | { is: 'and' | 'or'; of: Query[] }
  | { is: 'not'; of: Query }
  | { is: 'comparison'; field: Field; part: string; operator: Operator; values: string[] };

/** What a field's values are: which operators it takes, and how they are read. */
export type Kind = 'text' | 'name' | 'tag' | 'pin' | 'choice' | 'version' | 'age' | 'number';
export interface Field {
  name: string;
  kind: Kind;
  /** Of a choice. */
  choices?: readonly string[];
  /** It is written `name.part`; `needed`: never without. */
  part?: 'needed' | 'optional';
  /** Only people change it: neither what a device says nor the clock. */
  isSet?: true;
}

export const fields: readonly Field[] = [
  { name: 'id', kind: 'text', isSet: true },
  { name: 'name', kind: 'text', isSet: true },
  { name: 'hardware', kind: 'text', isSet: true },
  { name: 'region', kind: 'name', isSet: true },
  { name: 'division', kind: 'name', isSet: true },
  { name: 'tag', kind: 'tag', isSet: true },
  { name: 'version', kind: 'version', part: 'optional' },
  { name: 'sha256', kind: 'text', part: 'optional' },
  { name: 'pinned', kind: 'pin', isSet: true },
  { name: 'channel', kind: 'name', isSet: true },
  { name: 'drifted', kind: 'choice', choices: ['yes', 'no'] },
  { name: 'online', kind: 'choice', choices: ['yes', 'no'] },
  { name: 'blocked', kind: 'choice', choices: ['yes', 'no'] },
  { name: 'health', kind: 'choice', choices: ['ok', 'degraded', 'failing', 'none'] },
  { name: 'last_seen', kind: 'age' },
  { name: 'created', kind: 'age' },
  { name: 'metric', kind: 'number', part: 'needed' },
];

export const setFields: readonly Field[] = fields.filter(({ isSet }) => isSet);

const operatorsOf: Record<Kind, readonly (Operator | 'in')[]> = {
  text: ['=', '!=', '~', 'in'],
  name: ['=', '!=', 'in'],
  tag: ['=', '!=', 'in'],
  pin: ['=', '!=', 'in'],
  choice: ['=', '!='],
  version: ['=', '!=', '<', '<=', '>', '>=', 'in'],
  age: ['<', '>', '='],
  number: ['=', '!=', '<', '<=', '>', '>='],
};

/** `pinned = none`: devices that are pinned to no version. */
export const unpinned = 'none';

export const maxLength = 1_000;
const maxComparisons = 50;
const maxDepth = 20;

export class QueryError extends Error {
  override readonly name = 'QueryError';
  /** Where in the text, counted from 0. */
  readonly at: number;
  /** What could stand there; empty where that is anything. */
  readonly expected: readonly string[];
  /** A field that there is, but not here. */
  readonly refused: string | undefined;
  constructor(message: string, at: number, expected: readonly string[] = [], refused?: string) {
    super(message);
    this.at = at;
    this.expected = expected;
    this.refused = refused;
  }
}

interface Token {
  kind: 'word' | 'text' | 'sign' | 'end';
  value: string;
  at: number;
}
const shape = /\s+|"((?:[^"\\]|\\.)*)"|(!=|<=|>=|[=<>~(),])|([^\s"=<>~!(),]+)/gy;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  shape.lastIndex = 0;
  for (let at = 0; at < text.length; at = shape.lastIndex) {
    const found = shape.exec(text);
    if (!found) {
      const problem = text[at] === '"' ? 'a quote is opened and never closed' : `unexpected ${text[at]}`;
      throw new QueryError(problem, at);
    }
    const [, quoted, sign, word] = found;
    if (quoted !== undefined) tokens.push({ kind: 'text', value: quoted.replace(/\\(.)/g, '$1'), at });
    else if (sign !== undefined) tokens.push({ kind: 'sign', value: sign, at });
    else if (word !== undefined) tokens.push({ kind: 'word', value: word, at });
  }
  return [...tokens, { kind: 'end', value: '', at: text.length }];
}

/** `allowed`: by these fields alone. @throws QueryError */
export function parseQuery(text: string, allowed = fields): Query {
  if (text.length > maxLength) throw new QueryError(`longer than ${maxLength} characters`, maxLength);
  // PostgreSQL's texts have none.
  const nul = text.indexOf('\0');
  if (nul >= 0) throw new QueryError('a character that no text may have', nul);
  return new Parser(tokenize(text), allowed).whole();
}

/** Of several queries the one that finds what any of them does. */
export const anyOf = (queries: string[]): string =>
  queries.length === 1 ? queries[0]! : queries.map((one) => `(${one})`).join(' or ');

class Parser {
  private readonly tokens: Token[];
  private readonly allowed: readonly Field[];
  private next = 0;
  private comparisons = 0;
  constructor(tokens: Token[], allowed: readonly Field[]) {
    this.tokens = tokens;
    this.allowed = allowed;
  }

  whole(): Query {
    const query = this.either(0);
    if (this.token.kind !== 'end') throw this.unexpected(['and', 'or']);
    return query;
  }

  private either(depth: number): Query {
    return this.joined('or', () => this.joined('and', () => this.not(depth)));
  }

  private joined(word: 'and' | 'or', item: () => Query): Query {
    const of = [item()];
    while (this.takeWord(word)) of.push(item());
    return of.length === 1 ? of[0]! : { is: word, of };
  }

  private not(depth: number): Query {
    if (depth > maxDepth) throw new QueryError(`nests deeper than ${maxDepth}`, this.token.at);
    if (this.takeWord('not')) return { is: 'not', of: this.not(depth + 1) };
    if (!this.takeSign('(')) return this.comparison();
    const query = this.either(depth + 1);
    if (!this.takeSign(')')) throw this.unexpected([')', 'and', 'or']);
    return query;
  }

  private comparison(): Query {
    const { kind, value, at } = this.token;
    const names = this.allowed.map(written);
    if (kind !== 'word') throw this.unexpected([...names, 'not', '(']);
    const dot = value.indexOf('.');
    const [name, part] = dot < 0 ? [value, ''] : [value.slice(0, dot), value.slice(dot + 1)];
    const field = fields.find((one) => one.name === name.toLowerCase());
    if (!field) throw new QueryError(`there is no field ${name}`, at, names);
    if (!this.allowed.includes(field))
      throw new QueryError(`${field.name} changes without anybody who sets it`, at, names, field.name);
    if (part !== '' && !field.part) throw new QueryError(`${name} has no parts`, at + dot, [name]);
    if (part === '' && (dot >= 0 || field.part === 'needed'))
      throw new QueryError(`${name} is written ${written(field)}`, at, [written(field)]);
    if (++this.comparisons > maxComparisons)
      throw new QueryError(`more than ${maxComparisons} comparisons`, at);
    this.next++;
    const operators = operatorsOf[field.kind];
    if (operators.includes('in') && this.takeWord('in'))
      return { is: 'comparison', field, part, operator: '=', values: this.list(field) };
    const operator = this.token.value as Operator;
    if (this.token.kind !== 'sign' || !operators.includes(operator)) throw this.unexpected(operators);
    this.next++;
    return { is: 'comparison', field, part, operator, values: [this.value(field, operator)] };
  }

  private list(field: Field): string[] {
    if (!this.takeSign('(')) throw this.unexpected(['(']);
    const values = [this.value(field)];
    while (this.takeSign(',')) values.push(this.value(field));
    if (!this.takeSign(')')) throw this.unexpected([',', ')']);
    return values;
  }

  private value({ kind, choices }: Field, operator: Operator = '='): string {
    const token = this.token;
    if (token.kind !== 'word' && token.kind !== 'text') throw this.unexpected(choices ?? [exampleOf[kind]]);
    const text = token.kind === 'word' && kind === 'choice' ? token.value.toLowerCase() : token.value;
    if (choices && !choices.includes(text))
      throw new QueryError(`there is no ${text} here`, token.at, choices);
    const problem = problemOf(kind, operator, text);
    if (problem)
      throw new QueryError(problem, token.at, [
        kind === 'age' && operator === '=' ? 'never' : exampleOf[kind],
      ]);
    this.next++;
    return text;
  }

  private get token(): Token {
    return this.tokens[this.next]!;
  }

  private takeWord(word: string): boolean {
    if (this.token.kind !== 'word' || this.token.value.toLowerCase() !== word) return false;
    this.next++;
    return true;
  }

  private takeSign(sign: string): boolean {
    if (this.token.kind !== 'sign' || this.token.value !== sign) return false;
    this.next++;
    return true;
  }

  private unexpected(expected: readonly string[]): QueryError {
    const { kind, value, at } = this.token;
    const found = kind === 'end' ? 'it ends too early' : `unexpected ${value}`;
    return new QueryError(`${found}, expected ${expected.join(', ')}`, at, expected);
  }
}

const written = ({ name, part }: Field) => (part === 'needed' ? `${name}.NAME` : name);

const exampleOf: Record<Kind, string> = {
  ...{ text: 'a word', name: 'a name', tag: 'a tag', pin: unpinned, choice: 'yes' },
  ...{ version: '2.1', age: '7d', number: '30' },
};

function problemOf(kind: Kind, operator: Operator, text: string): string | null {
  if (kind === 'number' && !/^-?\d{1,15}(\.\d{1,15})?$/.test(text)) return `${text} is not a number`;
  if (kind !== 'age') return null;
  if (operator === '=') return text === 'never' ? null : 'only never can follow =';
  return ageMs(text) === null
    ? `${text} is not an age: a number and s, min, h, d or w, at most 300000w`
    : null;
}

const units: Record<string, number> = { s: 1, min: 60, h: 3_600, d: 86_400, w: 604_800 };
/** Some six thousand years: PostgreSQL's dates begin in 4713 BC. */
const maxAgeS = 300_000 * units.w!;

/** `7d` as milliseconds; null when it is none. */
export function ageMs(text: string): number | null {
  const [, amount, unit] = /^(\d{1,10})(s|min|h|d|w)$/.exec(text) ?? [];
  const seconds = amount === undefined ? Infinity : Number(amount) * units[unit!]!;
  return seconds > maxAgeS ? null : seconds * 1_000;
}

/** What may be typed at the end of a text that is not finished, with where it begins. */
export function complete(text: string, allowed = fields): { at: number; words: string[] } {
  const begun = /[^\s"=<>~!(),]*$/.exec(text)![0];
  const before = text.slice(0, text.length - begun.length);
  const words = (expected: readonly string[]) =>
    expected.filter((word) => !word.startsWith('a ') && word.toLowerCase().startsWith(begun.toLowerCase()));
  try {
    parseQuery(before, allowed);
    return { at: before.length, words: words(['and', 'or']) };
  } catch (error) {
    if (!(error instanceof QueryError) || error.at < before.trimEnd().length)
      return { at: text.length, words: [] };
    return { at: before.length, words: words(error.expected) };
  }
}
