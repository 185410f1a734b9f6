import { formatNumber, isOne } from '../format.ts';

/**
 * Fills a message: `{name}` takes a value, `{n|device|devices}` takes the one or the other by the language's plural
 * rule for the value n (Korean needs only `{n}`). Numbers are written the language's way.
 */
export type Values = Record<string, string | number>;

const hole = /\{(\w+)(?:\|([^|{}]*)\|([^|{}]*))?\}/g;

export function fillMessage(language: string, message: string, values: Values = {}): string {
  return message.replace(hole, (_, name: string, one?: string, other?: string) => {
    const value = values[name];
    if (value === undefined) return `{${name}}`;
    if (one === undefined || other === undefined) {
      return typeof value === 'number' ? formatNumber(language, value) : value;
    }
    return isOne(language, Number(value)) ? one : other;
  });
}

/** The names of the values that a message wants. */
export function valueNames(message: string): Set<string> {
  return new Set([...message.matchAll(hole)].map((match) => match[1]!));
}
