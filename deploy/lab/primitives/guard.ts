/** The one way to start a process that must not outlive us, however we end: also when we are killed at once and can clean up nothing. */

import {
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  fork,
  type SpawnOptions,
  type SpawnOptionsWithoutStdio,
  spawn,
} from 'node:child_process';
import type { Socket } from 'node:net';
import { program } from './programs.js';

/** What its group is told when we are gone: QUIT for who has processes in groups of their own, and ends them then. */
type LastSignal = 'KILL' | 'QUIT';

/** Leads a process group of its own: Ctrl-C on a terminal is for us, and `killGroup` reaches whatever it has started. */
export function spawnGuarded(
  command: string,
  args: string[],
  options?: SpawnOptionsWithoutStdio,
): ChildProcessWithoutNullStreams;
export function spawnGuarded(
  command: string,
  args: string[],
  options: SpawnOptions,
  last?: LastSignal,
): ChildProcess;
export function spawnGuarded(
  command: string,
  args: string[],
  options: SpawnOptions = {},
  last?: LastSignal,
): ChildProcess {
  return guard(spawn(command, args, { ...options, detached: true }), last);
}

/** A module of ours, with a channel to it. */
export function forkGuarded(
  module: URL,
  options: { args?: string[]; execArgv?: string[]; env?: NodeJS.ProcessEnv } = {},
): ChildProcess {
  const { args = [], execArgv = [], env = process.env } = options;
  const ours = program(module);
  const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
  return guard(
    fork(ours.pop()!, args, { execArgv: [...execArgv, ...ours], env, stdio: [...stdio], detached: true }),
  );
}

function guard(child: ChildProcess, last: LastSignal = 'KILL'): ChildProcess {
  if (child.pid === undefined) return child;
  // A shell that waits for its standard input to end, which it does when we do.
  const watcher = spawn('sh', ['-c', 'read -r _; kill -s "$2" -- "-$1"', 'guard', String(child.pid), last], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  (watcher.stdin as Socket).unref();
  watcher.once('error', () => {});
  child.once('exit', () => watcher.kill('SIGKILL'));
  return child;
}

/** Of a guarded child; nothing happens when it is gone. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Asks it to end and resolves when it has; one that does not within `patienceMs` is killed. */
export async function end(child: ChildProcess, patienceMs = 15_000): Promise<void> {
  if (!isRunning(child)) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  killGroup(child, 'SIGTERM');
  const kill = setTimeout(() => killGroup(child, 'SIGKILL'), patienceMs);
  await exited;
  clearTimeout(kill);
}
