/** A PostgreSQL of one's own: a temporary cluster on a port of its own, gone with the process that made it. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning, spawnGuarded } from './guard.ts';
import { holdPort } from './listen.ts';
import { until } from './until.ts';

export interface Cluster {
  url: string;
  port: number;
  /** Where its data is. */
  dir: string;
  running(): boolean;
  pid(): number | undefined;
  /** Ends every connection at once (`immediate`); the data stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it if it runs, and removes it. */
  remove(): Promise<void>;
}

export interface ClusterOptions {
  /** A commit waits for the disk, which tests do not need. */
  durable?: boolean;
  /** What it keeps of its tables in memory of its own; else 128 MB, as of a server that nobody has set up. */
  sharedBuffers?: string;
  /** Exists already, for instance as a small disk; what is in it is removed with the cluster. */
  dir?: string;
  env?: Record<string, string>;
}

const startLimitMs = 60_000;

/** A new one, started. */
export async function createCluster({
  durable = false,
  sharedBuffers,
  dir: given,
  env = {},
}: ClusterOptions = {}): Promise<Cluster> {
  const bin = findBin();
  const dir = given ?? mkdtempSync(join(tmpdir(), 'flota-postgresql-'));
  const owner = ownerOf(dir);
  const data = join(dir, 'data');
  const run = (command: string, args: string[]) =>
    execFileSync(join(bin, command), args, { ...owner, cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  const held = holdPort();
  try {
    // Small segments: a cluster takes 40 MB, and can live on a small disk.
    const init = [
      '-D',
      data,
      '-A',
      'trust',
      '-U',
      'postgres',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
      '--wal-segsize=1',
    ];
    run('initdb', init);
  } catch (error) {
    held.release();
    rmSync(data, { recursive: true, force: true });
    throw error;
  }
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: dir,
    // As a server has it whose segments are of the usual size; or nothing that only a crash of the machine needs.
    ...(durable ? { fsync: 'on', max_wal_size: '1GB' } : { fsync: 'off', full_page_writes: 'off' }),
    max_connections: '200',
    ...(sharedBuffers && { shared_buffers: sharedBuffers }),
  };
  const args = [
    '-D',
    data,
    '-p',
    String(held.port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  let server: ChildProcess | null = null;
  let exited: Promise<unknown> = Promise.resolve();
  const running = () => server !== null && isRunning(server);
  const isReady = () => {
    try {
      run('pg_isready', ['-q', '-h', dir, '-p', String(held.port)]);
      return true;
    } catch {
      return false;
    }
  };
  const cluster: Cluster = {
    url: `postgres://postgres@127.0.0.1:${held.port}/postgres`,
    port: held.port,
    dir,
    running,
    pid: () => server?.pid,
    async start() {
      if (running()) return;
      const log = openSync(join(dir, 'log'), 'a', 0o600);
      const options = {
        ...owner,
        cwd: dir,
        env: { PATH: process.env.PATH, LC_ALL: 'C', ...env },
        stdio: ['ignore', log, log] as ['ignore', number, number],
      };
      // A killed one's processes go on with what they are at, which may take them an hour.
      const own = spawnGuarded(join(bin, 'postgres'), args, options, 'QUIT');
      server = own;
      exited = new Promise((resolve) => own.once('exit', resolve));
      await until('PostgreSQL', () => !isRunning(own) || isReady(), startLimitMs);
      if (!isRunning(own))
        throw new Error(
          `PostgreSQL ended: ${readFileSync(join(dir, 'log'), 'utf8').trim().split('\n').slice(-3).join(' | ')}`,
        );
    },
    async stop() {
      if (running()) server!.kill('SIGQUIT');
      await exited;
    },
    async remove() {
      await cluster.stop();
      held.release();
      rmSync(given ? data : dir, { recursive: true, force: true });
    },
  };
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.remove();
    throw error;
  }
}

/** The server refuses to run as root, who gives the directory to `postgres`. */
function ownerOf(dir: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  const owner = { uid: id('-u'), gid: id('-g') };
  chownSync(dir, owner.uid, owner.gid);
  return owner;
}

function findBin(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  for (const version of versions)
    if (existsSync(join(root, version, 'bin/initdb'))) return join(root, version, 'bin');
  const initdb = execFileSync('sh', ['-c', 'command -v initdb'], { encoding: 'utf8' }).trim();
  return join(initdb, '..');
}
