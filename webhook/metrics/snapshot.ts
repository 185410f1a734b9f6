/** What one process has counted, as data: several of them, added up, are written as one copy's. */
import { boundsOf, type CounterName, type GaugeName, type HistogramName, heading, help } from './metrics.ts';

/** Labels are as they are written, with their braces. */
export interface Snapshot {
  values: { name: CounterName | GaugeName; labels: string; value: number }[];
  histograms: { name: HistogramName; labels: string; buckets: number[]; sum: number; count: number }[];
  residentBytes: number;
}

export const nothing: Snapshot = { values: [], histograms: [], residentBytes: 0 };

/** Of what all of them see alike: each says the same. */
const seenByEach: ReadonlySet<string> = new Set<GaugeName>(['flota_broker_default_password']);

export function addUp(snapshots: readonly Snapshot[]): Snapshot {
  const values = new Map<string, Snapshot['values'][number]>();
  const histograms = new Map<string, Snapshot['histograms'][number]>();
  for (const snapshot of snapshots) {
    for (const one of snapshot.values) {
      const sum = values.get(one.name + one.labels);
      if (!sum) values.set(one.name + one.labels, { ...one });
      else sum.value = seenByEach.has(one.name) ? Math.max(sum.value, one.value) : sum.value + one.value;
    }
    for (const one of snapshot.histograms) {
      const sum = histograms.get(one.name + one.labels);
      if (!sum) histograms.set(one.name + one.labels, { ...one, buckets: [...one.buckets] });
      else {
        one.buckets.forEach((n, i) => {
          sum.buckets[i]! += n;
        });
        sum.sum += one.sum;
        sum.count += one.count;
      }
    }
  }
  const residentBytes = snapshots.reduce((sum, one) => sum + one.residentBytes, 0);
  return { values: [...values.values()], histograms: [...histograms.values()], residentBytes };
}

/** What stays true of a process that has ended: what it counted, and not what it was like. */
export function lastingOf({ values, histograms }: Snapshot): Snapshot {
  return { values: values.filter(({ name }) => name.endsWith('_total')), histograms, residentBytes: 0 };
}

/** Prometheus' text format 0.0.4. */
export function writeSnapshot({ values, histograms }: Snapshot): string {
  const lines: string[] = [];
  for (const [name, series] of byName(values)) {
    lines.push(...heading(name, name.endsWith('_total') ? 'counter' : 'gauge', help[name]));
    for (const { labels, value } of series) lines.push(`${name}${labels} ${value}`);
  }
  for (const [name, series] of byName(histograms)) {
    lines.push(...heading(name, 'histogram', help[name]));
    for (const { labels, buckets, sum, count } of series) {
      const upTo = (le: string) => `${name}_bucket{${labels ? `${labels.slice(1, -1)},` : ''}le="${le}"}`;
      boundsOf(name).forEach((bound, i) => {
        lines.push(`${upTo(String(bound))} ${buckets[i]}`);
      });
      lines.push(
        `${upTo('+Inf')} ${count}`,
        `${name}_sum${labels} ${sum}`,
        `${name}_count${labels} ${count}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function byName<T extends { name: string }>(series: T[]): Map<T['name'], T[]> {
  const named = new Map<T['name'], T[]>();
  for (const one of series) named.set(one.name, [...(named.get(one.name) ?? []), one]);
  return named;
}
