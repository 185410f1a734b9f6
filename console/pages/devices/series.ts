import type { DeviceStatus } from '../../api.ts';
import { formatBytes, formatDuration } from '../../format.ts';

export type Series = { topic: string; value: string; latest: number; at: string };

/** Fields of a message that are not measurements. */
const notMeasured = new Set(['id', 'at', 'seq']);

/** Every number in the last messages of a device, each a value that can be drawn. `data/*` has its numbers in `values`. */
export function seriesOf(status: Pick<DeviceStatus, 'latest'>): Series[] {
  return status.latest.flatMap(({ topic, at, body }) => {
    const values = (topic.startsWith('data/') ? body.values : body) ?? {};
    return Object.entries(values)
      .filter(([name, value]) => typeof value === 'number' && !notMeasured.has(name))
      .map(([value, latest]) => ({ topic, value, latest: latest as number, at }));
  });
}

const units: [suffix: string, unit: string][] = [
  ['Percent', '%'],
  ['Dbm', ' dBm'],
  ['Hpa', ' hPa'],
  ['C', ' °C'],
  ['V', ' V'],
];

/** `freeHeapBytes` 2048 → "2.0 KiB": the unit is in the name, as in all messages. */
export function formatMeasured(language: string, name: string, value: number): string {
  if (name.endsWith('Bytes')) return formatBytes(language, value);
  if (name.endsWith('Ms')) return formatDuration(language, value);
  const digits = Math.abs(value) < 100 ? 1 : 0;
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
  return number + (units.find(([suffix]) => name.endsWith(suffix))?.[1] ?? '');
}

/** `freeHeapBytes` → "free heap": words for what a device calls it, without the unit. */
export const nameOfValue = (name: string): string =>
  name
    .replace(/(Bytes|Percent|Dbm|Hpa|Ms|C|V)$/, '')
    .replace(/_/g, ' ')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase() || name;
