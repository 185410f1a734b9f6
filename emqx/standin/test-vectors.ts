/** Holds the stand-in to answers that were observed on a real broker, kept in `fixtures/`. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';

/** One a line, as they were observed. */
export function readVectors<T>(name: string): T[] {
  const text = readFileSync(new URL(`./fixtures/${name}-vectors.jsonl`, import.meta.url), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** How a vector went: null is agreement; `unsupported` says what the stand-in has refused by name. */
export type Result = string | null | { unsupported: string };

/**
 * Every vector must agree, or be refused by name; which are refused is printed, so that nobody takes silence for agreement. `atLeast` of
 * them agree.
 */
export async function holdTo<T extends { name: string }>(
  what: string,
  vectors: T[],
  atLeast: number,
  resultOf: (vector: T) => Promise<Result>,
): Promise<void> {
  const wrong: string[] = [];
  const refused = new Map<string, number>();
  let agreed = 0;
  for (const vector of vectors) {
    const result = await resultOf(vector);
    if (result === null) agreed++;
    else if (typeof result === 'string') wrong.push(`${vector.name}: ${result}`);
    else refused.set(result.unsupported, (refused.get(result.unsupported) ?? 0) + 1);
  }
  const listed = [...refused].map(([name, times]) => `  - ${name} (${times})`);
  console.log(
    [`${what}: ${agreed} of ${vectors.length} vectors agree; refused by name:`, ...listed].join('\n'),
  );
  expect(wrong).toEqual([]);
  expect(agreed).toBeGreaterThanOrEqual(atLeast);
}

/** Whether a value is the observed one: masks check the type only, keys have no order, `_<n>` in a name is a time stamp. */
export function agrees(actual: unknown, wanted: unknown): boolean {
  if (wanted === '<string>') return typeof actual === 'string';
  if (wanted === '<integer>') return Number.isInteger(actual);
  if (wanted === '<float>' || wanted === '<number>') return typeof actual === 'number';
  if (Array.isArray(wanted))
    return (
      Array.isArray(actual) &&
      actual.length === wanted.length &&
      wanted.every((item, i) => agrees(actual[i], item))
    );
  if (typeof wanted !== 'object' || wanted === null) return Object.is(actual, wanted);
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return false;
  const unstamped = (row: object) =>
    Object.fromEntries(Object.entries(row).map(([key, value]) => [key.replace(/_\d{6,}$/, '_<n>'), value]));
  const [have, want] = [unstamped(actual), unstamped(wanted)];
  const keys = new Set([...Object.keys(have), ...Object.keys(want)]);
  return [...keys].every(
    (key) => Object.hasOwn(have, key) && Object.hasOwn(want, key) && agrees(have[key], want[key]),
  );
}
