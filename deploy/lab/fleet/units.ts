/** Numbers with units, as a person writes them. Each parser throws UnitError with what it would have taken. */
export class UnitError extends Error {
  override name = 'UnitError';
}

type Units = Record<string, number>;

const number = '(\\d{1,12}(?:\\.\\d{1,6})?)';

function parser(units: Units, example: string, range: { min?: number; max?: number; zero?: boolean } = {}) {
  const pattern = new RegExp(`^${number}(${Object.keys(units).join('|')})$`, 'i');
  return (text: string): number => {
    if (range.zero && text === '0') return 0;
    const match = pattern.exec(text);
    const unit =
      match && Object.entries(units).find(([name]) => name.toLowerCase() === match[2]!.toLowerCase());
    if (!match || !unit) throw new UnitError(`"${shorten(text)}" is not ${example}`);
    const value = Number(match[1]) * unit[1];
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = range;
    if (value < min || value > max) throw new UnitError(`"${shorten(text)}" is out of range: ${example}`);
    return value;
  };
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** 0 to 1. */
export const parseShare = parser({ '%': 0.01 }, 'a share from 0% to 100%, such as 3%', {
  max: 1,
  zero: true,
});
/** ms, at most a day. */
export const parseDuration = parser(
  { ms: 1, s: 1000, min: 60_000, h: 3_600_000 },
  'a duration of at most 24h, such as 80ms, 2s or 5min',
  { max: 86_400_000, zero: true },
);
export const parseDays = parser({ d: 1 }, 'a number of days up to 3650d, such as 30d', {
  min: 1,
  max: 3_650,
});
/** Bytes a second. */
export const parseBandwidth = parser(
  { kbit: 125, mbit: 125_000, gbit: 125_000_000 },
  'a bandwidth from 8kbit to 10gbit, such as 256kbit',
  { min: 1000, max: 1_250_000_000 },
);
/** Times a minute. */
export const parseFrequency = parser(
  { '/s': 60, '/min': 1, '/h': 1 / 60 },
  'a frequency of at most 60/min, such as 0.5/min',
  { max: 60, zero: true },
);
/** Bytes. */
export const parseSize = parser(
  { B: 1, kB: 1000, KiB: 1024, MB: 1e6, MiB: 1024 ** 2 },
  'a size from 512B to 64MiB, such as 1MiB or 300KiB',
  { min: 512, max: 64 * 1024 ** 2 },
);

export function parseWhole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max))
      throw new UnitError(`"${shorten(text)}" is not a whole number from ${min} to ${max}`);
    return value;
  };
}

/** `10s/60s`: so long out of every so long. */
export function parseNights(text: string): { lastsMs: number; everyMs: number } {
  const [lasts = '', every = '', ...rest] = text.split('/');
  if (rest.length > 0 || !every)
    throw new UnitError(`"${shorten(text)}" is not an outage out of every period, such as 10s/60s`);
  const lastsMs = parseDuration(lasts);
  const everyMs = parseDuration(every);
  if (lastsMs <= 0 || everyMs <= lastsMs)
    throw new UnitError(`"${shorten(text)}": the outage must be shorter than its period`);
  return { lastsMs, everyMs };
}

export type WaveEnd = { count: number } | { percent: number };

/** `1,10%,100%`: how far each wave reaches, the last one to all. */
export function parseWaves(text: string): WaveEnd[] {
  const ends = text
    .split(',')
    .map(
      (part): WaveEnd =>
        part.endsWith('%')
          ? { percent: Math.round(parseShare(part) * 1e6) / 1e4 }
          : { count: parseWhole(1, 100_000)(part) },
    );
  const last = ends.at(-1)!;
  if (!('percent' in last) || last.percent !== 100)
    throw new UnitError(`"${shorten(text)}": the last wave must be 100%`);
  return ends;
}

/** `adaptive`, or bytes. */
export function parseChunk(text: string): 'adaptive' | number {
  if (text === 'adaptive') return text;
  try {
    return Math.round(parseSize(text));
  } catch {
    throw new UnitError(`"${shorten(text)}" is not adaptive or a size such as 64KiB`);
  }
}
