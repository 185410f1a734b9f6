/** Durations (`5s`, `100ms`, `2m`) and sizes (`32MB`) as EMQX's configuration writes them. */
const millisecondsIn: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const bytesIn: Record<string, number> = { '': 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Milliseconds; `infinity` is Infinity. Throws TypeError on anything else. */
export function toMilliseconds(value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value === 'number') return value;
  if (value === 'infinity') return Number.POSITIVE_INFINITY;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(value));
  if (!match) throw new TypeError(`${JSON.stringify(value)} is not a duration`);
  return Number(match[1]) * millisecondsIn[match[2]!]!;
}

export function toBytes(value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  const match = /^(\d+)\s*(kb|mb|gb|)$/i.exec(String(value));
  if (!match) throw new TypeError(`${JSON.stringify(value)} is not a size`);
  return Number(match[1]) * bytesIn[match[2]!.toLowerCase()]!;
}

/** A number of the configuration, or what holds without it. */
export function toCount(value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value !== 'number') throw new TypeError(`${JSON.stringify(value)} is not a number`);
  return value;
}
