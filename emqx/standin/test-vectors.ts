/** Holds the stand-in to answers that were observed on a real broker, kept in `fixtures/`. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';

export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`./fixtures/${name}-vectors.json`, import.meta.url), 'utf8'));
}

/**
 * Every vector must agree but those left out by name, which must not: one that starts to agree has to leave the list. The
 * list is printed, so that nobody takes silence for agreement.
 */
export async function holdTo<T extends { name: string }>(
  what: string,
  vectors: T[],
  leftOut: Record<string, string>,
  disagreement: (vector: T) => Promise<string | null>,
): Promise<void> {
  const wrong: string[] = [];
  const agreed: string[] = [];
  for (const vector of vectors) {
    const difference = await disagreement(vector);
    if (vector.name in leftOut) {
      if (difference === null) wrong.push(`${vector.name}: is left out, yet agrees`);
    } else if (difference === null) agreed.push(vector.name);
    else wrong.push(`${vector.name}: ${difference}`);
  }
  const names = new Set(vectors.map(({ name }) => name));
  for (const name of Object.keys(leftOut))
    if (!names.has(name)) wrong.push(`${name}: is left out, yet unknown`);
  const listed = Object.entries(leftOut).map(([name, why]) => `  - ${name}: ${why}`);
  console.log(
    [`${what}: ${agreed.length} of ${vectors.length} vectors agree; left out by name:`, ...listed].join('\n'),
  );
  expect(wrong).toEqual([]);
  expect(listed.length).toBeLessThanOrEqual(vectors.length / 10);
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
