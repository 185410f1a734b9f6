import { EventEmitter } from 'node:events';
import type { Running } from '#emqx/protocol.ts';
import { Agent } from './agent.ts';
import type { Stats } from './machine.ts';
import { SwitchedNetwork } from './network.ts';
import { type DeviceOptions, type Settings, toSettings } from './options.ts';
import type { SlotView } from './slots.ts';

export { DeviceFault, type DeviceOptions } from './options.ts';

export type DeviceState =
  | 'off'
  | 'booting'
  | 'testing'
  | 'idle'
  | 'accepted'
  | 'downloading'
  | 'verifying'
  | 'installing'
  | 'rebooting';

export interface Snapshot {
  id: string;
  state: DeviceState;
  /** Connected to the broker and subscribed. */
  online: boolean;
  deployment: string | null;
  /** Of the image that it is being given. */
  version: string | null;
  attempt: number | null;
  receivedBytes: number;
  totalBytes: number;
  chunkBytes: number;
  stats: Stats | null;
  /** Null until the first boot has measured its slot. */
  running: Running | null;
  slots: SlotView | null;
  bootCount: number;
  /** Critical messages that nobody has acked yet. */
  outboxMessages: number;
  certificate: { serial: string; notAfter: number } | null;
}

export interface DeviceEvents {
  change: [];
  online: [];
  offline: [why: string];
  boot: [{ count: number; reason: string }];
  /** A GET for these bytes of the image goes out; `to` is the one after the last. */
  asked: [{ from: number; to: number }];
  result: [Record<string, unknown>];
  renewed: [];
  identify: [];
}

/**
 * Starts a virtual device that has been enrolled. It is booting when this returns; watch it with `on` and `snapshot`.
 * Throws DeviceFault: options_invalid, not_enrolled.
 */
export function startDevice(options: DeviceOptions): VirtualDevice {
  return new VirtualDevice(toSettings(options));
}

/** A device with a power switch: the power comes and goes, the disk stays. */
export class VirtualDevice extends EventEmitter<DeviceEvents> {
  readonly id: string;
  readonly #settings: Settings;
  readonly #network: SwitchedNetwork;
  #agent: Agent | null = null;
  #state: 'off' | 'booting' | 'on' = 'off';
  #restart: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(settings: Settings) {
    super();
    this.id = settings.id;
    this.#settings = settings;
    this.#network = new SwitchedNetwork(settings.network);
    this.#powerOn();
  }

  /** Connected to the broker and subscribed. */
  get online(): boolean {
    return this.#agent?.session.online ?? false;
  }

  snapshot(): Snapshot {
    const agent = this.#agent;
    const job = agent?.journal.state.job ?? null;
    const run = job ? agent?.run : null;
    const boot = agent?.boot ?? null;
    return {
      id: this.id,
      state: this.#state === 'on' ? (agent?.onTrial ? 'testing' : (job?.stage ?? 'idle')) : this.#state,
      online: this.online,
      deployment: job?.deployment ?? null,
      version: job?.manifest.version ?? null,
      attempt: job?.attempt ?? null,
      receivedBytes: job
        ? (run?.position.receivedBytes ?? agent?.journal.state.staged?.receivedBytes ?? 0)
        : 0,
      totalBytes: job?.manifest.size ?? 0,
      chunkBytes: run?.position.chunkBytes ?? job?.chunkBytes ?? 0,
      stats: job ? { ...(run?.position.stats ?? job.stats) } : null,
      running: boot?.running ?? null,
      slots: agent?.slotView ?? null,
      bootCount: boot?.count ?? 0,
      outboxMessages: agent?.journal.outbox.length ?? 0,
      certificate: agent?.certificate ?? null,
    };
  }

  /** Takes the power away, in the middle of whatever happens, and gives it back after `offMs`. */
  powerCut(offMs = this.#settings.timing.rebootMs): void {
    if (this.#closed) return;
    this.#agent?.kill();
    this.#network.dropAll();
    this.#startAfter(offMs);
  }

  /** Breaks every connection and refuses new ones for so long. */
  cutNetwork(forMs: number): void {
    this.#network.cut(forMs);
  }

  /** An orderly end: no timers, no sockets; the disk stays for another start. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#restart);
    await this.#agent?.end();
    this.#agent = null;
    this.#state = 'off';
    this.#network.close();
    this.emit('change');
  }

  #powerOn(): void {
    this.#state = 'booting';
    const agent: Agent = new Agent(this.#settings, this.#network, {
      reboot: () => this.#reboot(agent),
      changed: () => {
        if (this.#agent === agent) this.emit('change');
      },
      notice: (event, detail) => {
        if (this.#agent === agent) (this.emit as (name: string, detail?: unknown) => boolean)(event, detail);
      },
    });
    this.#agent = agent;
    agent.spawn(
      Promise.resolve()
        .then(() => agent.start())
        .then(() => {
          if (this.#agent !== agent) return;
          this.#state = 'on';
          this.emit('change');
        }),
    );
  }

  #reboot(agent: Agent): void {
    if (this.#agent !== agent || this.#closed) return;
    this.#startAfter(this.#settings.timing.rebootMs, agent.end());
  }

  #startAfter(delayMs: number, ended: Promise<void> = Promise.resolve()): void {
    this.#agent = null;
    this.#state = 'off';
    clearTimeout(this.#restart);
    this.emit('change');
    this.#restart = setTimeout(() => {
      void ended.then(() => {
        if (this.#closed || this.#agent) return;
        this.#tryPowerOn();
      });
    }, delayMs);
  }

  #tryPowerOn(): void {
    try {
      this.#powerOn();
    } catch (error) {
      // The disk may be away for a while; a device has nothing better to do than to try again.
      this.#settings.log('error', 'cannot boot', { device: this.id, error: String(error) });
      this.#startAfter(Math.max(1000, this.#settings.timing.rebootMs));
    }
  }
}
