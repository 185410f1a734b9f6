import { timeZone } from './settings.ts';

/** How far a zone's clock is ahead of UTC at a moment. */
function aheadMs(zone: string, atMs: number): number {
  const options = { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' } as const;
  // Sweden writes its dates as ISO 8601 does.
  const wall = new Intl.DateTimeFormat('sv-SE', options).format(atMs);
  return Date.parse(`${wall.replace(' ', 'T')}Z`) - Math.floor(atMs / 1000) * 1000;
}

/** The moment of a `datetime-local` field, by the clock of the settings' zone; NaN when it holds none. */
export function wallTimeMs(text: string, zone = timeZone()): number {
  if (!zone) return Date.parse(text);
  const asUtcMs = Date.parse(`${text}Z`);
  if (Number.isNaN(asUtcMs)) return asUtcMs;
  // Twice: the first guess may lie on the other side of a change of the clocks.
  const guessMs = asUtcMs - aheadMs(zone, asUtcMs);
  return asUtcMs - aheadMs(zone, guessMs);
}
