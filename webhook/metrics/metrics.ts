/** Counters and histograms of one process; `snapshot.ts` writes them. */
import type { Snapshot } from './snapshot.ts';

export type Labels = Record<string, string>;

export interface Metrics {
  count(name: CounterName, labels?: Labels, by?: number): void;
  /** `value` in the unit that the name says. */
  observe(name: HistogramName, value: number, labels?: Labels): void;
  /** Of something that moves up and down. */
  add(name: GaugeName, by: number): void;
  set(name: GaugeName, value: number): void;
  read(): Snapshot;
}

export const help = {
  flota_http_requests_total: 'Requests answered, by listener, route and status',
  flota_http_request_seconds: 'Time to answer a request, by listener',
  flota_ingest_events_total: 'Events from the broker, by what became of them',
  flota_ingest_seconds: 'From taking an event in until its commit',
  flota_ingest_group_events: 'Events in a commit group',
  flota_ingest_commit_seconds: 'Time to handle and commit a group',
  flota_ingest_waiting: 'Events taken in and not committed yet',
  flota_published_total: 'Messages given to the broker, by topic and outcome',
  flota_audit_heads_total:
    'Heads of the audit log, by outcome: signed, failed, or broken (not the log that was signed before)',
  flota_notifications_total:
    'Tries to deliver a notification, by channel and outcome: delivered, failed, or dead (the last)',
  flota_broker_default_password: "1 while the broker's dashboard takes a password that everybody knows",
} as const;
export type CounterName =
  | 'flota_http_requests_total'
  | 'flota_ingest_events_total'
  | 'flota_published_total'
  | 'flota_audit_heads_total'
  | 'flota_notifications_total';
export type GaugeName = 'flota_ingest_waiting' | 'flota_broker_default_password';
export type HistogramName = Exclude<keyof typeof help, CounterName | GaugeName>;

const secondsBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const groupBounds = [1, 2, 5, 10, 25, 50, 100, 200, 300];

const unlabelled: Labels = {};

interface Histogram {
  labels: Labels;
  buckets: number[];
  sum: number;
  count: number;
}

export function createMetrics(): Metrics {
  const values = new Map<CounterName | GaugeName, Map<string, { labels: Labels; value: number }>>();
  const histograms = new Map<HistogramName, Map<string, Histogram>>();

  function bump(name: CounterName | GaugeName, labels: Labels, by: number): void {
    const series = values.get(name) ?? new Map<string, { labels: Labels; value: number }>();
    values.set(name, series);
    const key = formatLabels(labels);
    const one = series.get(key) ?? { labels, value: 0 };
    one.value += by;
    series.set(key, one);
  }

  return {
    count: (name, labels = unlabelled, by = 1) => bump(name, labels, by),
    add: (name, by) => bump(name, unlabelled, by),
    set(name, value) {
      values.delete(name);
      bump(name, unlabelled, value);
    },
    observe(name, value, labels = unlabelled) {
      const series = histograms.get(name) ?? new Map<string, Histogram>();
      histograms.set(name, series);
      const key = formatLabels(labels);
      const bounds = boundsOf(name);
      const one = series.get(key) ?? { labels, buckets: bounds.map(() => 0), sum: 0, count: 0 };
      for (let i = bounds.length - 1; i >= 0 && value <= bounds[i]!; i--) one.buckets[i]! += 1;
      one.sum += value;
      one.count += 1;
      series.set(key, one);
    },
    read() {
      return {
        values: [...values].flatMap(([name, series]) =>
          [...series].map(([labels, { value }]) => ({ name, labels, value })),
        ),
        histograms: [...histograms].flatMap(([name, series]) =>
          [...series].map(([labels, one]) => ({
            ...{ name, labels, buckets: [...one.buckets], sum: one.sum, count: one.count },
          })),
        ),
        residentBytes: process.memoryUsage.rss(),
      };
    },
  };
}

export function boundsOf(name: HistogramName): number[] {
  return name.endsWith('_seconds') ? secondsBounds : groupBounds;
}

export function heading(name: string, type: 'counter' | 'gauge' | 'histogram', text: string): string[] {
  return [`# HELP ${name} ${text}`, `# TYPE ${name} ${type}`];
}

export function sample(name: string, labels: Labels, value: number): string {
  return `${name}${formatLabels(labels)} ${value}`;
}

/** Whoever counts often gives the same object each time. */
const formatted = new WeakMap<Labels, string>();

function formatLabels(labels: Labels): string {
  const before = formatted.get(labels);
  if (before !== undefined) return before;
  const pairs = Object.entries(labels).map(
    ([key, value]) =>
      `${key}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  );
  const text = pairs.length ? `{${pairs.join(',')}}` : '';
  formatted.set(labels, text);
  return text;
}
