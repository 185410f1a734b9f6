import { describe, expect, it } from 'vitest';
import { planLosses } from '#firmware/virtual/shaping.ts';
import { randomOf } from '../primitives/random.ts';
import { toExperiment } from './options.ts';
import { planDevices, planDisconnects } from './plan.ts';

const ids = Array.from({ length: 200 }, (_, i) => `device-${i}`);
const text = { 'power-cuts': '10%', 'bad-images': '3%', nights: '5s/60s' };

function take<T>(from: Generator<T>, count: number): T[] {
  return Array.from({ length: count }, () => from.next().value as T);
}

describe('what happens to a device', () => {
  it('is the same for the same seed, and not for another', () => {
    const plan = (seed: string) => planDevices(ids, toExperiment({ ...text, seed }));
    expect(plan('7')).toEqual(plan('7'));
    expect(plan('7')).not.toEqual(plan('8'));
    const disconnects = (seed: number, id: string) => take(planDisconnects(seed, id, 2), 50);
    expect(disconnects(7, 'a')).toEqual(disconnects(7, 'a'));
    expect(disconnects(7, 'a')).not.toEqual(disconnects(7, 'b'));
    const losses = (seed: number) => take(planLosses(0.05, 20, randomOf(seed, 'a')), 50);
    expect(losses(7)).toEqual(losses(7));
    expect(losses(7)).not.toEqual(losses(8));
  });

  it('meets the shares that were asked for exactly, and never cuts the power of a device with a bad image', () => {
    const plans = [...planDevices(ids, toExperiment({ ...text, seed: '3' })).values()];
    expect(plans.filter(({ badImage }) => badImage)).toHaveLength(6);
    expect(plans.filter(({ powerCut }) => powerCut)).toHaveLength(19);
    expect(plans.filter(({ badImage, powerCut }) => badImage && powerCut)).toHaveLength(0);
  });

  it('happens as often as was asked for', () => {
    const gaps = take(planDisconnects(1, 'a', 2), 4000);
    const mean = gaps.reduce((sum, { afterMs }) => sum + afterMs, 0) / gaps.length;
    expect(mean).toBeGreaterThan(28_000);
    expect(mean).toBeLessThan(32_000);
    const losses = take(planLosses(0.05, 20, randomOf(1, 'a')), 8000);
    const packets = losses.reduce((sum, { afterBytes }) => sum + afterBytes, 0) / 1448 / losses.length;
    expect(packets).toBeGreaterThan(18);
    expect(packets).toBeLessThan(22);
    const resets = losses.filter(({ stallMs }) => stallMs === null).length / losses.length;
    expect(resets).toBeGreaterThan(0.014);
    expect(resets).toBeLessThan(0.026);
  });
});
