/** Before anything is sent: whether a gate can ever judge, and from how many devices and hours on it will find what it is for. */
import { type SQL, sql } from 'drizzle-orm';
import { at, readClock } from '../../db/clock.ts';
import { type Db, query } from '../../db/query.ts';
import { AppError } from '../../errors.ts';
import type { HealthPolicy } from '../policy.ts';
import { halfWidth, tuneMixture } from './sequence.ts';
import { isHappening, type Signal, signalKey } from './signals.ts';
import { between, meanOf } from './values.ts';
import { falseHalts } from './verdict.ts';

const dayMs = 86_400_000;
/** So many of the chosen devices, by lot, are asked what they were like yesterday and the day before. */
const asked = 200;
/** Standard deviations beyond the boundary: found with 95 %. */
const powerZ = 1.645;
/** What is to be found: twice as many restarts, or as much beyond the margin of what is measured. */
const twice = 1;

export interface Need {
  signal: string;
  /** What it is on these devices now; null when nothing is known. */
  level: number | null;
  /** With the devices of the first wave that is large enough; null: never, or it cannot be told. */
  hours: number | null;
  /** Within the least time that a wave is watched; null as above. */
  devices: number | null;
}

/** `chosen`: their ids. Throws when the gate could not work: control_too_large, too_few_devices, signal_unreported. */
export async function foreseeNeeds(
  db: Db,
  policy: HealthPolicy,
  chosen: SQL,
  sizes: { total: number; control: number; treated: number },
): Promise<Need[]> {
  ensureLargeEnough(policy, sizes);
  const now = await readClock(db);
  const needs: Need[] = [];
  for (const signal of policy.signals) {
    const sample = await sampleOf(db, policy, signal, chosen, now);
    if (!isHappening(signal) && sample.every((s) => s.yesterday === null)) {
      throw new AppError(
        'signal_unreported',
        `${signalKey(signal)}: reported within a day by none of ${sample.length} of the devices.`,
      );
    }
    needs.push({ signal: signalKey(signal), ...foresee(policy, signal, sample, sizes) });
  }
  return needs;
}

function ensureLargeEnough(
  { control: wanted, minDevices }: HealthPolicy,
  { total, control }: { total: number; control: number },
): void {
  if ('count' in wanted && wanted.count >= total) {
    throw new AppError(
      'control_too_large',
      `A control group of ${wanted.count} devices does not fit into ${total}: one at least must be left to get the image.`,
    );
  }
  if (control < minDevices || total - control < minDevices) {
    throw new AppError(
      'too_few_devices',
      `${total} devices are ${control} in the control group and ${total - control} others: each side needs ${minDevices}.`,
    );
  }
}

interface Sampled extends Record<string, unknown> {
  yesterday: number | null;
  before: number | null;
}

function sampleOf(
  db: Db,
  policy: HealthPolicy,
  signal: Signal,
  chosen: SQL,
  now: number,
): Promise<Sampled[]> {
  const mean = (fromMs: number, toMs: number) =>
    sql`case when d.created_at <= ${at(fromMs)} then ${meanOf(signal, sql`d`, between(fromMs, toMs), policy.windowMs)} end`;
  const measured = meanOf(signal, sql`d`, between(now - dayMs, now), policy.windowMs);
  return query<Sampled>(
    db,
    sql`select ${isHappening(signal) ? mean(now - dayMs, now) : measured} as yesterday, ${mean(now - 2 * dayMs, now - dayMs)} as before
        from (select id from (${chosen}) c order by md5(id || ${policy.seed}::text) limit ${asked}) s join devices d on d.id = s.id`,
  );
}

/**
 * A boundary that is tightest at the variance V lies k √V from 0, and is passed with 95 % from 1.645 √V beyond it. The variance of a
 * device's change goes with the time watched, and has that of the week before in it.
 */
export function foresee(
  policy: HealthPolicy,
  signal: Signal,
  sample: { yesterday: number | null; before: number | null }[],
  { control, treated }: { control: number; treated: number },
): Omit<Need, 'signal'> {
  const known = sample.flatMap((s) => s.yesterday ?? []);
  const level = known.length ? mean(known) : null;
  const changes = sample.flatMap(({ yesterday, before }) =>
    yesterday === null || before === null ? [] : [yesterday - before],
  );
  if (level === null || changes.length < 2) return { level, hours: null, devices: null };
  const margin = (signal.marginPercent / 100) * Math.abs(level);
  const effect = isHappening(signal) ? twice * level - margin : margin * twice;
  const alpha = falseHalts / policy.signals.length;
  const wanted = (effect / (halfWidth(1, tuneMixture(1, alpha), alpha) + powerZ)) ** 2;
  const changed = mean(changes);
  const perDay = mean(changes.map((c) => (c - changed) ** 2)) / 2;
  if (perDay === 0 || effect <= 0) return { level, hours: null, devices: null };
  const weekBefore = 1 / (isHappening(signal) ? 7 : 1);
  const days = 1 / (wanted / (perDay * (1 / treated + 1 / control)) - weekBefore);
  const devices = 1 / (wanted / (perDay * (dayMs / policy.minObservedMs + weekBefore)) - 1 / control);
  const orNever = (n: number) => (n > 0 && Number.isFinite(n) ? n : null);
  return {
    level,
    hours: orNever(Math.ceil(days * 24)),
    devices: orNever(Math.max(policy.minDevices, Math.ceil(devices))),
  };
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
