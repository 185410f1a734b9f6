/** A stream of numbers in [0, 1) that a seed and a name fix, so that each device has chance of its own and a run can be repeated. */
export function randomOf(seed: number, name = ''): () => number {
  // FNV-1a of the name, then mulberry32.
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  let state = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Waiting time until the next of something that happens at random, `mean` on average. */
export function exponential(random: () => number, mean: number): number {
  return -Math.log(1 - random()) * mean;
}

/** One stream of chance, asked in the ways that a schedule asks. */
export class Random {
  /** In [0, 1). */
  readonly next: () => number;

  constructor(seed: number, name = '') {
    this.next = randomOf(seed, name);
  }

  /** Whole, both ends included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(0, from.length - 1)]!;
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.int(0, 255);
  }
}
