/** The shipped agent in virtual time: its storage in memory, its power cut at any write, and no socket. */
import type { JSONWebKeySet } from 'jose';
import { type Snapshot, startDevice, type VirtualDevice } from '#firmware/virtual/device.ts';
import { Memory } from '#firmware/virtual/memory.ts';
import type { Consent } from '#firmware/virtual/options.ts';
import type { Broker, Certificates, Http } from '#firmware/virtual/port.ts';
import type { Random } from '../primitives/random.ts';
import type { Ran } from './promises/committed.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface DeviceParts {
  id: string;
  hardware: string;
  time: VirtualTime;
  /** Its own, so that what it draws depends on nobody else. */
  random: Random;
  broker: Broker;
  http: Http;
  signingKeys: JSONWebKeySet;
  /** What its application says to each step. */
  consent: () => Consent;
  /** Asked at every write: for how long the power is gone from the middle of this one on, or null. */
  powerCutAtWrite: () => number | null;
  /** What it runs for good is another now. */
  onConfirmed: () => void;
  log: (text: string) => void;
}

/** Fewer messages than a real one, and no longer waits than a schedule has time for. */
const timing = {
  reconnectMaxMs: 10_000,
  resendMaxMs: 60_000,
  retryMaxMs: 10_000,
  urlRefreshMaxMs: 30_000,
  progressMs: 5_000,
  telemetryMs: 600_000,
  selfTestMs: 60_000,
  rebootMs: 2_000,
  askAgainMs: 20_000,
};
const limits = { chunkStartBytes: 32 * 1024, chunkCeilingBytes: 64 * 1024, slotBytes: 256 * 1024 };

export class SimulatedDevice {
  /** All that it has ever confirmed, one after the other. */
  readonly ran: Ran[] = [];
  powerCuts = 0;
  readonly #parts: DeviceParts;
  readonly #medium = new Memory();
  #device: VirtualDevice | null = null;
  #booted: { count: number; slot: string } | null = null;

  constructor(parts: DeviceParts) {
    this.#parts = parts;
  }

  powerOn(): void {
    const { id, hardware, time, random, broker, http, signingKeys, consent, powerCutAtWrite, log } =
      this.#parts;
    const device = startDevice({
      id,
      hardware,
      signingKeys,
      timing,
      limits,
      dir: 'memory',
      mqttUrl: 'mqtts://broker.test',
      trust: '-----BEGIN CERTIFICATE-----',
      random: () => random.next(),
      mayInstall: consent,
      mayReboot: consent,
      log: (level, message, fields) =>
        (level === 'error' || level === 'warn') && log(`${level}: ${message} ${fields?.error ?? ''}`),
      onDiskWrite: (what) => {
        const offMs = powerCutAtWrite();
        if (offMs === null) return;
        log(`power cut at ${what}`);
        this.powerCuts++;
        device.powerCut(offMs);
      },
      surroundings: {
        clock: {
          now: () => time.now,
          unixMs: () => time.now,
          after: (delayMs, task) => {
            const timer = setTimeout(task, delayMs);
            return () => clearTimeout(timer);
          },
        },
        medium: this.#medium,
        broker,
        http,
        certificates: () => unchanging,
      },
    });
    this.#device = device;
    device.on('boot', ({ count, reason }) =>
      log(`boot ${count} (${reason}) of ${this.running?.slice(0, 8)}`),
    );
    device.on('change', () => this.#note(device.snapshot()));
  }

  /** An image on trial is none yet, nor is one that has failed: what runs is not what will be booted, whichever way. */
  #note({ running, slots, bootCount }: Snapshot): void {
    if (!running) this.#booted = null;
    else if (this.#booted?.count !== bootCount) this.#booted = { count: bootCount, slot: slots!.active };
    if (!running || slots!.confirmed !== this.#booted!.slot) return;
    if (this.ran.at(-1)?.sha256 === running.sha256) return;
    this.ran.push({ sha256: running.sha256, at: this.#parts.time.now });
    this.#parts.onConfirmed();
  }

  /** What it is at, or null. */
  get deployment(): string | null {
    return this.#device?.snapshot().deployment ?? null;
  }

  /** Null before it has booted. */
  get running(): string | null {
    return this.#device?.snapshot().running?.sha256 ?? null;
  }

  get isOnline(): boolean {
    return this.#device?.online ?? false;
  }

  /** Nothing is under way, and all that it had to say was acknowledged. */
  get isSettled(): boolean {
    if (!this.#device) return true;
    const { state, outboxMessages, online } = this.#device.snapshot();
    return state === 'idle' && online && outboxMessages === 0;
  }

  /** For whoever asks why it has not settled. */
  get doing(): string {
    if (!this.#device) return 'off';
    const { state, deployment, outboxMessages, online } = this.#device.snapshot();
    const at = deployment ? ` at ${deployment}` : '';
    return `${state}${at}, ${outboxMessages} messages to send, ${online ? 'online' : 'offline'}`;
  }

  async close(): Promise<void> {
    await this.#device?.close();
  }
}

/** Certificates are no part of the simulation. */
const unchanging: Certificates = {
  validity: { serial: '0A', notBefore: 0, notAfter: Date.UTC(2100, 0, 1) },
  renewal: 'none',
  pair: () => ({ key: '', certificate: '', chain: '' }),
  request: () => '',
  store: () => 'no renewals here',
  promote() {},
  drop() {},
};
