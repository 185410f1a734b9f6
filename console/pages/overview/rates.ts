import type { Overview } from '../../admin-api.ts';

type Updates = Overview['updates'];

/** Of all updates that have ended; null before any. */
export const successRate = ({ ended, succeeded }: Updates): number | null =>
  ended ? succeeded / ended : null;

/**
 * Of everything that went wrong on the way: downloads that went on where they broke off, and devices that came back on their
 * old image after a bad one. Null when nothing has gone wrong yet.
 */
export function recoveryRate({ interrupted, resumed, rolledBack, lost }: Updates): number | null {
  const mishaps = interrupted + rolledBack + lost;
  return mishaps ? (resumed + rolledBack) / mishaps : null;
}
