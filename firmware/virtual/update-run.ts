import type https from 'node:https';
import { type Disk, type DiskFile, PowerLost } from './disk.ts';
import { download, type Position } from './download.ts';
import type { Life } from './life.ts';
import type { Job } from './machine.ts';
import { digestOf, InstallFault, stagingFile } from './slots.ts';
import { backoffMs } from './timers.ts';
import { httpsAgent } from './transport.ts';

/** One stretch of work on the current job: its download, its check or its installation; stoppable at any moment. */
export class UpdateRun {
  readonly #life: Life;
  readonly #abort = new AbortController();
  readonly #deployment: string;
  readonly position: Position;
  #file: DiskFile | null = null;
  #https: https.Agent | null = null;
  #wake: AbortController | null = null;
  #asked = 0;

  constructor(life: Life, work: 'download' | 'verify' | 'install', afterRestart: boolean) {
    const job = life.journal.state.job!;
    this.#life = life;
    this.#deployment = job.deployment;
    this.position = {
      receivedBytes: life.journal.state.staged?.receivedBytes ?? 0,
      chunkBytes: job.chunkBytes,
      stats: { ...job.stats },
    };
    const { signal } = this.#abort;
    if (work === 'download') life.spawn(this.#download(job, afterRestart).finally(() => this.#release()));
    else if (work === 'verify') life.spawn(this.#verify(job, signal));
    else life.spawn(this.#install(job, signal));
  }

  /** Gives the staging area back. */
  static clear(disk: Disk): void {
    if (disk.size(stagingFile) > 0) disk.remove(stagingFile);
  }

  stop(): void {
    this.#abort.abort();
    this.#release();
  }

  freshUrl(): void {
    this.#asked = 0;
    this.#wake?.abort();
  }

  /** A request for a fresh URL that fell on deaf ears is made again at once. */
  online(): void {
    if (this.#wake) this.#sayExpired();
  }

  /** Makes what has been received survive a reset: data first, then the note that it is there. */
  checkpoint(): void {
    const { job, staged } = this.#life.journal.state;
    if (this.#abort.signal.aborted || !this.#file || !job || !staged) return;
    this.#file.sync();
    const { receivedBytes, chunkBytes, stats } = this.position;
    this.#life.journal.commit({
      ...this.#life.journal.state,
      job: { ...job, chunkBytes, stats: { ...stats } },
      staged: { ...staged, receivedBytes },
    });
  }

  async #download(job: Job, afterRestart: boolean): Promise<void> {
    const life = this.#life;
    const { settings, disk } = life;
    const { signal } = this.#abort;
    const { position } = this;
    const onDisk = disk.size(stagingFile);
    if (afterRestart) {
      // Bytes that came after the last checkpoint are fetched again.
      const lost = Math.max(0, onDisk - position.receivedBytes);
      position.stats.receivedBytes += lost;
      position.stats.redownloadedBytes += lost;
    }
    if (!settings.resume) {
      position.stats.redownloadedBytes += Math.min(position.receivedBytes, onDisk);
      position.receivedBytes = 0;
    }
    position.receivedBytes = Math.min(position.receivedBytes, onDisk);
    const file = disk.open(stagingFile);
    this.#file = file;
    file.truncate(position.receivedBytes);
    this.#https = httpsAgent(life.network, settings.trust);
    this.#report();
    const error = await download({
      size: job.manifest.size,
      position,
      url: () => life.journal.state.job!.url,
      agent: this.#https,
      limits: settings.limits,
      timing: settings.timing,
      random: settings.random,
      signal,
      sleep: (ms, until) => life.timers.sleep(ms, until),
      write: (offset, data) => {
        file.writeAt(offset, data);
        if (life.journal.state.job?.stage === 'accepted') life.apply({ type: 'receiving' });
      },
      checkpoint: () => this.checkpoint(),
      onRequest: (from, to) => life.notice('asked', { from, to }),
      restart: settings.resume ? undefined : () => file.truncate(0),
      onProgress: () => {
        this.#report();
        life.changed();
      },
      freshUrl: () => this.#waitForFreshUrl(signal),
      log: (message) => life.log('debug', message),
    });
    if (signal.aborted) return;
    this.checkpoint();
    life.apply(error ? { type: 'failed', error } : { type: 'downloaded' });
  }

  async #verify(job: Job, signal: AbortSignal): Promise<void> {
    this.#report();
    const { size, sha256 } = job.manifest;
    const digest = await this.#readable(() => digestOf(this.#life.disk, stagingFile, size, signal));
    if (signal.aborted || digest === null) return;
    this.#life.apply(
      digest === sha256
        ? { type: 'verified' }
        : { type: 'failed', error: { code: 'digest_mismatch', message: digest } },
    );
  }

  async #install(job: Job, signal: AbortSignal): Promise<void> {
    this.#report();
    const { slots } = this.#life;
    const written = await this.#readable(async () => {
      await slots.write(job.manifest, signal);
      return true;
    });
    if (signal.aborted || written === null) return;
    slots.commit(job.manifest);
    this.#life.apply({ type: 'committed' });
  }

  /** Storage that fails is the update's failure, not the device's. */
  async #readable<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof PowerLost) throw error;
      const { message } = error as Error;
      const reason =
        error instanceof InstallFault
          ? error.error
          : { code: 'storage_failed' as const, message: message.slice(0, 256) };
      if (!this.#abort.signal.aborted) this.#life.apply({ type: 'failed', error: reason });
      return null;
    }
  }

  async #waitForFreshUrl(signal: AbortSignal): Promise<void> {
    const { urlRefreshMinMs, urlRefreshMaxMs } = this.#life.settings.timing;
    const { url } = this.#life.journal.state.job!;
    const wake = new AbortController();
    this.#wake = wake;
    const stop = () => wake.abort();
    signal.addEventListener('abort', stop);
    while (!wake.signal.aborted && this.#life.journal.state.job?.url === url) {
      this.#sayExpired();
      const pause = backoffMs(this.#asked++, urlRefreshMinMs, urlRefreshMaxMs, this.#life.settings.random);
      await this.#life.timers.sleep(pause, wake.signal);
    }
    signal.removeEventListener('abort', stop);
    this.#wake = null;
  }

  #sayExpired(): void {
    const { job } = this.#life.journal.state;
    if (job)
      this.#life.reporter.progress(job, this.position.receivedBytes, this.position.chunkBytes, {
        urlExpired: true,
      });
  }

  #report(): void {
    const { job } = this.#life.journal.state;
    if (job?.deployment === this.#deployment)
      this.#life.reporter.progress(job, this.position.receivedBytes, this.position.chunkBytes);
  }

  #release(): void {
    this.#file?.close();
    this.#file = null;
    this.#https?.destroy();
    this.#https = null;
  }
}
