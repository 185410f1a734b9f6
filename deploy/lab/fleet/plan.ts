/** What will happen to a device, before it happens: all of it follows from the seed and the device's name. */

import { exponential, randomOf } from '../primitives/random.ts';
import type { ExperimentOptions } from './options.ts';

export interface DevicePlan {
  /** Gets the image whose self-test fails. */
  badImage: boolean;
  /** Loses its power when so much of the image (0 to 1) has arrived. */
  powerCut: { atShare: number; offMs: number } | null;
  /** Without network from `firstMs` after the start for `lastsMs`, and again every `everyMs`. */
  night: { firstMs: number; lastsMs: number; everyMs: number } | null;
}

export interface Disconnect {
  /** Since the last one. */
  afterMs: number;
  forMs: number;
}

type PlanOptions = Pick<ExperimentOptions, 'seed' | 'bad-images' | 'power-cuts' | 'nights' | 'disconnects'>;

/** Shares of the fleet are met exactly, by a shuffle, and not only on average. */
export function planDevices(ids: string[], options: PlanOptions): Map<string, DevicePlan> {
  const bad = pickShare(ids, options['bad-images'], randomOf(options.seed, 'bad images'));
  const cut = pickShare(
    ids.filter((id) => !bad.has(id)),
    options['power-cuts'],
    randomOf(options.seed, 'power cuts'),
  );
  return new Map(
    ids.map((id) => {
      const random = randomOf(options.seed, `plan ${id}`);
      const powerCut = { atShare: 0.1 + 0.8 * random(), offMs: Math.round(500 + 2500 * random()) };
      const { nights } = options;
      return [
        id,
        {
          badImage: bad.has(id),
          powerCut: cut.has(id) ? powerCut : null,
          night: nights && { ...nights, firstMs: Math.round(random() * (nights.everyMs - nights.lastsMs)) },
        },
      ];
    }),
  );
}

/** Endless. Gaps are exponential; a disconnect lasts a fifth of a second to three seconds. */
export function* planDisconnects(seed: number, id: string, perMinute: number): Generator<Disconnect> {
  if (perMinute <= 0) return;
  const random = randomOf(seed, `disconnects ${id}`);
  for (;;)
    yield {
      afterMs: Math.round(exponential(random, 60_000 / perMinute)),
      forMs: Math.round(200 + 2800 * random()),
    };
}

function pickShare(ids: string[], share: number, random: () => number): Set<string> {
  const pool = [...ids];
  const count = share === 0 ? 0 : Math.max(1, Math.round(ids.length * share));
  const picked = new Set<string>();
  for (let i = 0; i < count && i < pool.length; i++) {
    const at = i + Math.floor(random() * (pool.length - i));
    [pool[i], pool[at]] = [pool[at]!, pool[i]!];
    picked.add(pool[i]!);
  }
  return picked;
}
