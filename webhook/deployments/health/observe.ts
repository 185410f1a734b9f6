/**
 * One window of a gate: devices come to be watched, what they did in it is added to what they did before, and each signal is judged. A few
 * statements over at most `watchedAtMost` devices of each side, whatever the fleet. The deployment's row must be locked.
 */
import { type SQL, sql } from 'drizzle-orm';
import { at } from '../../db/clock.ts';
import { type Db, query } from '../../db/query.ts';
import type { HealthPolicy } from '../policy.ts';
import type { Observed, Rollout } from '../rollout.ts';
import type { Observation } from './comparison.ts';
import { isHappening, type Signal, signalKey } from './signals.ts';
import { between, meanOf, type Period } from './values.ts';
import { type Judgement, judge } from './verdict.ts';
import { watchedAtMost } from './watched.ts';

const dayMs = 86_400_000;
/** Incidents are rare rows; measurements are many. */
const beforeMs = (signal: Signal) => (isHappening(signal) ? 7 * dayMs : dayMs);

/** The rollout's window that is due (`windowDueAt`). */
export async function observe(tx: Db, id: string, rollout: Rollout): Promise<Observed> {
  const { health: policy } = rollout.policy;
  const { until: fromMs, mixtures } = rollout.health!;
  const toMs = fromMs + policy!.windowMs;
  const judgements: Judgement[] = [];
  for (const signal of policy!.signals) {
    const gate = { id, signal, policy: policy!, controlWave: rollout.gates!.length - 1 };
    await add(tx, gate, between(fromMs, toMs));
    await watch(tx, gate, rollout.resolvedAt!);
    const found = judge(signal, policy!, await read(tx, gate), mixtures[signalKey(signal)] ?? null);
    if (found) judgements.push(found);
  }
  if (judgements.length) await keep(tx, id, toMs, judgements);
  return { until: toMs, judgements };
}

interface Gate {
  id: string;
  signal: Signal;
  policy: HealthPolicy;
  controlWave: number;
}

/**
 * From the next window on. A device that is updated is online then; so one of the control group must be to begin with, or it would be
 * another kind of device.
 */
async function watch(tx: Db, gate: Gate, resolvedAt: number): Promise<void> {
  const { id, signal, policy } = gate;
  const endMs = Math.floor(resolvedAt / policy.windowMs) * policy.windowMs;
  const beginMs = endMs - Math.max(policy.windowMs, beforeMs(signal));
  const registered: Period = { from: sql`greatest(${at(beginMs)}, d.created_at)`, to: at(endMs) };
  const isKnown = sql`d.created_at <= ${at(endMs - policy.windowMs)}`;
  const before = sql`case when ${isKnown} then ${meanOf(signal, sql`d`, registered, policy.windowMs)} end`;
  const side = (treated: boolean, where: SQL) => sql`(
    select ${id}::uuid, ${signalKey(signal)}, d.id, ${treated}::boolean, ${before}
    from (
      select t.device_id from targets t join devices v on v.id = t.device_id
      where t.deployment_id = ${id} and ${where} and not exists (
        select 1 from health_observations o
        where o.deployment_id = ${id} and o.signal = ${signalKey(signal)} and o.device_id = t.device_id)
      order by md5(t.device_id || ${policy.seed}) limit greatest(0, ${watchedAtMost} - (
        select count(*) from health_observations o
        where o.deployment_id = ${id} and o.signal = ${signalKey(signal)} and o.treated = ${treated}))) chosen
    join devices d on d.id = chosen.device_id)`;
  await tx.execute(sql`
    insert into health_observations (deployment_id, signal, device_id, treated, before)
    ${side(true, sql`t.wave >= 0 and t.wave < ${gate.controlWave} and t.state = 'succeeded'`)}
    union all ${side(false, sql`t.wave = ${gate.controlWave} and t.state = 'pending' and v.online`)}`);
}

/** What a device with the image does counts once, what one without does as often as there are such with it in the same window. */
async function add(tx: Db, { id, signal, policy }: Gate, window: Period): Promise<void> {
  await tx.execute(sql`
    with seen as (
      select o.device_id, o.treated, ${meanOf(signal, sql`d`, window, policy.windowMs)} as value
      from health_observations o join devices d on d.id = o.device_id
        join targets t on t.deployment_id = o.deployment_id and t.device_id = o.device_id
          and t.state = case when o.treated then 'succeeded' else 'pending' end
      where o.deployment_id = ${id} and o.signal = ${signalKey(signal)} and o.before is not null),
    weighed as (
      select device_id, value,
        case when treated then 1 else count(*) filter (where treated and value is not null) over () end as weight
      from seen)
    update health_observations o set sum = o.sum + w.weight * w.value, weight = o.weight + w.weight
    from weighed w
    where o.deployment_id = ${id} and o.signal = ${signalKey(signal)} and o.device_id = w.device_id and w.value is not null`);
}

async function read(tx: Db, { id, signal }: Gate): Promise<Observation[]> {
  return query<Observation & Record<string, unknown>>(
    tx,
    sql`select treated, before, sum, weight from health_observations
        where deployment_id = ${id} and signal = ${signalKey(signal)} and weight > 0`,
  );
}

async function keep(tx: Db, id: string, toMs: number, judgements: Judgement[]): Promise<void> {
  await tx.execute(sql`
    insert into health_judgements (deployment_id, signal, at, judgement)
    select ${id}::uuid, j->>'signal', ${at(toMs)}, j from jsonb_array_elements(${JSON.stringify(judgements)}::jsonb) j
    on conflict do nothing`);
}
