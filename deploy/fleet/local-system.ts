import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { System } from '#firmware/virtual/fleet/system.ts';
import type { FlotaNews, FlotaOrder } from './local-flota.ts';

const closeMaxMs = 15_000;

export interface LocalOptions {
  /** Life of the device certificates; null: a year. */
  certificateMs?: number | null;
}

/** Starts a local Flota in a process of its own. Rejects with why it could not; nothing is left then. */
export async function startLocalSystem(options: LocalOptions = {}, tries = 3): Promise<System> {
  try {
    return await startOnce(options);
  } catch (error) {
    // Its free ports are looked for first and opened later: another process may have been faster.
    if (tries > 1 && (error as Error).message.includes('EADDRINUSE'))
      return startLocalSystem(options, tries - 1);
    throw error;
  }
}

async function startOnce(options: LocalOptions): Promise<System> {
  const dataDir = mkdtempSync(join(tmpdir(), 'flota-fleet-'));
  const child = fork(fileURLToPath(new URL('./local-flota.ts', import.meta.url)), {
    execArgv: ['--import', import.meta.resolve('tsx')],
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Not in the terminal's group: a Ctrl-C there is for the runner.
    detached: true,
  });
  const outages = new Map<number, (error: string | null) => void>();
  let stopping = false;
  let fail: (error: Error) => void;
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  // Who does not look is told by the calls that fail.
  failed.catch(() => {});
  const ended = new Promise<void>((resolve) =>
    child.once('exit', (code, signal) => {
      if (!stopping) fail(new Error(`the local Flota ended by itself (${signal ?? code})`));
      for (const done of outages.values()) done('the local Flota has ended');
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
      resolve();
    }),
  );
  const close = async () => {
    stopping = true;
    if (child.connected) tell(child, { do: 'stop' });
    const kill = setTimeout(() => child.kill('SIGKILL'), closeMaxMs);
    await ended;
    clearTimeout(kill);
  };
  try {
    const started = await Promise.race([
      failed,
      new Promise<FlotaNews & { news: 'started' }>((resolve, reject) => {
        child.on('message', (news: FlotaNews) => {
          const seconds = options.certificateMs ? Math.round(options.certificateMs / 1000) : null;
          if (news.news === 'up') tell(child, { do: 'start', dataDir, certificateSeconds: seconds });
          else if (news.news === 'started') resolve(news);
          else if (news.news === 'failed') reject(new Error(news.error));
          else outages.get(news.id)?.(news.error);
        });
      }),
    ]);
    const { url, apiToken, mqttUrl, trust, signingKeys } = started;
    let count = 0;
    return {
      url,
      token: apiToken,
      mqttUrl,
      trust,
      signingKeys: signingKeys as { keys: object[] },
      outage: (part, downMs) =>
        new Promise((resolve, reject) => {
          const id = count++;
          outages.set(id, (error) => {
            outages.delete(id);
            if (error === null) resolve();
            else reject(new Error(`${part} outage: ${error}`));
          });
          tell(child, { do: 'outage', id, part, downMs });
        }),
      failed,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function tell(child: ChildProcess, order: FlotaOrder): void {
  child.send(order);
}
