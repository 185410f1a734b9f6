/**
 * A fleet for the gate's figure: nobody connects, devices are only what they restart, lose their connection and have as heap. Made to be
 * unfair to the gate: few devices make most of the trouble, some go bad by themselves, and bad hours strike the whole fleet.
 */
import type { Signal } from '#webhook/deployments/health/signals.ts';
import { exponential, randomOf } from '../primitives/random.ts';

const beforeHours = 7 * 24;
const restartsPerDay = 1 / 7;
const disconnectsPerDay = 1;
/** How much likelier trouble is in a bad hour, and how many hours are bad. */
const badHour = { times: 8, share: 0.02 };
/** Of devices, in a day: a fault of its hardware, which no image mends, brings so much more of both from then on. */
const fault = { perDay: 0.001, eventsPerDay: 3 };

export const gateSignals: Signal[] = [
  { kind: 'restarts', marginPercent: 10 },
  { kind: 'disconnects', marginPercent: 10 },
  { kind: 'heap', marginPercent: 10 },
];

export interface ModelledDevice {
  treated: boolean;
  before: number[];
  /** Each signal in this hour. */
  hour(times: number): number[];
}

/** Draws devices and hours; `restarts`: how many times as often devices with the image restart. */
export class GateFleet {
  readonly #random: () => number;
  readonly #restarts: number;

  constructor(seed: number, restarts: number) {
    this.#random = randomOf(seed, 'gate');
    this.#restarts = restarts;
  }

  /** How much likelier trouble is in the next hour, for all. */
  nextHour(): number {
    return this.#random() < badHour.share ? badHour.times : 1;
  }

  device(treated: boolean): ModelledDevice {
    const random = this.#random;
    // Few make most of the trouble: squares of a normal are a gamma of shape 1/2.
    const restarts = this.#happens((restartsPerDay / 24) * this.#normal() ** 2);
    const disconnects = this.#happens((disconnectsPerDay / 24) * exponential(random, 1));
    const heap = 120_000 + 20_000 * this.#normal();
    let faultInHours = exponential(random, 24 / fault.perDay);
    let drift = 0;
    const trouble = (times: number, worse: number): [number, number] => {
      faultInHours -= 1;
      const more = faultInHours < 0 ? fault.eventsPerDay / 24 : 0;
      return [restarts(times, worse, more), disconnects(times, 1, more)];
    };
    const sums = [0, 0];
    for (let i = 0; i < beforeHours; i++) {
      const [one, other] = trouble(1, 1);
      sums[0]! += one;
      sums[1]! += other;
    }
    const worse = treated ? this.#restarts : 1;
    const hour = (times: number) => {
      drift = 0.95 * drift + 2_000 * (random() - 0.5);
      return [...trouble(times, worse), heap + drift];
    };
    return { treated, before: [...sums.map((sum) => sum / beforeHours), heap + 700 * this.#normal()], hour };
  }

  /** 1 in an hour in which it happens: when what has been hazarded since the last time reaches what was drawn then. */
  #happens(perHour: number): (times: number, worse: number, more: number) => number {
    let left = exponential(this.#random, 1);
    return (times, worse, more) => {
      left -= times * (perHour * worse + more);
      if (left > 0) return 0;
      left = exponential(this.#random, 1);
      return 1;
    };
  }

  /** Box and Muller. */
  #normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
  }
}
