import { closedStates } from '#webhook/deployments/states.ts';
import type { Deployment } from '../../api.ts';
import { sumOf } from '../../parts/state-tone.ts';

/** How many devices had ended at a moment. */
export type Sample = { atMs: number; ended: number };
export type Pace = { perMinute: number | null; leftMs: number | null };

/** What is older does not tell how fast it goes now. */
const windowMs = 120_000;
/** Below this a rate is chance. */
const leastMs = 3_000;

export const endedOf = (counts: Deployment['counts']): number => sumOf(counts, closedStates);

/** Samples with one more; those that have become too old are left out, but for the last of them, which starts the window. */
export function addSample(samples: readonly Sample[], sample: Sample): Sample[] {
  const edge = sample.atMs - windowMs;
  const recent = samples.filter((one, i) => one.atMs >= edge || (samples[i + 1]?.atMs ?? 0) >= edge);
  return [...recent, sample];
}

/**
 * Devices a minute over the last two minutes, and how long the others take at that pace, soaks of waves that have not
 * passed included. Null where nothing can be said: too short, nothing ended, or not running.
 */
export function paceOf(
  deployment: Pick<Deployment, 'state' | 'counts' | 'total' | 'waves'>,
  samples: readonly Sample[],
): Pace {
  const [first, last] = [samples[0], samples.at(-1)];
  if (deployment.state !== 'running' || !first || !last || last.atMs - first.atMs < leastMs) {
    return { perMinute: null, leftMs: null };
  }
  const ended = last.ended - first.ended;
  const perMinute = (ended / (last.atMs - first.atMs)) * 60_000;
  if (ended <= 0) return { perMinute: ended < 0 ? null : 0, leftMs: null };
  const left = deployment.total - endedOf(deployment.counts);
  const soaksMs = deployment.waves
    .slice(0, -1)
    .filter((wave) => wave.state !== 'passed')
    .reduce((sum, wave) => {
      if (wave.soakUntil) return sum + Math.max(0, Date.parse(wave.soakUntil) - last.atMs);
      return sum + wave.soakMs;
    }, 0);
  // All have ended, and the server is about to say so: no time is left to tell.
  const leftMs = (left / perMinute) * 60_000 + soaksMs;
  return { perMinute, leftMs: leftMs > 0 ? leftMs : null };
}
