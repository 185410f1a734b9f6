/** RFC 4180: fields with a comma, a quote or a line break are quoted, a quote within is doubled. Lines end with CRLF or LF. */
export interface CsvLine {
  /** Where it begins, counted from 1. */
  line: number;
  fields: string[];
}

/** Lines without any text are left out. A quote that is never closed takes the rest of the text. */
export function parseCsv(text: string): CsvLine[] {
  const lines: CsvLine[] = [];
  let current: CsvLine = { line: 1, fields: [] };
  let field = '';
  let quoted = false;
  let number = 1;
  const endLine = () => {
    current.fields.push(field);
    if (current.fields.some((f) => f !== '')) lines.push(current);
    field = '';
    current = { line: number, fields: [] };
  };
  const body = text.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n');
  for (let i = 0; i < body.length; i += 1) {
    const char = body[i]!;
    if (char === '\n') number += 1;
    if (quoted) {
      if (char !== '"') field += char;
      else if (body[i + 1] === '"') {
        field += '"';
        i += 1;
      } else quoted = false;
    } else if (char === '"' && field === '') quoted = true;
    else if (char === ',') {
      current.fields.push(field);
      field = '';
    } else if (char === '\n') endLine();
    else field += char;
  }
  endLine();
  return lines;
}

/**
 * One line, ended. A field that a spreadsheet would take for a formula gets an apostrophe before it, by which spreadsheets know text.
 */
export function formatCsvLine(fields: readonly string[]): string {
  const written = fields.map((field) => {
    const safe = /^[=+\-@\t\r]/.test(field) ? `'${field}` : field;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  return `${written.join(',')}\r\n`;
}
