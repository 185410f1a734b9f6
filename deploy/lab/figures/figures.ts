import { readFileSync } from 'node:fs';

/** A figure as a ratio to a baseline measured in the same run, so that it means the same on every machine. */
export interface Figure {
  value: number;
  unit: string;
  baseline: number;
  /** value / baseline, or the other way round where less is better: more is always better. */
  ratio: number;
  /** Of the process that does it (its driver in the benchmark included), µs for each unit of work: a busy machine changes it less than the time. */
  processorUs?: number;
  /** What the ratio should reach; null where nothing was promised. */
  aim: number | null;
}

/** By name: `<part>.<what>`. */
export type Figures = Record<string, Figure>;

/** The upper middle one, of at least one value. */
export function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** Of as many rounds of each; the ratio round by round, for a neighbour's load may last for several. */
export function byRound(values: number[], baselines: number[]): Pick<Figure, 'value' | 'baseline' | 'ratio'> {
  return {
    value: Math.round(median(values)),
    baseline: Math.round(median(baselines)),
    ratio: Number(median(values.map((n, i) => n / baselines[i]!)).toFixed(3)),
  };
}

/** Of at least one value. */
export function p95(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.95)]!;
}

/** Processor time of this process from now on. */
export function watchProcessor(): { us(): number } {
  const before = process.cpuUsage();
  return {
    us() {
      const { user, system } = process.cpuUsage(before);
      return user + system;
    },
  };
}

/** Of those processes and all that they have started, since they began, as Linux counts it: in hundredths of a second. */
export function processorMs(pids: number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    // User and system; and of the children that have ended.
    const own = fields.slice(11, 15).reduce((ticks, field) => ticks + Number(field), 0) * 10;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return sum + own + processorMs(children.map(Number));
  }, 0);
}

/** Against an earlier run: by ratio and processor time, which other machines and their load change least. */
export function describeChange(now: Figure, before: Figure | undefined): string {
  if (!before) return 'new';
  if (before.unit !== now.unit) return `not comparable: it was measured as "${before.unit}"`;
  const change = (from: number, to: number) => {
    const percent = from === 0 ? 0 : Math.round((to / from - 1) * 100);
    return `${percent >= 0 ? '+' : ''}${percent} %`;
  };
  const parts = [
    `value ${before.value} → ${now.value}`,
    `ratio ${before.ratio} → ${now.ratio} (${change(before.ratio, now.ratio)})`,
  ];
  if (before.processorUs !== undefined && now.processorUs !== undefined)
    parts.push(
      `processor time ${before.processorUs} → ${now.processorUs} µs (${change(before.processorUs, now.processorUs)})`,
    );
  return parts.join(', ');
}
