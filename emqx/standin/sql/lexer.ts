/** Words, numbers, quoted text and signs of rule SQL. Comments run from `--` to the end of the line; there is no other kind. */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  readonly code = 'sql_invalid';
  /** Offset into the statement. */
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

export interface Token {
  /** text: 'single quotes', a constant; name: "double quotes" or a bare word; keyword: a bare word in lower case. */
  kind: 'keyword' | 'name' | 'text' | 'integer' | 'float' | 'sign' | 'end';
  value: string;
  at: number;
  quoted?: boolean;
}

const keywords = new Set(
  'select foreach do incase from where as and or not in case when then else end div mod'.split(' '),
);
const shape =
  /\s+|--[^\n]*|'([^']*(?:''[^']*)*)'|"([^"]*)"|(\d+\.\d+(?:[eE][+-]?\d+)?)|(\d+)|([A-Za-z$][A-Za-z0-9_$]*)|(<>|!=|>=|<=|=~|[=<>+\-*/(),.[\]])/y;

export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < sql.length) {
    shape.lastIndex = at;
    const match = shape.exec(sql);
    if (!match) throw new SqlError(`unexpected ${JSON.stringify(sql[at])}`, at);
    const [, text, quotedName, float, integer, word, sign] = match;
    if (text !== undefined) tokens.push({ kind: 'text', value: text, at });
    else if (quotedName !== undefined) tokens.push({ kind: 'name', value: quotedName, at, quoted: true });
    else if (float !== undefined) tokens.push({ kind: 'float', value: float, at });
    else if (integer !== undefined) tokens.push({ kind: 'integer', value: integer, at });
    else if (word !== undefined) {
      const lower = word.toLowerCase();
      tokens.push(
        keywords.has(lower) ? { kind: 'keyword', value: lower, at } : { kind: 'name', value: word, at },
      );
    } else if (sign !== undefined) tokens.push({ kind: 'sign', value: sign, at });
    at = shape.lastIndex;
  }
  tokens.push({ kind: 'end', value: '', at });
  return tokens;
}
