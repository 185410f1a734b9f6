/** A line number counts as an editor does, from 1; a quoted field may span several. */
export interface CsvRow {
  line: number;
  fields: string[];
}

export class CsvError extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.name = 'CsvError';
    this.line = line;
  }
}

/**
 * RFC 4180, strictly: fields by comma, quoted where they hold a comma, a quote (doubled) or a line break. LF and CRLF both end a line,
 * a byte-order mark is left out, empty lines are skipped.
 * @throws CsvError
 */
export function parseCsv(text: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  let line = 1;

  function readQuoted(): string {
    const opened = line;
    let value = '';
    for (at += 1; ; ) {
      const quote = text.indexOf('"', at);
      if (quote < 0) throw new CsvError(opened, 'a quote is opened and never closed');
      value += text.slice(at, quote);
      at = quote + 1;
      if (text[at] !== '"') break;
      value += '"';
      at += 1;
    }
    line += value.split('\n').length - 1;
    if (at < text.length && !',\r\n'.includes(text[at]!))
      throw new CsvError(line, 'there is something between a closing quote and the next comma');
    return value;
  }

  function readPlain(): string {
    const start = at;
    while (at < text.length && !',\r\n'.includes(text[at]!)) {
      if (text[at] === '"') throw new CsvError(line, 'a quote within a field that is not quoted');
      at += 1;
    }
    return text.slice(start, at);
  }

  while (at < text.length) {
    const row: CsvRow = { line, fields: [] };
    for (;;) {
      row.fields.push(text[at] === '"' ? readQuoted() : readPlain());
      if (text[at] !== ',') break;
      at += 1;
    }
    if (text[at] === '\r') {
      if (text[at + 1] !== '\n' && at + 1 < text.length)
        throw new CsvError(line, 'a carriage return without a line feed');
      at += 1;
    }
    at += 1;
    line += 1;
    if (row.fields.length > 1 || row.fields[0] !== '') rows.push(row);
  }
  return rows;
}
