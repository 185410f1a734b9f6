import type https from 'node:https';
import type { DeviceError } from '#emqx/protocol.ts';
import { nextChunkBytes } from './chunk.ts';
import { PowerLost } from './disk.ts';
import type { Stats } from './machine.ts';
import type { Limits, Timing } from './options.ts';
import { fetchRange, type RangeEnd } from './range.ts';
import { backoffMs } from './timers.ts';

/** Where a download stands; one object that the download changes as it goes. */
export interface Position {
  receivedBytes: number;
  /** 0: start with the device's own value. */
  chunkBytes: number;
  stats: Stats;
}

export interface Download {
  size: number;
  position: Position;
  /** The newest one known, asked for before every GET. */
  url(): string;
  agent: https.Agent;
  limits: Limits;
  timing: Timing;
  random: () => number;
  signal: AbortSignal;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  write(offset: number, data: Buffer): void;
  /** Bytes before `receivedBytes` may be forgotten again until this is called. */
  checkpoint(): void;
  /** Before every GET: the first byte asked for, and the one after the last. */
  onRequest(from: number, to: number): void;
  /** Given when a break means starting again from zero: forgets what is stored. */
  restart: (() => void) | undefined;
  /** After every piece of data. */
  onProgress(): void;
  /** The server takes the URL no longer: resolves when there is another, or when aborted. */
  freshUrl(): Promise<void>;
  log(message: string): void;
}

/** Brings the rest of an image. Null when it is all there or when aborted, else why it was given up. */
export async function download(input: Download): Promise<DeviceError | null> {
  const { size, position, limits, timing, signal } = input;
  const { stats } = position;
  let broken = 0;
  let refusals = 0;
  let rangeless = false;
  let resuming = position.receivedBytes > 0;
  let unsavedChunks = 0;
  let savedAt = Date.now();
  let clock = Date.now();
  const tick = () => {
    const now = Date.now();
    stats.downloadMs += Math.max(0, now - clock);
    clock = now;
    return now;
  };
  const save = () => {
    tick();
    if (unsavedChunks === 0) return;
    input.checkpoint();
    unsavedChunks = 0;
    savedAt = clock;
  };
  if (position.chunkBytes === 0) position.chunkBytes = limits.chunkStartBytes;

  while (position.receivedBytes < size && !signal.aborted) {
    const from = position.receivedBytes;
    const startedAt = tick();
    const to = Math.min(size, from + position.chunkBytes);
    input.onRequest(from, to);
    const end = await fetchRange({
      url: input.url(),
      agent: input.agent,
      from,
      to,
      size,
      rangeless,
      stallMs: timing.stallMs,
      signal,
      write: (offset, data) => {
        input.write(offset, data);
        if (resuming) stats.resumes++;
        resuming = false;
        position.receivedBytes = offset + data.length;
        stats.receivedBytes += data.length;
        input.onProgress();
      },
    });
    if (signal.aborted) break;
    if (end.problem === 'storage') return storageError(end);
    if (end.problem === 'wrong_size') {
      position.receivedBytes = from;
      stats.redownloadedBytes += end.wrote;
      end.wrote = 0;
    }
    stats.redownloadedBytes += end.skipped;
    stats.receivedBytes += end.skipped;
    if (end.wrote > 0) {
      unsavedChunks++;
      broken = 0;
      refusals = 0;
    }
    const elapsedMs = Math.max(1, tick() - startedAt);
    // A remainder or a body beyond the chunk says nothing about chunks of this size.
    if (end.problem || end.wrote >= position.chunkBytes)
      position.chunkBytes = nextChunkBytes(
        position.chunkBytes,
        { broken: end.problem !== null, elapsedMs },
        limits,
        timing,
      );
    if (unsavedChunks >= limits.checkpointChunks || (end.problem && unsavedChunks > 0)) save();
    else if (clock - savedAt >= timing.checkpointMs) save();
    if (!end.problem) {
      if (end.wrote > 0) continue;
      end.problem = 'unexpected';
    }

    if (input.restart && position.receivedBytes > 0) {
      stats.redownloadedBytes += position.receivedBytes;
      position.receivedBytes = 0;
      input.restart();
    }
    resuming = position.receivedBytes > 0;
    input.log(`GET from ${from}: ${end.problem}${end.detail ? `, ${end.detail}` : ''}`);
    if (end.problem === 'url_refused') {
      if (++refusals > limits.urlRefusals)
        return { code: 'download_failed', message: `${refusals} URLs in a row were refused` };
      await input.freshUrl();
      continue;
    }
    if (end.problem === 'unsatisfiable') rangeless = true;
    broken++;
    const answered = end.status !== undefined && end.problem !== 'truncated' && end.problem !== 'stalled';
    if (broken >= (answered ? limits.responseFailures : limits.networkFailures))
      return {
        code: end.problem === 'wrong_size' ? 'size_mismatch' : 'download_failed',
        message: `${broken} failures in a row, the last: ${end.detail ?? end.problem}`.slice(0, 256),
      };
    const pause = backoffMs(broken - 1, timing.retryMinMs, timing.retryMaxMs, input.random);
    await input.sleep(Math.max(pause, Math.min(end.retryAfterMs ?? 0, timing.retryMaxMs)), signal);
  }
  save();
  return null;
}

function storageError(end: RangeEnd): DeviceError {
  if (end.cause instanceof PowerLost) throw end.cause;
  return { code: 'storage_failed', message: end.detail?.slice(0, 256) };
}
