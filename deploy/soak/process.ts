/** A part of the system as a process of its own, which can be killed and started again under the same address. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { guard, killGroup } from './guard.ts';

export interface PartProcess {
  name: string;
  /** Kills it (SIGKILL unless told otherwise) and resolves when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it and resolves when it answers. */
  start(): Promise<void>;
  running(): boolean;
  /** Resident memory; null while it is down. */
  rssBytes(): number | null;
  pid(): number | undefined;
}

export interface PartOptions {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  /** Standard output and errors are added to it. */
  logFile: string;
  /** Whether it answers. */
  ready: () => Promise<boolean>;
}

const startLimitMs = 45_000;

export function createPart({ name, command, args, env, logFile, ready }: PartOptions): PartProcess {
  let child: ChildProcess | null = null;
  let exited: Promise<void> = Promise.resolve();
  const running = () => child !== null && child.exitCode === null && child.signalCode === null;
  return {
    name,
    running,
    pid: () => child?.pid,
    async start() {
      const log = openSync(logFile, 'a', 0o600);
      const own = spawn(command, args, {
        env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
        stdio: ['ignore', log, log],
        // Ctrl-C on a terminal is for us, who end the parts in order.
        detached: true,
      });
      closeSync(log);
      guard(own);
      child = own;
      exited = new Promise((resolve) => {
        own.once('exit', () => resolve());
        own.once('error', () => resolve());
      });
      for (const deadline = Date.now() + startLimitMs; !(await ready().catch(() => false)); await delay(50)) {
        const dead = !running() || child !== own;
        if (dead || Date.now() > deadline) {
          killGroup(own, 'SIGKILL');
          const last = readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
          throw new Error(`${name} ${dead ? 'ended' : 'does not answer'}: ${last}`);
        }
      }
    },
    async stop(signal = 'SIGKILL') {
      if (running()) killGroup(child!, signal);
      await exited;
    },
    rssBytes() {
      if (!running()) return null;
      try {
        const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child!.pid}/status`, 'utf8'))?.[1];
        return kb ? Number(kb) * 1024 : null;
      } catch {
        return null;
      }
    },
  };
}
