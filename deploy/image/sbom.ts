/** What of npm is in a bundle, as CycloneDX: npm's own list of what package-lock.json holds, less what was not bundled. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

interface Sbom {
  serialNumber: string;
  metadata: { timestamp?: string; component: { name: string; 'bom-ref': string } };
  components: { 'bom-ref': string }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

/** Adds `name@version` of every package that has code in what is built. */
export function collectPackages(packages: Set<string>): Plugin {
  return {
    name: 'flota-collect-packages',
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((one) => (one.type === 'chunk' ? one.moduleIds : []));
      const folders = modules.map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0]);
      for (const folder of new Set(folders.filter((one) => one !== undefined))) {
        const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
        packages.add(`${name}@${version}`);
      }
    },
  };
}

/** The same text for the same packages: without a time, or with that of SOURCE_DATE_EPOCH. Throws for a package that the lock does not hold. */
export function writeSbom(root: string, packages: Set<string>, sourceDate: Date | null): string {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only'];
  // A build is production, for which npm leaves out what development needs too, such as jose, although the product does.
  args.push('--include', 'dev');
  const listed = execFileSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 });
  const sbom = JSON.parse(listed) as Sbom;
  const { component } = sbom.metadata;
  // npm takes the folder's name.
  component.name = component['bom-ref'].replace(/@[^@]*$/, '');
  const inside = (ref: string) => packages.has(ref) || ref === component['bom-ref'];
  sbom.components = sbom.components.filter((one) => inside(one['bom-ref']));
  const known = new Set(sbom.components.map((one) => one['bom-ref']));
  const unknown = [...packages].filter((ref) => !known.has(ref));
  if (unknown.length > 0) throw new Error(`bundled, and not in package-lock.json: ${unknown.join(', ')}`);
  sbom.dependencies = sbom.dependencies
    .filter(({ ref }) => inside(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter(inside) }));
  if (sourceDate) sbom.metadata.timestamp = sourceDate.toISOString();
  else delete sbom.metadata.timestamp;
  const digest = createHash('sha256').update(JSON.stringify(sbom.components)).digest('hex');
  // A version 8 UUID (RFC 9562, 5.8): bits of our own choice.
  const [, a, b, c, d] = /^(.{8})(.{4}).(.{3}).{4}(.{12})/.exec(digest)!;
  sbom.serialNumber = `urn:uuid:${a}-${b}-8${c}-8${digest.slice(17, 20)}-${d}`;
  return `${JSON.stringify(sbom, null, 2)}\n`;
}
