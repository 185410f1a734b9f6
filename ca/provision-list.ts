import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CaError } from './client.ts';
import { CsvError, parseCsv } from './csv.ts';

export interface PlannedDevice {
  line: number;
  id: string;
  hardware: string;
  name: string;
  region: string;
  division: string;
  /** PEM, of a key that the device made itself; empty: the key is made here. */
  csr: string;
}

const columns = ['id', 'hardware', 'name', 'region', 'division', 'csr'] as const;
type Column = (typeof columns)[number];
const maxProblems = 20;

/**
 * The devices of a CSV file with a header of `id` and any of the other columns; `csr` is a PEM text or the path of one, seen from the file.
 * @throws CaError request_invalid with every problem and its line
 */
export function readDeviceList(path: string, needs: { hardware: boolean }): PlannedDevice[] {
  const problems: string[] = [];
  const devices = collect(path, needs, problems);
  if (problems.length === 0 && devices.length === 0) problems.push('line 1: there is no device in it');
  if (problems.length > 0) {
    const more = problems.length > maxProblems ? [`and ${problems.length - maxProblems} more`] : [];
    throw new CaError(
      'request_invalid',
      [`${path}:`, ...problems.slice(0, maxProblems), ...more].join('\n  '),
    );
  }
  return devices;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CaError('request_invalid', `${path} cannot be read (${code})`, { cause });
  }
}

function collect(path: string, needs: { hardware: boolean }, problems: string[]): PlannedDevice[] {
  const devices: PlannedDevice[] = [];
  const lines = new Map<string, number>();
  const text = read(path);
  try {
    const [header, ...rows] = parseCsv(text);
    const names = header?.fields.map((name) => name.trim().toLowerCase()) ?? [];
    problems.push(...judgeHeader(names));
    if (problems.length > 0) return [];
    for (const { line, fields } of rows) {
      if (fields.length !== names.length) {
        problems.push(`line ${line}: ${fields.length} fields where the header has ${names.length}`);
        continue;
      }
      const value = (column: Column) => fields[names.indexOf(column)]?.trim() ?? '';
      const { id, hardware, csr } = { id: value('id'), hardware: value('hardware'), csr: value('csr') };
      const before = lines.get(id);
      if (!/^[A-Za-z0-9_-]{1,64}$/.test(id))
        problems.push(`line ${line}: "${id.slice(0, 70)}" is no device id`);
      else if (before !== undefined) problems.push(`line ${line}: ${id} is on line ${before} too`);
      if (needs.hardware ? !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(hardware) : hardware.length > 64)
        problems.push(`line ${line}: "${hardware.slice(0, 70)}" is no hardware name`);
      lines.set(id, line);
      const [name, region, division] = (['name', 'region', 'division'] as const).map(value);
      if ([name, region, division].some((text) => (text?.length ?? 0) > 100))
        problems.push(`line ${line}: a name is longer than 100 characters`);
      devices.push({
        line,
        id,
        hardware,
        name: name || id,
        region: region ?? '',
        division: division ?? '',
        csr: readCsr(csr, path, line, problems),
      });
    }
  } catch (error) {
    problems.push(error instanceof CsvError ? error.message : `line 1: ${(error as Error).message}`);
  }
  return devices;
}

function judgeHeader(names: string[]): string[] {
  const known: readonly string[] = columns;
  const unknown = names.filter((name) => !known.includes(name));
  return [
    ...(names.includes('id') ? [] : ['line 1: the header must have a column "id"']),
    ...unknown.map((name) => `line 1: there is no column "${name}" (${columns.join(', ')})`),
    ...(new Set(names).size < names.length ? ['line 1: a column is there twice'] : []),
  ];
}

function readCsr(value: string, path: string, line: number, problems: string[]): string {
  if (value === '' || value.startsWith('-----BEGIN')) return value;
  try {
    return readFileSync(resolve(dirname(path), value), 'utf8');
  } catch (error) {
    problems.push(`line ${line}: ${value} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return '';
  }
}
