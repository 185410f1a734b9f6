import { chmodSync, statSync, writeFileSync } from 'node:fs';

/** For its owner only, also over a file that everybody may read: one that is there would keep its mode. What is no file (a pipe) keeps it. */
export function putSecret(path: string, content: string | Uint8Array): void {
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) chmodSync(path, 0o600);
  writeFileSync(path, content, { mode: 0o600 });
}
