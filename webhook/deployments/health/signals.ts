/** What a gate compares: the only list of its signals, for the webhook and its SQL. Imports nothing. */

/** `restarts`, `crashes`, `disconnects`: windows in which the device had any. `offline`: share of the time. `heap`, `rssi`: from `status/*`. */
export const builtInSignals = ['restarts', 'crashes', 'disconnects', 'offline', 'heap', 'rssi'] as const;
export type BuiltInSignal = (typeof builtInSignals)[number];

/** `metric`: a number of `data/metrics` by its name. */
export type Signal = { marginPercent: number } & (
  | { kind: BuiltInSignal }
  | { kind: 'metric'; name: string; better: 'high' | 'low' }
);

export const signalKey = (signal: Signal): string =>
  signal.kind === 'metric' ? `metric:${signal.name}` : signal.kind;

export function isBetterHigh(signal: Signal): boolean {
  return signal.kind === 'metric'
    ? signal.better === 'high'
    : signal.kind === 'heap' || signal.kind === 'rssi';
}

/** What happens to a device, as opposed to what it measures: known of each window, also when nothing was said. */
export function isHappening(signal: Signal): boolean {
  return ['restarts', 'crashes', 'disconnects', 'offline'].includes(signal.kind);
}
