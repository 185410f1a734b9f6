/** A part of the system, which can be taken away and comes back under the same address. */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { end, isRunning, killGroup, spawnGuarded } from '../primitives/guard.ts';
import { until } from '../primitives/until.ts';

export interface Part {
  name: string;
  running(): boolean;
  /** At once, with what it has in memory. */
  kill(): Promise<void>;
  /** In its own time, as on a deployment. */
  stop(): Promise<void>;
  /** Resolves when it serves. Nothing happens when it runs. */
  start(): Promise<void>;
  /** Of a part that is a process of its own; null while it is down. */
  process: (() => PartProcess | null) | null;
}

export interface PartProcess {
  pid: number;
  /** Resident memory. */
  rssBytes(): number;
}

/** A part in this process: `open` starts it, the same each time. */
export function createHere(name: string, open: () => Promise<{ close(): Promise<void> }>): Part {
  let service: { close(): Promise<void> } | null = null;
  const stop = async () => {
    const own = service;
    service = null;
    await own?.close();
  };
  return {
    name,
    running: () => service !== null,
    kill: stop,
    stop,
    async start() {
      service ??= await open();
    },
    process: null,
  };
}

export interface ProcessOptions {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  /** Standard output and errors are added to it. */
  logFile: string;
  /** Whether it serves. */
  ready: () => Promise<boolean>;
}

const startLimitMs = 60_000;

export function createProcess({ name, command, args, env, logFile, ready }: ProcessOptions): Part {
  let child: ChildProcess | null = null;
  const running = () => child !== null && isRunning(child);
  return {
    name,
    running,
    async kill() {
      if (!running()) return;
      const exited = new Promise((resolve) => child!.once('exit', resolve));
      killGroup(child!, 'SIGKILL');
      await exited;
    },
    async stop() {
      if (child) await end(child);
    },
    async start() {
      if (running()) return;
      const log = openSync(logFile, 'a', 0o600);
      const own = spawnGuarded(command, args, {
        env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
        stdio: ['ignore', log, log],
      });
      closeSync(log);
      own.once('error', () => {});
      child = own;
      const isReady = () => !isRunning(own) || ready().catch(() => false);
      await until(name, isReady, startLimitMs).catch((error: Error) => {
        killGroup(own, 'SIGKILL');
        throw error;
      });
      if (isRunning(own)) return;
      const last = readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
      throw new Error(`${name} ended: ${last}`);
    },
    process: () => (running() ? { pid: child!.pid!, rssBytes: () => readRss(child!.pid!) } : null),
  };
}

function readRss(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb ?? 0) * 1024;
}
