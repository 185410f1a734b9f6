/** Numbers, sizes, times and durations as words. Every function takes the language tag first; times are in the zone of the settings. */
import type { Weekday } from './api.ts';
import { timeZone } from './settings.ts';

/** Making a formatter costs more than using it a thousand times, and a list makes many texts. */
const formatters = new Map<string, unknown>();
function cached<Options, T>(
  kind: new (language: string, options: Options) => T,
  language: string,
  options: NoInfer<Options>,
): T {
  const name = `${kind.name} ${language} ${JSON.stringify(options)}`;
  let formatter = formatters.get(name) as T | undefined;
  if (!formatter) {
    formatter = new kind(language, options);
    formatters.set(name, formatter);
  }
  return formatter;
}

function formatIn(language: string, options: Intl.DateTimeFormatOptions, at: string | number): string {
  const zone = timeZone();
  const zoned = zone ? { ...options, timeZone: zone } : options;
  return cached(Intl.DateTimeFormat, language, zoned).format(new Date(at));
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function formatNumber(language: string, value: number): string {
  return cached(Intl.NumberFormat, language, {}).format(value);
}

/** Whether the language's plural rule calls for the singular. */
export function isOne(language: string, value: number): boolean {
  return cached(Intl.PluralRules, language, {}).select(value) === 'one';
}

/** 1536 → "1.5 KiB": one decimal below 100, none above and for bytes. */
export function formatBytes(language: string, bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  const number = cached(Intl.NumberFormat, language, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
  return `${number} ${units[unit]}`;
}

/** In a currency of ISO 4217. */
export function formatMoney(language: string, amount: number, currency: string): string {
  return cached(Intl.NumberFormat, language, { style: 'currency', currency }).format(amount);
}

export function formatRate(language: string, bytesPerSecond: number): string {
  return `${formatBytes(language, bytesPerSecond)}/s`;
}

/** 0.9234 → "92.3%"; 1 → "100%". Never rounds up to 100 % what is less. */
export function formatShare(language: string, share: number): string {
  const floored = share < 1 ? Math.min(share, 0.999) : share;
  return cached(Intl.NumberFormat, language, { style: 'percent', maximumFractionDigits: 1 }).format(floored);
}

/** 850 → "850ms"; 4200 → "4.2s"; 90000 → "1m 30s"; 7380000 → "2h 3m"; from two days on, days and hours. */
export function formatDuration(language: string, ms: number): string {
  const unit = (value: number, name: string, digits = 0) =>
    cached(Intl.NumberFormat, language, {
      style: 'unit',
      unit: name,
      unitDisplay: 'narrow',
      maximumFractionDigits: digits,
    }).format(value);
  if (ms < 1000) return unit(Math.round(ms), 'millisecond');
  if (ms < 59_950) return unit(ms / 1000, 'second', 1);
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) {
    const rest = seconds % 60;
    return [unit(Math.floor(seconds / 60), 'minute'), rest ? unit(rest, 'second') : ''].join(' ').trim();
  }
  const minutes = Math.round(seconds / 60);
  if (minutes >= 2 * 1440) {
    const hours = Math.round(minutes / 60);
    return [unit(Math.floor(hours / 24), 'day'), hours % 24 ? unit(hours % 24, 'hour') : ''].join(' ').trim();
  }
  const rest = minutes % 60;
  return [unit(Math.floor(minutes / 60), 'hour'), rest ? unit(rest, 'minute') : ''].join(' ').trim();
}

export function formatDateTime(language: string, at: string): string {
  return formatIn(language, { dateStyle: 'medium', timeStyle: 'short' }, at);
}

/** `2026-12` → "December 2026". */
export function formatMonth(language: string, month: string): string {
  const options = { year: 'numeric', month: 'long', timeZone: 'UTC' } as const;
  return cached(Intl.DateTimeFormat, language, options).format(Date.parse(`${month}-01`));
}

/** `2026-12-24` → "Dec 24, 2026", whatever the zone. */
export function formatDay(language: string, day: string): string {
  return cached(Intl.DateTimeFormat, language, { dateStyle: 'medium', timeZone: 'UTC' }).format(
    Date.parse(day),
  );
}

/** A tick of a time axis: time of day, with the day where the axis is longer than one. */
export function formatAxis(language: string, atMs: number, spanMs: number): string {
  const day = { month: 'numeric', day: 'numeric' } as const;
  const time = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  const options =
    spanMs > 2 * 86_400_000 ? day : spanMs < 5 * 60_000 ? { ...time, second: '2-digit' as const } : time;
  return formatIn(language, options, atMs);
}

export const weekdays: readonly Weekday[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** "Sun" to "Sat". */
export function formatWeekday(language: string, day: Weekday): string {
  // The first of January 2023 was a Sunday.
  const at = Date.UTC(2023, 0, 1 + weekdays.indexOf(day));
  return cached(Intl.DateTimeFormat, language, { weekday: 'short', timeZone: 'UTC' }).format(at);
}

/** Time of day with seconds, for timelines. */
export function formatTime(language: string, at: string): string {
  return formatIn(language, { timeStyle: 'medium' }, at);
}

const steps = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Number.POSITIVE_INFINITY],
] as const;

/** "3 minutes ago", "in 2 days": the largest unit of which at least one has passed. */
export function formatAgo(language: string, at: string, nowMs: number): string {
  let value = (Date.parse(at) - nowMs) / 1000;
  for (const [unit, size] of steps) {
    if (Math.abs(value) < size) {
      // 89 days are three months rather than two; an hour is over only when it is.
      const whole = unit === 'month' ? Math.round(value) : Math.trunc(value);
      return cached(Intl.RelativeTimeFormat, language, { numeric: 'auto' }).format(whole, unit);
    }
    value /= size;
  }
  return at;
}
