/** For tests only: `flota` with nothing of our environment, as a process of its own or, which costs a tenth of it, in this one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { program } from '../lab/primitives/programs.js';
import { run } from './run.ts';

export interface Ended {
  status: number | null;
  out: string;
  err: string;
}

export interface Running {
  child: ChildProcess;
  ended: Promise<Ended>;
}

interface Given {
  env?: Record<string, string>;
  stdin?: string;
}

const nowhere = { HOME: '/nonexistent', XDG_CONFIG_HOME: '/nonexistent' };

/** `packed`: another than that of this checkout. */
export function startFlota(args: string[], { env = {}, stdin = '' }: Given = {}, packed?: string): Running {
  const flota = packed ? [packed] : program(new URL('./main.ts', import.meta.url));
  const child = spawn(process.execPath, [...flota, ...args], {
    env: { PATH: process.env.PATH, ...nowhere, ...env },
    stdio: 'pipe',
  });
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]).then(
    ([out, err, [status]]) => ({ status: status as number | null, out, err }),
  );
  return { child, ended };
}

export async function callFlota(args: string[], { env = {}, stdin = '' }: Given = {}): Promise<Ended> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const said = Promise.all([text(stdout), text(stderr)]);
  const streams = { stdin: Readable.from([stdin]), stdout, stderr };
  const status = await run(args, { ...streams, env: { ...nowhere, ...env } });
  stdout.end();
  stderr.end();
  const [out, err] = await said;
  return { status, out, err };
}
