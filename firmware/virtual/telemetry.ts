import type { TelemetryTopic } from './agent-port.ts';

/** What the board would measure: a slow wave with some noise, like one in a room. Null after the last. */
export function measure(
  index: number,
  now: {
    uptimeMs: number;
    leakBytesPerS: number;
    unixMs: number | null;
    reconnects: number;
    random: () => number;
  },
): { topic: TelemetryTopic; fields: string } | null {
  const { uptimeMs, leakBytesPerS, unixMs, reconnects, random } = now;
  const temperatureC = round(42 + 6 * Math.sin((unixMs ?? uptimeMs) / 600_000) + random());
  switch (index) {
    case 0:
      return say('status/system', {
        uptimeMs: Math.floor(uptimeMs),
        freeHeapBytes: Math.max(
          0,
          180_000 + Math.floor(random() * 20_000 - (leakBytesPerS * uptimeMs) / 1000),
        ),
        temperatureC,
        cpuPercent: round(5 + random() * 20),
      });
    case 1:
      return say('status/network', { rssiDbm: -45 - Math.floor(random() * 30), reconnects });
    case 2: {
      const values = { temperature: round(temperatureC - 18), humidity: round(40 + random() * 10) };
      return say('data/sensors', { values });
    }
    default:
      return null;
  }
}

function say(topic: TelemetryTopic, message: object): { topic: TelemetryTopic; fields: string } {
  return { topic, fields: JSON.stringify(message).slice(1, -1) };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
