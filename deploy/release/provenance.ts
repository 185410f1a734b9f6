/**
 * What the files were made of and by what: an in-toto statement (v1) with SLSA's provenance predicate (v1). It is not signed here: whoever
 * publishes signs SHA256SUMS, which holds its digest.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Source } from './artefacts.ts';

export function writeProvenance(
  { root, version, commit, epoch, repository }: Source,
  files: { name: string; sha256: string }[],
): string {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const uri = repository ? `git+${repository}` : 'git+file:flota';
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: files.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: `${uri}#deploy/release/v1`,
        externalParameters: { version, ref: `v${version}` },
        internalParameters: { SOURCE_DATE_EPOCH: epoch, node: process.version },
        resolvedDependencies: [
          { uri, digest: { gitCommit: commit } },
          { name: 'package-lock.json', digest: { sha256: lock } },
        ],
      },
      runDetails: { builder: { id: `${uri}#npm-run-release` } },
    },
  };
  return `${JSON.stringify(statement, null, 2)}\n`;
}
