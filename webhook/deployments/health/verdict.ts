/** What a comparison means: pure, so that the simulator of the figures judges as the product does. */
import { type Comparison, compare, type Observation } from './comparison.ts';
import { halfWidth, tuneMixture } from './sequence.ts';
import { isBetterHigh, type Signal, signalKey } from './signals.ts';

/** That any signal of a deployment is found worse though none is: at most so probable, over all looks. Shared out evenly (Bonferroni). */
export const falseHalts = 0.01;
/** Below so many devices that the noise comes from, a mean is too far from normal. */
const leastEffective = 5;
/** From the first look on, information grows about so many times before it matters. */
const growth = 8;

export const verdicts = ['undecided', 'better', 'no_worse', 'worse'] as const;
export type Verdict = (typeof verdicts)[number];

/** One signal at one look. In the signal's unit; higher is higher, whichever is better. */
export interface Judgement {
  signal: string;
  verdict: Verdict;
  treatedDevices: number;
  controlDevices: number;
  treatedLevel: number;
  controlLevel: number;
  difference: number;
  low: number;
  high: number;
  /** How much worse is still no worse. */
  margin: number;
  better: 'high' | 'low';
  /** Of the first look, for all that follow. */
  mixture: number;
}

export interface Terms {
  signals: Signal[];
  minDevices: number;
}

/** Null until there is enough to go by. `mixture`: of the signal's first judgement; null when this is the first. */
export function judge(
  signal: Signal,
  { signals, minDevices }: Terms,
  observations: Observation[],
  mixture: number | null,
): Judgement | null {
  const found = compare(observations);
  if (!found || !isEnough(found, minDevices)) return null;
  const alpha = falseHalts / signals.length;
  const used = mixture ?? tuneMixture(growth / found.variance, alpha);
  const width = halfWidth(found.variance, used, alpha);
  const margin = (signal.marginPercent / 100) * Math.abs(found.control.level);
  const [low, high] = [found.difference - width, found.difference + width];
  const better = isBetterHigh(signal) ? 'high' : 'low';
  const [least, most] = isBetterHigh(signal) ? [-high, -low] : [low, high];
  return {
    signal: signalKey(signal),
    verdict: least > margin ? 'worse' : most < 0 ? 'better' : most <= margin ? 'no_worse' : 'undecided',
    treatedDevices: found.treated.devices,
    controlDevices: found.control.devices,
    treatedLevel: found.treated.level,
    controlLevel: found.control.level,
    difference: found.difference,
    low,
    high,
    margin,
    better,
    mixture: used,
  };
}

function isEnough({ treated, control, variance, effective }: Comparison, minDevices: number): boolean {
  return (
    treated.devices >= minDevices &&
    control.devices >= minDevices &&
    variance > 0 &&
    effective >= leastEffective
  );
}
