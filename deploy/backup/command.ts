import { ConfigError } from '#webhook/config.ts';
import { DataDirectoryInUse } from '../local/data-lock.ts';
import { backUp } from './backup.ts';
import { readTask } from './config.ts';
import { restore } from './restore.ts';
import { BackupError } from './tools.ts';

/** Answers the exit status; what can be mended by who runs it becomes a line each. */
export async function runCommand(
  args: string[],
  environment: Record<string, string | undefined>,
  out: (text: string) => void,
  errors: (text: string) => void,
): Promise<number> {
  try {
    const task = readTask(args, environment);
    const say = (line: string) => out(`${line}\n`);
    if (typeof task === 'string') out(task);
    else await (task.command === 'backup' ? backUp : restore)(task, say);
    return 0;
  } catch (error) {
    for (const line of explain(error)) errors(`${args[0] ?? 'backup'}: ${line}\n`);
    return 1;
  }
}

function explain(error: unknown): string[] {
  if (error instanceof ConfigError) return error.problems;
  if (error instanceof BackupError || error instanceof DataDirectoryInUse) return [error.message];
  const { code, path } = error as NodeJS.ErrnoException;
  if (code && path) return [`${path} cannot be used (${code})`];
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}
