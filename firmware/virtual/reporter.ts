import type { Running } from '#emqx/protocol.ts';
import type { Job } from './machine.ts';
import type { LogLevel, Settings } from './options.ts';
import { randomId } from './outbox.ts';
import type { Session } from './session.ts';
import type { Timers } from './timers.ts';

const keptLogs = 8;

type ProgressStage = 'downloading' | 'verifying' | 'installing';

/** Everything a device says that nobody waits for: progress, telemetry and log. Lost when there is no connection. */
export class Reporter {
  readonly #settings: Settings;
  readonly #session: Session;
  readonly #timers: Timers;
  readonly #running: () => Running;
  readonly #bootedAt = Date.now();
  readonly #logs: string[] = [];
  #progressAt = 0;
  #progressBytes = 0;
  #progressStage = '';
  #bytesPerSecond = 0;

  constructor(settings: Settings, session: Session, timers: Timers, running: () => Running) {
    this.#settings = settings;
    this.#session = session;
    this.#timers = timers;
    this.#running = running;
  }

  start(): void {
    const { telemetryMs } = this.#settings.timing;
    const next = () => {
      this.#timers.after(telemetryMs * (0.5 + this.#settings.random()), () => {
        this.telemetry();
        next();
      });
    };
    next();
  }

  online(): void {
    for (const payload of this.#logs.splice(0)) this.#session.publish('log', payload, { droppable: true });
  }

  /** At most one per `progressMs`, except when the stage changes or `force` says so. */
  progress(job: Job, receivedBytes: number, chunkBytes: number, more: { urlExpired?: true } = {}): void {
    const stage: ProgressStage =
      job.stage === 'verifying' || job.stage === 'installing' ? job.stage : 'downloading';
    const now = Date.now();
    const key = `${job.deployment} ${job.attempt} ${stage}`;
    const sameStage = key === this.#progressStage;
    const elapsed = now - this.#progressAt;
    if (sameStage && elapsed < this.#settings.timing.progressMs && !more.urlExpired) return;
    if (sameStage && elapsed > 0) {
      const rate = (Math.max(0, receivedBytes - this.#progressBytes) * 1000) / elapsed;
      this.#bytesPerSecond = this.#bytesPerSecond === 0 ? rate : this.#bytesPerSecond * 0.6 + rate * 0.4;
    } else this.#bytesPerSecond = 0;
    this.#progressAt = now;
    this.#progressBytes = receivedBytes;
    this.#progressStage = key;
    this.#send('firmware/download/progress', {
      deployment: job.deployment,
      attempt: job.attempt,
      stage,
      receivedBytes,
      totalBytes: job.manifest.size,
      ...(chunkBytes > 0 && { chunkBytes }),
      ...(this.#bytesPerSecond > 0 && { bytesPerSecond: Math.round(this.#bytesPerSecond) }),
      ...more,
    });
  }

  log(level: LogLevel, message: string, fields?: Record<string, unknown>): void {
    this.#settings.log(level, message, { device: this.#settings.id, ...fields });
    if (level === 'debug') return;
    const payload = this.#compose({ level, message: message.slice(0, 4096) });
    if (this.#session.online) {
      this.#session.publish('log', payload, { droppable: true });
      return;
    }
    this.#logs.push(payload);
    if (this.#logs.length > keptLogs) this.#logs.shift();
  }

  telemetry(): void {
    const { random } = this.#settings;
    const uptimeMs = Date.now() - this.#bootedAt;
    // A slow wave with some noise, like a board in a room.
    const temperatureC = round(42 + 6 * Math.sin(Date.now() / 600_000) + random());
    this.#send('status/system', {
      uptimeMs,
      freeHeapBytes: 180_000 + Math.floor(random() * 20_000),
      temperatureC,
      cpuPercent: round(5 + random() * 20),
    });
    this.#send('status/network', {
      rssiDbm: -45 - Math.floor(random() * 30),
      reconnects: this.#session.reconnects,
    });
    this.#send('data/sensors', {
      values: { temperature: round(temperatureC - 18), humidity: round(40 + random() * 10) },
    });
  }

  /** `status/health` as plain telemetry: the answer to `report`. */
  health(): void {
    this.#send('status/health', {
      state: 'ok',
      running: [this.#running()],
      hardware: this.#settings.hardware,
    });
  }

  #send(topic: Parameters<Session['publish']>[0], body: Record<string, unknown>): void {
    if (this.#session.online) this.#session.publish(topic, this.#compose(body), { droppable: true });
  }

  #compose(body: Record<string, unknown>): string {
    return JSON.stringify({ id: randomId(), at: new Date().toISOString(), ...body });
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
