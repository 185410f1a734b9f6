/** A device under test: any program that takes the options of `npm run device`. */
import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { spawnGuarded } from '#deploy/lab/primitives/guard.ts';

const keptOutput = 16_384;

/** The command and what is added to it, run without a shell in between, in a process group of its own that ends with this process. */
function start(command: string, args: string[], env: Record<string, string>): ChildProcess {
  // The device's own: a shell that is told to load a library would run it too.
  const set = Object.entries(env).map(([name, value]) => `${name}='${value}' `);
  const prefix = set.length ? `env ${set.join('')}` : '';
  return spawnGuarded('sh', ['-c', `exec ${prefix}${command} "$@"`, 'sh', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
}

/** What `--help` prints. Rejects when the command cannot be run. */
export function readHelp(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('sh', ['-c', `exec ${command} --help`], { timeout: 30_000 }, (error, out, err) => {
      if (error)
        reject(new Error(`${command} --help failed: ${(err || error.message).trim().slice(0, 300)}`));
      else resolve(out);
    });
  });
}

/** Keeps a device powered: whenever its process ends by itself, it starts again, as a board does after a power cut. */
export class DeviceProcess {
  readonly #command: string;
  readonly #args: string[];
  #child: ChildProcess | null = null;
  #wanted = false;
  #output = '';
  /** What is added to the environment of its next lives. */
  env: Record<string, string> = {};
  /** How often it ended without being told to. */
  deaths = 0;

  constructor(command: string, args: string[]) {
    this.#command = command;
    this.#args = args;
  }

  /** The last of what it printed. */
  get output(): string {
    return this.#output;
  }

  /** `more`: options for this life only. */
  powerOn(more: string[] = []): void {
    if (this.#child) return;
    this.#wanted = true;
    const child = start(this.#command, [...this.#args, ...more], this.env);
    this.#child = child;
    const keep = (data: Buffer) => {
      this.#output = (this.#output + data.toString()).slice(-keptOutput);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.once('error', (error) => keep(Buffer.from(`${error.message}\n`)));
    child.once('exit', () => {
      if (this.#child !== child) return;
      this.#child = null;
      if (!this.#wanted) return;
      this.deaths++;
      // One that dies at every start would go on for ever.
      if (this.deaths < 300) this.powerOn();
    });
  }

  /** `kill -9`, whatever it is doing; it stays dark until powerOn. */
  async powerOff(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM, and `kill -9` after five seconds. */
  async shutDown(): Promise<void> {
    const child = this.#child;
    const late = setTimeout(() => child && signal(child, 'SIGKILL'), 5_000);
    await this.#end('SIGTERM');
    clearTimeout(late);
  }

  async #end(how: NodeJS.Signals): Promise<void> {
    this.#wanted = false;
    const child = this.#child;
    if (!child) return;
    const exited = once(child, 'exit');
    signal(child, how);
    await exited;
    // A wrapper may go before what it has started.
    signal(child, 'SIGKILL');
  }
}

function signal(child: ChildProcess, how: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, how);
  } catch {
    // Nobody of the group is left.
  }
}
