import { expect, it } from 'vitest';
import { formatMeasured, nameOfValue, seriesOf } from './series.ts';

const at = '2026-01-01T00:00:00Z';

it('finds every number of the last messages, wherever its topic has it', () => {
  const found = seriesOf({
    latest: [
      { topic: 'status/system', at, body: { id: 'x', at: null, uptimeMs: 5, note: 'n' } },
      { topic: 'data/sensors', at, body: { seq: 4, values: { temperatureC: 21.5, door: 'open' } } },
      { topic: 'data/metrics', at, body: {} },
    ],
  });
  expect(found.map((one) => [one.topic, one.value, one.latest])).toEqual([
    ['status/system', 'uptimeMs', 5],
    ['data/sensors', 'temperatureC', 21.5],
  ]);
});

it('takes the unit from the name', () => {
  expect(formatMeasured('en', 'freeHeapBytes', 2048)).toBe('2.0 KiB');
  expect(formatMeasured('en', 'uptimeMs', 90_000)).toBe('1m 30s');
  expect(formatMeasured('en', 'temperatureC', 21.46)).toBe('21.5 °C');
  expect(formatMeasured('en', 'rssiDbm', -61)).toBe('-61 dBm');
  expect(formatMeasured('en', 'count', 12_345)).toBe('12,345');
  expect([nameOfValue('freeHeapBytes'), nameOfValue('rssiDbm'), nameOfValue('V')]).toEqual([
    'free heap',
    'rssi',
    'V',
  ]);
});
