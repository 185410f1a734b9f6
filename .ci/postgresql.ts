/** A PostgreSQL of the tests' own: a temporary cluster on a free port, gone when they end. */
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Cluster {
  url: string;
  /** Ends every connection at once; the data stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it if it runs, and removes it. */
  remove(): Promise<void>;
}

/** Vitest's global set-up: names the server in FLOTA_TEST_POSTGRESQL, and answers the way to stop it. */
export default async function startPostgresql(): Promise<() => Promise<void>> {
  const cluster = await createCluster();
  process.env.FLOTA_TEST_POSTGRESQL = cluster.url;
  return () => cluster.remove();
}

/** A new one, started. `durable`: a commit waits for the disk, which tests do not need. */
export async function createCluster({ durable = false } = {}): Promise<Cluster> {
  const bin = findBin();
  const dir = mkdtempSync(join(tmpdir(), 'flota-postgresql-'));
  // The server refuses to run as root.
  const asRoot = process.getuid?.() === 0;
  // Its own output is ignored: the server keeps the standard streams of whoever starts it.
  const run = (command: string, args: string[]) =>
    new Promise<void>((resolve, reject) => {
      const [file, rest] = asRoot
        ? ['runuser', ['-u', 'postgres', '--', join(bin, command), ...args]]
        : [join(bin, command), args];
      const child = spawn(file as string, rest as string[], {
        cwd: dir,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      child.once('error', reject);
      child.once('exit', (code) =>
        code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`)),
      );
    });
  if (asRoot) {
    const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
    chownSync(dir, id('-u'), id('-g'));
  }
  const data = join(dir, 'data');
  await run('initdb', ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync']);
  const port = await findFreePort();
  const settings = `-p ${port} -k ${dir} -c listen_addresses=127.0.0.1 -c fsync=${durable ? 'on' : 'off'} -c max_connections=200`;
  let running = false;
  const cluster: Cluster = {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async start() {
      await run('pg_ctl', ['-D', data, '-w', '-l', join(dir, 'log'), '-o', settings, 'start']);
      running = true;
    },
    async stop() {
      running = false;
      await run('pg_ctl', ['-D', data, '-m', 'immediate', '-w', 'stop']);
    },
    async remove() {
      if (running) await cluster.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  await cluster.start();
  return cluster;
}

function findBin(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  for (const version of versions)
    if (existsSync(join(root, version, 'bin/initdb'))) return join(root, version, 'bin');
  const initdb = execFileSync('sh', ['-c', 'command -v initdb'], { encoding: 'utf8' }).trim();
  return join(initdb, '..');
}

export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
