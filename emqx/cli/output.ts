/** Words to the person at the terminal; colours only where there is one. */
export type Say = (line?: string) => void;

/** Something that the person can do something about: shown as one message, without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code = 'cli';
}

const codes = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;
export type Paint = (colour: keyof typeof codes, text: string) => string;

export function painter(on: boolean): Paint {
  return (colour, text) => (on ? `\x1b[${codes[colour]}m${text}\x1b[0m` : text);
}

/** Columns side by side; figures to the right. */
export function table(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) =>
        i > 0 && /^\d/.test(rows.at(-1)![i]!) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** The lines of two texts, those that only one has marked with - and +. */
export function lineDiff(old: string, fresh: string): [sign: ' ' | '-' | '+', line: string][] {
  const [a, b] = [old.split('\n'), fresh.split('\n')];
  const common = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i]![j] =
        a[i] === b[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
  const lines: [' ' | '-' | '+', string][] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push([' ', a[i++]!]);
      j++;
    } else if (i < a.length && (j >= b.length || common[i + 1]![j]! >= common[i]![j + 1]!))
      lines.push(['-', a[i++]!]);
    else lines.push(['+', b[j++]!]);
  }
  return lines;
}
