import { spawn } from 'node:child_process';

const openers: Partial<Record<NodeJS.Platform, [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
};

/** Opens the address in the user's browser; a machine without one says why, and that harms nobody. */
export function openInBrowser(
  url: string,
  onFault: (why: string) => void,
  [command, ...args] = openers[process.platform] ?? ['xdg-open'],
): void {
  const child = spawn(command!, [...args, url], { stdio: 'ignore', detached: true });
  child.on('error', (error) => onFault(error.message));
  child.on('exit', (code) => code && onFault(`${command} ended with ${code}`));
  child.unref();
}
