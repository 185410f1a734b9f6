/** Counts by state at a time; they hold until the next moment. */
export interface Moment {
  atMs: number;
  states: Record<string, number>;
}
export interface Layer {
  state: string;
  /** As SVG's `points`: of its shares of the whole, above the layers before it. */
  points: string;
}

/**
 * Shares of states over time, stacked in the order of `states`; what is nowhere is left out. `x` takes a time, `y` a share (0 to 1).
 * Steps and no slopes: nothing is known of the time between two moments but that nothing was heard.
 */
export function stackSteps(
  moments: readonly Moment[],
  states: readonly string[],
  endMs: number,
  x: (atMs: number) => number,
  y: (share: number) => number,
): Layer[] {
  const totals = moments.map((m) =>
    Math.max(
      1,
      states.reduce((sum, s) => sum + (m.states[s] ?? 0), 0),
    ),
  );
  const base = moments.map(() => 0);
  return states
    .filter((state) => moments.some((moment) => moment.states[state]))
    .map((state) => {
      const low = edge(moments, base, endMs, x, y);
      for (const [i, moment] of moments.entries()) base[i]! += (moment.states[state] ?? 0) / totals[i]!;
      const high = edge(moments, base, endMs, x, y);
      return { state, points: [...high, ...low.reverse()].join(' ') };
    });
}

function edge(
  moments: readonly Moment[],
  shares: readonly number[],
  endMs: number,
  x: (atMs: number) => number,
  y: (share: number) => number,
): string[] {
  return moments.flatMap(({ atMs }, i) => {
    const height = y(shares[i]!).toFixed(1);
    return [`${x(atMs)},${height}`, `${x(moments[i + 1]?.atMs ?? endMs)},${height}`];
  });
}
