import { EventEmitter } from 'node:events';
import type { Running } from '#emqx/protocol.ts';
import type { CrashSummary } from './agent-port.ts';
import { realClock } from './clock.ts';
import { Disk } from './disk.ts';
import { HttpsClient } from './https-client.ts';
import { StoredCertificates } from './identity.ts';
import { Life, type Notice, verifyByOpenSsl } from './life.ts';
import { MqttBroker } from './mqtt-broker.ts';
import { SwitchedNetwork } from './network.ts';
import { type DeviceOptions, type Settings, type Surroundings, toSettings } from './options.ts';
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

/** Figures of one attempt. */
export interface Stats {
  downloadMs: number;
  resumes: number;
  receivedBytes: number;
  redownloadedBytes: number;
}

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

/** A device with a power switch: the power comes and goes, the storage stays. */
export class VirtualDevice extends EventEmitter<DeviceEvents> {
  readonly id: string;
  readonly #settings: Settings;
  readonly #network: SwitchedNetwork;
  readonly #around: Surroundings;
  #life: Life | null = null;
  #state: 'off' | 'booting' | 'on' = 'off';
  #cancelStart: () => void = () => {};
  /** Of the last result that was told: results are published again until they are acked. */
  #toldResult: unknown;
  #closed = false;

  constructor(settings: Settings) {
    super();
    const { id, dir, fsync, mqttUrl, trust, timing, surroundings } = settings;
    this.id = id;
    this.#settings = settings;
    this.#network = new SwitchedNetwork(settings.network);
    const network = this.#network;
    this.#around = {
      clock: surroundings.clock ?? realClock,
      medium: surroundings.medium ?? new Disk(dir, fsync),
      broker:
        surroundings.broker ??
        new MqttBroker(network, { id, url: mqttUrl, trust, keepaliveMs: timing.keepaliveMs }),
      http: surroundings.http ?? new HttpsClient(network, trust),
      certificates: surroundings.certificates ?? ((flash) => new StoredCertificates(flash, id, dir)),
      verify: surroundings.verify ?? verifyByOpenSsl,
    };
    this.#powerOn('power_on');
  }

  /** Connected to the broker and subscribed. */
  get online(): boolean {
    return this.#state === 'on' && this.#life !== null && this.#life.online;
  }

  snapshot(): Snapshot {
    const life = this.#life;
    const agent = this.#state === 'on' ? life?.look() : null;
    const busy = agent?.version != null;
    const running = agent && life?.slots?.running;
    const certificate = life?.certificates.validity;
    return {
      id: this.id,
      state: this.#state === 'on' ? this.#doing() : this.#state,
      online: this.online,
      deployment: busy ? agent.deployment : null,
      version: agent?.version ?? null,
      attempt: busy ? agent.attempt : null,
      receivedBytes: agent?.receivedBytes ?? 0,
      totalBytes: agent?.totalBytes ?? 0,
      chunkBytes: agent?.chunkBytes ?? 0,
      stats: busy ? agent.stats : null,
      running: running
        ? {
            component: this.#settings.component,
            version: running.version,
            securityVersion: running.securityVersion,
            sha256: running.sha256,
          }
        : null,
      slots: life?.slots?.view ?? null,
      bootCount: agent?.bootCount ?? 0,
      outboxMessages: agent?.outboxMessages ?? 0,
      certificate: certificate ? { serial: certificate.serial, notAfter: certificate.notAfter } : null,
    };
  }

  /** Takes the power away, in the middle of whatever happens, and gives it back after `offMs`. */
  powerCut(offMs = this.#settings.timing.rebootMs): void {
    if (this.#closed) return;
    this.#life?.kill();
    this.#network.dropAll();
    this.#startAfter(offMs, 'power_on');
  }

  /** The program crashes and leaves this summary, by default one of its own; it starts again by itself. */
  crash(summary: Partial<CrashSummary> = {}): void {
    if (this.#state === 'on') this.#life?.crash(summary);
  }

  /** Breaks every connection and refuses new ones for so long. */
  cutNetwork(forMs: number): void {
    this.#network.cut(forMs);
  }

  /** An orderly end: no timers, no sockets; the storage stays for another start. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelStart();
    const life = this.#life;
    this.#life = null;
    this.#state = 'off';
    await new Promise<void>((resolve) => (life ? life.end(resolve) : resolve()));
    this.#network.close();
    this.emit('change');
  }

  #doing(): DeviceState {
    const life = this.#life!;
    return life.onTrial ? 'testing' : life.stage;
  }

  #powerOn(reason: 'power_on' | 'watchdog'): void {
    const mine = () => this.#life === life;
    const life: Life = new Life(this.#settings, this.#around, {
      reboot: () => mine() && this.#reboot(life),
      fault: (error) => mine() && this.#fault(life, error),
      crashed: () => mine() && this.#reset(life),
      changed: () => mine() && this.emit('change'),
      notice: (event, detail) => mine() && this.#notice(event, detail),
    });
    this.#life = life;
    this.#state = 'booting';
    this.#cancelStart = this.#around.clock.after(0, () => {
      this.#state = 'on';
      if (!life.start(reason) && mine()) this.#cannotBoot('its storage cannot be read or written');
    });
  }

  #notice(event: Notice, detail: unknown): void {
    if (event === 'result') {
      const { id } = detail as { id: unknown };
      if (id === this.#toldResult) return;
      this.#toldResult = id;
    }
    (this.emit as (name: string, detail?: unknown) => boolean)(event, detail);
  }

  #reboot(life: Life): void {
    let ended = false;
    let whenEnded = () => {};
    life.end(() => {
      ended = true;
      whenEnded();
    });
    this.#startAfter(this.#settings.timing.rebootMs, 'power_on', (start) => {
      if (ended) start();
      else whenEnded = start;
    });
  }

  #fault(life: Life, error: unknown): void {
    this.#settings.log('error', 'unexpected fault, restarting', {
      device: this.id,
      error: String((error as Error)?.stack ?? error),
    });
    this.#reset(life);
  }

  #reset(life: Life): void {
    life.kill();
    this.#startAfter(this.#settings.timing.rebootMs, 'watchdog');
  }

  #startAfter(
    delayMs: number,
    reason: 'power_on' | 'watchdog',
    wait: (start: () => void) => void = (start) => start(),
  ): void {
    this.#life = null;
    this.#state = 'off';
    this.#cancelStart();
    let wanted = true;
    const cancel = this.#around.clock.after(delayMs, () => {
      wait(() => {
        if (wanted && !this.#closed) this.#tryPowerOn(reason);
      });
    });
    this.#cancelStart = () => {
      wanted = false;
      cancel();
    };
    this.emit('change');
  }

  #tryPowerOn(reason: 'power_on' | 'watchdog'): void {
    try {
      this.#powerOn(reason);
    } catch (error) {
      this.#cannotBoot(String(error));
    }
  }

  /** The storage may be away for a while; a device has nothing better to do than to try again. */
  #cannotBoot(error: string): void {
    this.#settings.log('error', 'cannot boot', { device: this.id, error });
    this.#life?.kill();
    this.#startAfter(Math.max(1000, this.#settings.timing.rebootMs), 'power_on');
  }
}
