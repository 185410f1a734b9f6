/** Watches one virtual device: its chunk map, what was done to it, and how it came out of that. */
import type { Note, NoteCode, ShowDevice } from '#console/pages/show/wire.ts';
import type { VirtualDevice } from '#firmware/virtual/device.ts';
import { ChunkMap, cellCount } from './chunk-map.ts';

const notesKept = 5;
const nothing = '.'.repeat(cellCount);
const outcomes = {
  succeeded: 'updated',
  rolled_back: 'rolled_back',
  failed: 'failed',
  cancelled: 'cancelled',
} as const;

export class Tracker {
  readonly device: VirtualDevice;
  slow = false;
  #map: ChunkMap | null = null;
  #job = '';
  #outcome: ShowDevice['outcome'] = null;
  #version: string | null = null;
  #verified = false;
  #stats = { againBytes: 0, resumes: 0 };
  #slots: ShowDevice['slots'] = null;
  #notes: Note[] = [];
  #networkUntil = 0;
  #powerUntil = 0;
  /** Its download broke off, and no byte has come since. */
  #broke = false;
  #askedFrom = 0;
  readonly #changed: () => void;

  /** `changed` is called often; it must only take note. */
  constructor(device: VirtualDevice, changed: () => void) {
    this.device = device;
    this.#changed = changed;
    device.on('change', () => this.#look());
    device.on('asked', ({ from, to }) => {
      this.#look();
      this.#askedFrom = from;
      this.#map?.asked(from, to);
      changed();
    });
    device.on('result', (body) => this.#ended(body));
    this.#look();
  }

  cutNetwork(forMs: number): void {
    this.#networkUntil = Date.now() + forMs;
    this.#broke = this.#outcome === 'under_way';
    this.note({ code: 'network_cut' });
    this.device.cutNetwork(forMs);
    this.#after(forMs, () => this.#networkUntil, 'network_back');
  }

  pullPlug(forMs: number): void {
    this.#powerUntil = Date.now() + forMs;
    this.#broke = this.#outcome === 'under_way';
    this.note({ code: 'power_cut' });
    this.device.powerCut(forMs);
    this.#after(forMs, () => this.#powerUntil, 'power_back');
  }

  note(note: Omit<Note, 'at'>): void {
    this.#notes = [{ at: new Date().toISOString(), ...note }, ...this.#notes].slice(0, notesKept);
    this.#changed();
  }

  view(): ShowDevice {
    const { id, state, online } = this.device.snapshot();
    const now = Date.now();
    const reached = this.#isReached(state);
    return {
      id,
      state,
      online,
      networkCutUntil: now < this.#networkUntil ? this.#networkUntil : null,
      powerCutUntil: now < this.#powerUntil ? this.#powerUntil : null,
      slow: this.slow,
      version: this.#version,
      outcome: this.#outcome,
      cells: this.#map?.cells(reached && this.#outcome === 'under_way') ?? nothing,
      verified: this.#verified,
      totalBytes: this.#map?.size ?? 0,
      receivedBytes: this.#map?.receivedBytes ?? 0,
      ...this.#stats,
      slots: this.#slots,
      notes: this.#notes,
    };
  }

  #isReached(state: ShowDevice['state']): boolean {
    return Date.now() >= this.#networkUntil && state !== 'off' && state !== 'booting';
  }

  #look(): void {
    const seen = this.device.snapshot();
    this.#slots = seen.slots ?? this.#slots;
    // Without power nothing is known; what was on the disk is known again after the boot.
    if (seen.deployment && seen.state !== 'off' && seen.state !== 'booting') {
      const job = `${seen.deployment} ${seen.version}`;
      if (job !== this.#job) {
        this.#job = job;
        this.#map = new ChunkMap(seen.totalBytes);
        this.#stats = { againBytes: 0, resumes: 0 };
        this.#broke = false;
        this.#verified = false;
      }
      this.#outcome = 'under_way';
      this.#version = seen.version;
      if (['installing', 'rebooting', 'testing'].includes(seen.state)) this.#verified = true;
      const whole = this.#verified || seen.state === 'verifying';
      this.#map?.received(whole ? seen.totalBytes : seen.receivedBytes);
      if (this.#broke && seen.receivedBytes > this.#askedFrom && this.#isReached(seen.state)) {
        this.#broke = false;
        // A request that breaks before its first byte asks from the same place again.
        if (this.#askedFrom > 0) this.note({ code: 'resumed', bytes: this.#askedFrom });
      }
      if (seen.stats) this.#stats = { againBytes: seen.stats.redownloadedBytes, resumes: seen.stats.resumes };
    } else if (seen.state === 'idle' && this.#outcome === 'under_way') {
      // Unless a result follows, which then says how it ended.
      this.#outcome = 'cancelled';
    }
    this.#changed();
  }

  #ended(body: Record<string, unknown>): void {
    const outcome = outcomes[body.outcome as keyof typeof outcomes] ?? 'failed';
    this.#outcome = outcome;
    const running = body.running as { version?: string } | undefined;
    const error = (body.error as { code?: string } | undefined)?.code;
    this.note({
      code: outcome satisfies NoteCode,
      ...(running?.version && { version: running.version }),
      ...(error && { error }),
    });
  }

  #after(ms: number, until: () => number, code: NoteCode): void {
    const mine = until();
    const timer = setTimeout(() => {
      // Cut again meanwhile: that one ends later.
      if (until() === mine) this.note({ code });
    }, ms);
    timer.unref();
  }
}
