/** The one version of a release, and every file that has to say it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReleaseError } from './errors.ts';

/** `$1`, the version, `$2`. */
const places: Record<string, RegExp> = {
  'package.json': /^( {2}"version": ")([^"]+)(",)$/gm,
  // Of the root and of its own entry in `packages`; no other package is indented so little and called flota.
  'package-lock.json': /^((?: {2}| {6})"name": "flota",\n +"version": ")([^"]+)(",)$/gm,
  'deploy/helm/flota/Chart.yaml': /^((?:version|appVersion): )(\S+)()$/gm,
  'deploy/helm/examples/large.yaml': /^( {2}tag: )(\S+)()$/gm,
  'deploy/terraform/README.md': /(-var image_tag=)([\d.]+)(`)/g,
  'deploy/cli/README.md': /(\.\/flota-(?:cli-)?)(\d+\.\d+\.\d+)(\.tgz)/g,
  'firmware/esp-idf/flota/idf_component.yml': /^(version: ")([^"]+)(")$/gm,
  // Of the component; ESP-IDF's follows.
  'firmware/esp-idf/examples/minimal/dependencies.lock': /^( {4}version: )(\S+)()(?=\n {2}idf:)/gm,
  'firmware/arduino-esp32/library.json': /^( {2}"version": ")([^"]+)(",)$/gm,
  'firmware/arduino-esp32/library.properties': /^(version=)(\S+)()$/gm,
};

/** Throws ReleaseError (`versions_differ`) unless all files say the same; returns it. */
export function readVersion(root: string): string {
  const said = Object.entries(places).flatMap(([file, pattern]) => {
    const found = [...readFileSync(join(root, file), 'utf8').matchAll(pattern)].map((match) => match[2]!);
    if (found.length === 0) throw new ReleaseError('versions_differ', `${file} says no version`);
    return found.map((version) => ({ file, version }));
  });
  const { version } = said[0]!;
  const other = said.find((one) => one.version !== version);
  if (other)
    throw new ReleaseError(
      'versions_differ',
      `package.json says ${version}, ${other.file} says ${other.version}`,
    );
  return version;
}

export function writeVersion(root: string, version: string): void {
  for (const [file, pattern] of Object.entries(places)) {
    const path = join(root, file);
    writeFileSync(path, readFileSync(path, 'utf8').replace(pattern, `$1${version}$3`));
  }
}
