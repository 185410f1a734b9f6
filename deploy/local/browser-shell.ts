/** For tests only: a shell into which somebody pastes what a page shows. */
import { killGroup, spawnGuarded } from '../lab/primitives/guard.ts';

export interface Shell {
  /** Resolves when the commands have ended; rejects with all that was said when one fails. */
  paste(commands: string): Promise<string>;
  /** Without waiting: of a command that goes on until something happens. */
  leave(commands: string): void;
  close(): void;
}

export function openShell(cwd: string, env: Record<string, string> = {}): Shell {
  const child = spawnGuarded('bash', ['-e', '-o', 'pipefail'], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  let ended: number | null | undefined;
  const waiting = new Set<() => void>();
  const look = () => {
    for (const check of [...waiting]) check();
  };
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (data: Buffer) => {
      said += data;
      look();
    });
  }
  child.on('close', (code) => {
    ended = code;
    look();
  });
  let pasted = 0;
  return {
    paste(commands) {
      const mark = `pasted-${++pasted}`;
      const from = said.length;
      child.stdin!.write(`${commands}\necho ${mark}\n`);
      return new Promise((resolve, reject) => {
        const check = () => {
          const text = said.slice(from);
          const at = text.indexOf(`${mark}\n`);
          if (at < 0 && ended === undefined) return;
          waiting.delete(check);
          if (at >= 0) resolve(text.slice(0, at));
          else reject(new Error(`the shell ended with ${ended}: ${text}`));
        };
        waiting.add(check);
        check();
      });
    },
    leave: (commands) => void child.stdin!.write(`${commands}\n`),
    close: () => killGroup(child, 'SIGKILL'),
  };
}
