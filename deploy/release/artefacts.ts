/** The files of a release: the same commit makes the same bytes. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { archive, packComponent, packLibrary } from '#firmware/esp-idf/pack.ts';
import { readDocument } from '#webhook/docs/document.ts';
import { writeProvenance } from './provenance.ts';

export interface Source {
  root: string;
  version: string;
  /** 40 hex digits. */
  commit: string;
  /** Of the commit, seconds. */
  epoch: number;
  /** Where the sources can be had; null where no remote is known. */
  repository: string | null;
}

/** Fills `out`, which is emptied first; returns the names of the files. `dist` is what `npm run build` made. */
export async function writeArtefacts(out: string, dist: string, source: Source): Promise<string[]> {
  const { root, version, commit } = source;
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const server = (to: string) => {
    for (const name of readdirSync(dist).filter((name) => name !== 'cli')) {
      cpSync(join(dist, name), join(to, name), { recursive: true });
    }
  };
  archive(out, `flota-server-${version}.tgz`, `flota-server-${version}`, server);
  // As `npm install` wants it: one folder called package.
  archive(out, `flota-cli-${version}.tgz`, 'package', (to) =>
    cpSync(join(dist, 'cli'), to, { recursive: true }),
  );
  archive(out, `flota-helm-${version}.tgz`, 'flota', (to) =>
    cpSync(join(root, 'deploy/helm/flota'), to, { recursive: true }),
  );
  renameSync(packComponent(out), join(out, `flota-esp-idf-${version}.tgz`));
  packLibrary(out);
  // The context of both Dockerfiles, of Compose and Terraform.
  const prefix = `--prefix=flota-${version}/`;
  const tar = execFileSync('git', ['archive', '--format=tar', prefix, commit], {
    cwd: root,
    maxBuffer: 1 << 30,
  });
  const packed = execFileSync('gzip', ['-n', '-9'], { input: tar, maxBuffer: 1 << 30 });
  writeFileSync(join(out, `flota-source-${version}.tar.gz`), packed);
  cpSync(join(dist, 'sbom.cdx.json'), join(out, `flota-${version}.cdx.json`));
  writeFileSync(join(out, `openapi-${version}.json`), `${JSON.stringify(await readDocument())}\n`);

  const digests = readdirSync(out)
    .sort()
    .map((name) => ({ name, sha256: digest(join(out, name)) }));
  const provenance = `flota-${version}.provenance.json`;
  writeFileSync(join(out, provenance), writeProvenance(source, digests));
  const sums = [...digests, { name: provenance, sha256: digest(join(out, provenance)) }];
  writeFileSync(join(out, 'SHA256SUMS'), sums.map((one) => `${one.sha256}  ${one.name}\n`).join(''));
  return [...sums.map(({ name }) => name), 'SHA256SUMS'];
}

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
