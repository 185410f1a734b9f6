/** A figure as a ratio to a baseline measured in the same run, so that it means the same on every machine. */
export interface Figure {
  value: number;
  unit: string;
  baseline: number;
  /** value / baseline, or the other way round where less is better: more is always better. */
  ratio: number;
  /** What the ratio should reach; null where nothing was promised. */
  aim: number | null;
}

/** By name: `<part>.<what>`. */
export type Figures = Record<string, Figure>;

/** The upper middle one, of at least one value. */
export function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
