/** For tests only: `npm start` as a process of its own, without npm's shell in between. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { spawnGuarded } from '../lab/primitives/guard.ts';
import { anyPorts } from './config.ts';

export interface Run {
  child: ChildProcess;
  output: () => string;
  errors: () => string;
  exit: Promise<number | null>;
}

const main = fileURLToPath(new URL('./start.js', import.meta.url));
const running = new Set<ChildProcess>();

export function start(args: string[], environment: Record<string, string> = {}): Run {
  const child = spawnGuarded(process.execPath, [main, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...anyPorts, ...environment },
  });
  running.add(child);
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const exit = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  return { child, output: () => output, errors: () => errors, exit };
}

/** For `afterAll`: whatever a failed test has left running. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}
