/** A month as weeks of days, and which of them something falls on; days are those of the settings' time zone. */
import { timeZone } from '../../settings.ts';

export interface Span {
  startsAt: string;
  /** Null: it has not ended. */
  endsAt: string | null;
}

const dayMs = 86_400_000;

/** `2026-12-24`, whatever the zone. */
export function dayOf(at: string | number, zone = timeZone()): string {
  // Sweden writes its dates as ISO 8601 does.
  return new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', ...(zone && { timeZone: zone }) }).format(
    new Date(at),
  );
}

/** `2026-12`, so many months on. */
export function monthAfter(month: string, by: number): string {
  const [year, number] = month.split('-').map(Number) as [number, number];
  return new Date(Date.UTC(year, number - 1 + by)).toISOString().slice(0, 7);
}

export const isMonth = (text: string): boolean => /^20\d\d-(0[1-9]|1[0-2])$/.test(text);

/** From the Sunday before its first day to the Saturday after its last. */
export function daysOf(month: string): string[] {
  const first = Date.parse(`${month}-01`);
  const last = Date.parse(`${monthAfter(month, 1)}-01`) - dayMs;
  const from = first - new Date(first).getUTCDay() * dayMs;
  const to = last + (6 - new Date(last).getUTCDay()) * dayMs;
  return Array.from({ length: (to - from) / dayMs + 1 }, (_, i) =>
    new Date(from + i * dayMs).toISOString().slice(0, 10),
  );
}

/** What to ask for: a day more on both ends, for zones are ahead of and behind UTC. */
export function spanOf(days: string[]): { from: string; to: string } {
  return {
    from: new Date(Date.parse(days[0]!) - dayMs).toISOString(),
    to: new Date(Date.parse(days.at(-1)!) + 2 * dayMs).toISOString(),
  };
}

/** The things of each day; one that has not ended goes on until now. */
export function byDay<T extends Span>(
  things: readonly T[],
  days: readonly string[],
  nowMs: number,
  zone = timeZone(),
): Map<string, T[]> {
  const found = new Map(days.map((day) => [day, [] as T[]]));
  for (const thing of things) {
    const startMs = Date.parse(thing.startsAt);
    const endMs = thing.endsAt === null ? Math.max(startMs, nowMs) : Date.parse(thing.endsAt);
    // What ends at midnight is over by then.
    const [first, last] = [dayOf(startMs, zone), dayOf(Math.max(startMs, endMs - 1), zone)];
    for (const day of days) if (first <= day && day <= last) found.get(day)!.push(thing);
  }
  return found;
}
