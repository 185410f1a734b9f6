import { type Stats, startDevice, type VirtualDevice } from '#firmware/virtual/device.ts';
import { type DeviceOptions, defaultLimits, type Limits, type Timing } from '#firmware/virtual/options.ts';
import { ShapedNetwork } from '#firmware/virtual/shaping.ts';
import { randomOf } from '../primitives/random.ts';
import { crewMedium } from './crew-medium.ts';
import type { Crew, DeviceReport } from './messages.ts';
import type { ExperimentOptions } from './options.ts';
import { type DevicePlan, planDisconnects } from './plan.ts';

/** All devices together; more of them speak less often, so that what is measured is not how fast progress and telemetry are stored. */
const progressPerSecond = 200;
const telemetryPerSecond = 10;
const spaced = (leastMs: number, devices: number, perSecond: number) =>
  Math.max(leastMs, (devices * 1_000) / perSecond);

/** A fleet in a hurry, but not so much that its back-off means nothing. */
const timing: Partial<Timing> = {
  reconnectMaxMs: 10_000,
  resendMinMs: 5_000,
  resendMaxMs: 30_000,
  retryMinMs: 200,
  retryMaxMs: 5_000,
  stallMs: 15_000,
  renewCheckMs: 2_000,
  renewRetryMs: 10_000,
};

const noStats = (): Stats => ({ downloadMs: 0, resumes: 0, receivedBytes: 0, redownloadedBytes: 0 });

/** A virtual device, what is done to it, and what it has to show for it. */
export class WatchedDevice {
  readonly device: VirtualDevice;
  readonly #name: string;
  readonly #plan: DevicePlan;
  readonly #experiment: ExperimentOptions;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #done = noStats();
  #attempt = '';
  #current: Stats | null = null;
  #powerCut: DevicePlan['powerCut'] = null;
  #outcomes: string[] = [];
  #interruptions = 0;
  #renewals = 0;
  #messages = 0;
  #progressMessages = 0;
  #endedAt: number | null = null;
  #measures: boolean;

  constructor(crew: Crew, index: number, ended: (id: string) => void) {
    const { id, name, dir, plan } = crew.devices[index]!;
    this.#name = name;
    this.#plan = plan;
    this.#experiment = crew.experiment;
    this.#powerCut = plan.powerCut;
    this.#measures = crew.experiment.patches === null;
    this.device = startDevice({
      ...sharedOptions(crew),
      id,
      dir,
      random: randomOf(crew.experiment.seed, `device ${name}`),
      network: networkOf(crew.experiment, name),
      surroundings: { medium: crewMedium(dir) },
      onPublish: (topic) => {
        this.#messages++;
        if (topic === 'firmware/download/progress') this.#progressMessages++;
      },
    });
    this.device.on('change', () => this.#look());
    this.device.on('renewed', () => this.#renewals++);
    this.device.on('result', (body) => {
      if (!this.#measures) return;
      this.#outcomes.push(String(body.outcome));
      this.#current = (body.stats as Stats | undefined) ?? this.#current;
      this.#endedAt = Date.now();
      ended(id);
    });
  }

  /** What came before is not counted: the release that it ran first. */
  measure(): void {
    Object.assign(this.#done, noStats());
    this.#current = null;
    this.#outcomes = [];
    this.#interruptions = this.#messages = this.#progressMessages = 0;
    this.#measures = true;
  }

  /** Disconnects, nights and power cuts begin. */
  disturb(): void {
    const { seed, disconnects } = this.#experiment;
    const plan = planDisconnects(seed, this.#name, disconnects);
    const next = () => {
      const { value } = plan.next();
      if (!value) return;
      this.#after(value.afterMs, () => {
        this.#breakNetwork(value.forMs);
        next();
      });
    };
    next();
    const { night } = this.#plan;
    if (!night) return;
    const fall = () => {
      this.#breakNetwork(night.lastsMs);
      this.#after(night.everyMs, fall);
    };
    this.#after(night.firstMs, fall);
  }

  cutPower(offMs: number): void {
    if (this.#isDownloading()) this.#interruptions++;
    this.device.powerCut(offMs);
  }

  get receivedBytes(): number {
    return this.#done.receivedBytes + (this.#current?.receivedBytes ?? 0);
  }

  /** What it has to show; nothing more is done to it after this. */
  report(): DeviceReport {
    for (const timer of this.#timers) clearTimeout(timer);
    const { id, online, running, bootCount } = this.device.snapshot();
    this.#settle();
    return {
      id,
      online,
      running,
      bootCount,
      stats: this.#done,
      outcomes: this.#outcomes,
      interruptions: Math.max(this.#interruptions, this.#done.resumes),
      renewals: this.#renewals,
      messages: this.#messages,
      progressMessages: this.#progressMessages,
      endedAt: this.#endedAt,
    };
  }

  #look(): void {
    const { deployment, attempt, stats, receivedBytes, totalBytes } = this.device.snapshot();
    if (!deployment || !stats) return;
    const key = `${deployment}/${attempt}`;
    if (key !== this.#attempt) {
      this.#settle();
      this.#attempt = key;
    }
    this.#current = stats;
    if (
      this.#measures &&
      this.#powerCut &&
      totalBytes > 0 &&
      receivedBytes >= this.#powerCut.atShare * totalBytes
    ) {
      const { offMs } = this.#powerCut;
      this.#powerCut = null;
      // Not from within the write that brought the bytes.
      this.#after(0, () => this.cutPower(offMs));
    }
  }

  #settle(): void {
    if (!this.#current) return;
    for (const name of Object.keys(this.#done) as (keyof Stats)[]) this.#done[name] += this.#current[name];
    this.#current = null;
  }

  #isDownloading(): boolean {
    const { receivedBytes, totalBytes } = this.device.snapshot();
    return receivedBytes > 0 && receivedBytes < totalBytes;
  }

  #breakNetwork(forMs: number): void {
    if (this.#isDownloading()) this.#interruptions++;
    this.device.cutNetwork(forMs);
  }

  #after(delayMs: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delayMs);
    this.#timers.add(timer);
  }
}

function sharedOptions(crew: Crew): Omit<DeviceOptions, 'id' | 'dir'> {
  const { chunk, resume, image, patches } = crew.experiment;
  const limits: Partial<Limits> =
    chunk === 'adaptive'
      ? {}
      : { chunkFloorBytes: chunk, chunkStartBytes: chunk, chunkCeilingBytes: Math.max(chunk, 1024) };
  return {
    hardware: crew.hardware,
    mqttUrl: crew.mqttUrl,
    trust: crew.trust,
    signingKeys: crew.signingKeys,
    fsync: false,
    resume,
    patches: patches === true,
    timing: {
      ...timing,
      progressMs: spaced(1_000, crew.experiment.devices, progressPerSecond),
      telemetryMs: spaced(60_000, crew.experiment.devices, telemetryPerSecond),
    },
    limits: { ...limits, slotBytes: Math.max(image, defaultLimits.slotBytes) },
  };
}

function networkOf(experiment: ExperimentOptions, device: string): ShapedNetwork | undefined {
  const { latency, jitter, bandwidth, loss, seed } = experiment;
  if (latency === 0 && jitter === 0 && bandwidth === null && loss === 0) return undefined;
  return new ShapedNetwork(
    { latencyMs: latency, jitterMs: jitter, bytesPerSecond: bandwidth, loss },
    (name) => randomOf(seed, `${device} ${name}`),
  );
}
