/** Results on stdout, for people or as JSON; what is said on the way goes to stderr. */
import type { Readable, Writable } from 'node:stream';
import { CliError, type Exit } from './errors.ts';

/** All that a command has of the process that it runs in. */
export interface Terminal {
  env: NodeJS.ProcessEnv;
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean; rows?: number };
  stderr: Writable & { isTTY?: boolean };
}

export interface Output {
  json: boolean;
  terminal: Terminal;
  /** One result: its lines for people, the value as one line of JSON. */
  show(value: unknown, lines: string | string[]): void;
  /** For people only. */
  note(line: string): void;
  /** For whoever keeps the script, too. */
  warn(line: string): void;
}

export function createOutput(json: boolean, terminal: Terminal): Output {
  const { stdout, stderr } = terminal;
  return {
    json,
    terminal,
    show(value, lines) {
      const text = json ? JSON.stringify(value) : [lines].flat().join('\n');
      if (text) stdout.write(`${text}\n`);
    },
    note: (line) => void (json || stderr.write(`${line}\n`)),
    warn: (line) =>
      void stderr.write(
        json ? `${JSON.stringify({ warning: line })}\n` : `flota: warning: ${printable(line)}\n`,
      ),
  };
}

/** Columns as wide as their widest cell; the last one is as wide as it is. */
export function table(heads: string[], rows: (string | number | null | undefined)[][]): string[] {
  const cells = [heads, ...rows.map((row) => row.map((cell) => printable(String(cell ?? '–'))))];
  const widths = heads.map((_, at) => Math.max(...cells.map((row) => row[at]!.length)));
  return cells.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  );
}

/** What devices and others have written must not move the cursor of who reads it. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => (c === '\t' ? ' ' : '\uFFFD'));
}

export function writeError(error: unknown, json: boolean, { stderr }: Terminal): Exit {
  if (!(error instanceof CliError)) throw error;
  const { code, message, next, exit } = error;
  stderr.write(
    json
      ? `${JSON.stringify({ error: { code, message, next, exit } })}\n`
      : `flota: ${printable(message)} [${printable(code)}]\n${next ? `  ${printable(next)}\n` : ''}`,
  );
  return exit;
}
