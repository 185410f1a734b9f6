/** Time functions of rule SQL. */
import type { Value } from '../json.ts';
import { EvaluationError } from './compare.ts';

const perSecond: Record<string, bigint> = {
  second: 1n,
  millisecond: 1_000n,
  microsecond: 1_000_000n,
  nanosecond: 1_000_000_000n,
};

function unitOf(value: Value | undefined): bigint {
  const unit = perSecond[typeof value === 'string' ? value : 'second'];
  if (!unit) throw new EvaluationError('unknown unit of time');
  return unit;
}
function stamp(value: Value): bigint {
  if (typeof value !== 'bigint') throw new EvaluationError('needs a time stamp');
  return value;
}
function timeOf(text: Value, unit: bigint): bigint {
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new EvaluationError('not a time');
  return (BigInt(ms) * unit) / 1_000n;
}
function rfc3339(at: bigint, unit: bigint): string {
  const iso = new Date(Number((at * 1_000n) / unit)).toISOString();
  if (unit === 1n) return `${iso.slice(0, 19)}+00:00`;
  const digits = String(unit).length - 1;
  return `${iso.slice(0, 19)}.${String(at % unit).padStart(digits, '0')}+00:00`;
}

export const dateFunctions: Record<string, (...args: Value[]) => Value> = {
  now_timestamp: (unit) => (BigInt(Date.now()) * unitOf(unit)) / 1_000n,
  now_rfc3339: (unit) => rfc3339((BigInt(Date.now()) * unitOf(unit)) / 1_000n, unitOf(unit)),
  unix_ts_to_rfc3339: (at, unit) => rfc3339(stamp(at), unitOf(unit)),
  rfc3339_to_unix_ts: (text, unit) => timeOf(text, unitOf(unit)),
};
