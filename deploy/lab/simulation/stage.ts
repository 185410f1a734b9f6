/** What all parts of a schedule share: time, chance, how far it is, and a place for what goes wrong. */
import type { Random } from '../primitives/random.ts';
import { nothingSeen } from './seen.ts';
import type { VirtualTime } from './virtual-time.ts';

export const simulationStart = Date.UTC(2026, 0, 1, 12);
export const hostileMs = 4 * 60_000;
/** After this operators end what is left, or earlier what has not moved for longer than any stage or gate may take. */
export const calmMs = 8 * 60_000;
export const quietMs = 150_000;
/** So much more must close everything. */
const closingMs = 6 * 60_000;
export const simulationEnd = simulationStart + hostileMs + calmMs + closingMs;
/** After this whoever asks a copy gives up: it has died. */
export const patienceMs = 20_000;
export const hardware = 'esp32-s3';
export const actor = 'operator';

export class Stage {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly seen = nothingSeen();
  /** Of devices in another than UTC. */
  readonly timeZones = new Map<string, string>();
  /** Seen in the middle of something; ends the schedule after it. */
  failure: unknown = null;
  readonly #trace: (line: string) => void;

  constructor(time: VirtualTime, random: Random, trace: (line: string) => void) {
    this.time = time;
    this.random = random;
    this.#trace = trace;
  }

  get isHostile(): boolean {
    return this.time.now - simulationStart < hostileMs;
  }

  /** Since everything works; less than 0 while it does not. */
  get calmForMs(): number {
    return this.time.now - simulationStart - hostileMs;
  }

  after(ms: number, work: () => unknown): void {
    this.time.after(ms, () => {
      Promise.resolve()
        .then(work)
        .catch((error: unknown) => this.fail(error));
    });
  }

  watch(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    this.failure ??= error;
  }

  log(text: string): void {
    this.#trace(`${((this.time.now - simulationStart) / 1000).toFixed(3).padStart(9)} ${text}`);
  }
}
