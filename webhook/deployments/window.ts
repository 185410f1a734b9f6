/**
 * A maintenance window by the wall clock of a time zone. Pure: what is asked of it is whether a moment lies inside, and when the next
 * one does. Clocks that are put forward or back move the window with them: an hour that there is twice is open twice, and a window
 * that lies wholly within an hour that there is not is left out that day.
 */
export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Weekday = (typeof weekdays)[number];

/** `HH:MM`. From `from` until before `to`, on the days named; a `to` that is not later is on the day after. */
export interface MaintenanceWindow {
  from: string;
  to: string;
  days: Weekday[];
}

const minuteMs = 60_000;
const dayMs = 86_400_000;

export function isOpen(window: MaintenanceWindow, timeZone: string, now: number): boolean {
  const local = new Date(toLocal(timeZone, now));
  const minute = local.getUTCHours() * 60 + local.getUTCMinutes();
  const [from, to] = [minuteOf(window.from), minuteOf(window.to)];
  const isDay = (day: number) => window.days.includes(weekdays[(day + 7) % 7]!);
  const today = local.getUTCDay();
  if (from < to) return isDay(today) && from <= minute && minute < to;
  return (isDay(today) && minute >= from) || (isDay(today - 1) && minute < to);
}

/** The first moment from `now` on that lies inside. Null when there is none within nine days (left out as said above). */
export function nextOpening(window: MaintenanceWindow, timeZone: string, now: number): number | null {
  if (isOpen(window, timeZone, now)) return now;
  const midnight = Math.floor(toLocal(timeZone, now) / dayMs) * dayMs;
  for (let day = 0; day <= 9; day++) {
    const opens = midnight + day * dayMs + minuteOf(window.from) * minuteMs;
    const first = momentsOf(timeZone, opens).find(
      (moment) => moment > now && isOpen(window, timeZone, moment),
    );
    if (first !== undefined) return first;
  }
  return null;
}

/** When the wall clock first shows this (a moment as if it were UTC), or, in an hour that there is not, what comes after it. */
export function momentOf(timeZone: string, local: number): number {
  const moments = momentsOf(timeZone, local);
  return moments.find((moment) => toLocal(timeZone, moment) === local) ?? moments.at(-1)!;
}

/** Where the clocks change around it, one of the two offsets is right; in an hour that there is not, both lead out of it. */
function momentsOf(timeZone: string, local: number): number[] {
  return [local - dayMs, local + dayMs]
    .map((at) => local - (toLocal(timeZone, at) - at))
    .sort((a, b) => a - b);
}

function minuteOf(time: string): number {
  const [hours, minutes] = time.split(':').map(Number) as [number, number];
  return hours * 60 + minutes;
}

interface Clock {
  format: Intl.DateTimeFormat;
  /** By minute: clocks change at whole ones, and asking the format is slow. */
  offsets: Map<number, number>;
}
const clocks = new Map<string, Clock>();
const maxOffsets = 64;

/** What the wall clock shows, as if it were UTC. */
function toLocal(timeZone: string, at: number): number {
  let clock = clocks.get(timeZone);
  if (!clock) {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    clock = { format, offsets: new Map() };
    clocks.set(timeZone, clock);
  }
  const minute = Math.floor(at / minuteMs);
  let offset = clock.offsets.get(minute);
  if (offset === undefined) {
    offset = offsetAt(clock.format, minute * minuteMs);
    if (clock.offsets.size >= maxOffsets) clock.offsets.clear();
    clock.offsets.set(minute, offset);
  }
  return at + offset;
}

function offsetAt(format: Intl.DateTimeFormat, at: number): number {
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const { year, month, day, hour, minute, second } = parts as Record<string, number>;
  return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) - at;
}
