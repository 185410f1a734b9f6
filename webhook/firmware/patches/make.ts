/** Has a patch made by another process. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What the tables of the search and of the compression take is about 30 times as much, at the worst. */
export const maxImageBytes = 16 * 1024 * 1024;
const patienceMs = 120_000;
/** Of objects; the tables are outside of it, and as large as the images allow. */
const heapMiB = 512;

/** The sources run as they are; what is bundled stands beside the program. */
const isSource = import.meta.url.endsWith('.ts');
const beside = fileURLToPath(new URL(isSource ? './worker.ts' : './patch-worker.js', import.meta.url));
const ownProgram = [...(isSource ? ['--import', 'tsx'] : []), beside];

/** Rejects when it takes too long, or the process fails. `signal` ends it. `program`: Node's arguments that run `worker.ts`. */
export function makeElsewhere(
  old: Uint8Array,
  next: Uint8Array,
  signal: AbortSignal,
  program = ownProgram,
): Promise<Buffer> {
  if (Math.max(old.length, next.length) > maxImageBytes)
    return Promise.reject(new Error(`an image is larger than ${maxImageBytes} bytes`));
  return new Promise((resolve, reject) => {
    const child = fork(program.at(-1)!, [], {
      // Its own flags: those of a debugger or a test's runner are none of its business.
      execArgv: [...program.slice(0, -1), `--max-old-space-size=${heapMiB}`],
      env: {},
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      signal,
      killSignal: 'SIGKILL',
      timeout: patienceMs,
    });
    let complaint = '';
    child.stderr!.on('data', (text: Buffer) => {
      complaint = `${complaint}${text}`.slice(-2_000);
    });
    child.once('message', (patch) => resolve(Buffer.from(patch as Uint8Array)));
    child.once('error', reject);
    child.once('exit', (code, killed) => {
      const why = killed ? `it was ended by ${killed}` : `it ended with ${code}`;
      reject(new Error(`no patch: ${why}: ${complaint.trim().split('\n').at(-1) ?? ''}`));
    });
    child.send({ old, next }, (error) => {
      if (error) reject(error);
    });
  });
}
