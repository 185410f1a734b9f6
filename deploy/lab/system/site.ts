/** What all parts of one system share: a directory, who is a process of its own, and certificates. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CertificateAuthority } from '#ca/client.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { program } from '../primitives/programs.js';

export type PartName = 'ca' | 'store' | 'broker' | 'webhook';

export interface Site {
  dir: string;
  /** Those that are processes of their own. */
  apart: Set<PartName>;
  /** More environment for those. */
  env: Record<string, string>;
  /** Writes a file that only its owner reads; returns its path. */
  file(name: string, content: string): string;
  /** Arguments of Node for a module of ours. */
  source(path: string): string[];
}

export function openSite(dir: string, apart: PartName[], env: Record<string, string>): Site {
  return {
    dir,
    apart: new Set(apart),
    env,
    file(name, content) {
      const path = join(dir, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content, { mode: 0o600 });
      return path;
    },
    source: (path) => program(new URL(path, import.meta.url)),
  };
}

/** Key and chain, PEM. */
export async function issueIdentity(
  authority: CertificateAuthority,
  profile: 'service' | 'broker',
  commonName: string,
): Promise<{ key: string; cert: string }> {
  const pair = await issueKeyPair(authority, { profile, commonName, names: ['localhost', '127.0.0.1'] });
  return { key: pair.key, cert: `${pair.certificate.trim()}\n${pair.chain.trim()}\n` };
}
