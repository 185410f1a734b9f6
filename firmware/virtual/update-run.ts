import type https from 'node:https';
import type { Agent } from './agent.ts';
import { type Disk, type DiskFile, PowerLost } from './disk.ts';
import { download, type Position } from './download.ts';
import type { Job } from './machine.ts';
import { digestOf, InstallFault, stagingFile } from './slots.ts';
import { backoffMs } from './timers.ts';
import { httpsAgent } from './transport.ts';

/** One stretch of work on the current job: its download, its check or its installation; stoppable at any moment. */
export class UpdateRun {
  readonly #agent: Agent;
  readonly #abort = new AbortController();
  readonly #deployment: string;
  readonly position: Position;
  #file: DiskFile | null = null;
  #https: https.Agent | null = null;
  #wake: AbortController | null = null;
  #asked = 0;

  constructor(agent: Agent, work: 'download' | 'verify' | 'install', afterRestart: boolean) {
    const job = agent.journal.state.job!;
    this.#agent = agent;
    this.#deployment = job.deployment;
    this.position = {
      receivedBytes: agent.journal.state.staged?.receivedBytes ?? 0,
      chunkBytes: job.chunkBytes,
      stats: { ...job.stats },
    };
    const { signal } = this.#abort;
    if (work === 'download') agent.spawn(this.#download(job, afterRestart).finally(() => this.#release()));
    else if (work === 'verify') agent.spawn(this.#verify(job, signal));
    else agent.spawn(this.#install(job, signal));
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
    const { job, staged } = this.#agent.journal.state;
    if (this.#abort.signal.aborted || !this.#file || !job || !staged) return;
    this.#file.sync();
    const { receivedBytes, chunkBytes, stats } = this.position;
    this.#agent.journal.commit({
      ...this.#agent.journal.state,
      job: { ...job, chunkBytes, stats: { ...stats } },
      staged: { ...staged, receivedBytes },
    });
  }

  async #download(job: Job, afterRestart: boolean): Promise<void> {
    const agent = this.#agent;
    const { settings, disk } = agent;
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
    this.#https = httpsAgent(agent.network, settings.trust);
    this.#report();
    const error = await download({
      size: job.manifest.size,
      position,
      url: () => agent.journal.state.job!.url,
      agent: this.#https,
      limits: settings.limits,
      timing: settings.timing,
      random: settings.random,
      signal,
      sleep: (ms, until) => agent.timers.sleep(ms, until),
      write: (offset, data) => {
        file.writeAt(offset, data);
        if (agent.journal.state.job?.stage === 'accepted') agent.apply({ type: 'receiving' });
      },
      checkpoint: () => this.checkpoint(),
      onRequest: (from, to) => agent.notice('asked', { from, to }),
      restart: settings.resume ? undefined : () => file.truncate(0),
      onProgress: () => {
        this.#report();
        agent.changed();
      },
      freshUrl: () => this.#waitForFreshUrl(signal),
      log: (message) => agent.log('debug', message),
    });
    if (signal.aborted) return;
    this.checkpoint();
    agent.apply(error ? { type: 'failed', error } : { type: 'downloaded' });
  }

  async #verify(job: Job, signal: AbortSignal): Promise<void> {
    this.#report();
    const { size, sha256 } = job.manifest;
    const digest = await this.#readable(() => digestOf(this.#agent.disk, stagingFile, size, signal));
    if (signal.aborted || digest === null) return;
    this.#agent.apply(
      digest === sha256
        ? { type: 'verified' }
        : { type: 'failed', error: { code: 'digest_mismatch', message: digest } },
    );
  }

  async #install(job: Job, signal: AbortSignal): Promise<void> {
    this.#report();
    const { slots } = this.#agent;
    const written = await this.#readable(async () => {
      await slots.write(job.manifest, signal);
      return true;
    });
    if (signal.aborted || written === null) return;
    slots.commit(job.manifest);
    this.#agent.apply({ type: 'committed' });
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
      if (!this.#abort.signal.aborted) this.#agent.apply({ type: 'failed', error: reason });
      return null;
    }
  }

  async #waitForFreshUrl(signal: AbortSignal): Promise<void> {
    const { urlRefreshMinMs, urlRefreshMaxMs } = this.#agent.settings.timing;
    const { url } = this.#agent.journal.state.job!;
    const wake = new AbortController();
    this.#wake = wake;
    const stop = () => wake.abort();
    signal.addEventListener('abort', stop);
    while (!wake.signal.aborted && this.#agent.journal.state.job?.url === url) {
      this.#sayExpired();
      const pause = backoffMs(this.#asked++, urlRefreshMinMs, urlRefreshMaxMs, this.#agent.settings.random);
      await this.#agent.timers.sleep(pause, wake.signal);
    }
    signal.removeEventListener('abort', stop);
    this.#wake = null;
  }

  #sayExpired(): void {
    const { job } = this.#agent.journal.state;
    if (job)
      this.#agent.reporter.progress(job, this.position.receivedBytes, this.position.chunkBytes, {
        urlExpired: true,
      });
  }

  #report(): void {
    const { job } = this.#agent.journal.state;
    if (job?.deployment === this.#deployment)
      this.#agent.reporter.progress(job, this.position.receivedBytes, this.position.chunkBytes);
  }

  #release(): void {
    this.#file?.close();
    this.#file = null;
    this.#https?.destroy();
    this.#https = null;
  }
}
