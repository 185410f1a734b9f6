/** By what the package of an SBOM and that of an advisory know each other: package URLs without version, and plain names. */
import { PackageURL } from 'packageurl-js';
import type { Package } from './document.ts';

/** OSV's ecosystems by the type of package URL that is theirs (https://ossf.github.io/osv-schema/#defined-ecosystems). */
const typeByEcosystem: Record<string, string> = {
  npm: 'npm',
  PyPI: 'pypi',
  Go: 'golang',
  'crates.io': 'cargo',
  Maven: 'maven',
  NuGet: 'nuget',
  RubyGems: 'gem',
  Packagist: 'composer',
  Hex: 'hex',
  Pub: 'pub',
  SwiftURL: 'swift',
  ConanCenter: 'conan',
  Debian: 'deb/debian',
  Ubuntu: 'deb/ubuntu',
  Alpine: 'apk/alpine',
};

/** Types whose names say little alone or that C libraries go by: these are also known by name. */
const byName = new Set(['generic', 'conan', 'github', 'gitlab', 'bitbucket']);

/** Of a package of an SBOM; never empty. */
export function keysOfPackage({ name, purl, cpe }: Package): string[] {
  const parsed = parsePurl(purl);
  const keys = new Set<string>();
  if (parsed) keys.add(keyOf(parsed));
  if (!parsed || byName.has(parsed.type)) {
    keys.add(nameKey(parsed?.name ?? name));
    keys.add(nameKey(name));
    const product = cpe?.startsWith('cpe:2.3:') ? cpe.split(/(?<!\\):/)[4] : undefined;
    if (product && product !== '*') keys.add(nameKey(product.replaceAll('\\', '')));
  }
  return [...keys];
}

export interface AffectedPackage {
  ecosystem: string;
  name: string;
  purl?: string | undefined;
}

/** Of what an advisory says is affected; repositories are those of its GIT ranges. */
export function keysOfAffected(affected: AffectedPackage | undefined, repositories: string[]): string[] {
  const keys = new Set<string>();
  for (const repository of repositories) {
    const [, host, path] =
      /^(?:https?|git):\/\/(?:www\.)?([^/]+)\/(.+?)(?:\.git)?\/?$/.exec(repository) ?? [];
    if (host && path) keys.add(`pkg:${host.replace(/\.(com|org)$/, '')}/${path}`.toLowerCase());
  }
  if (!affected) return [...keys];
  const purl = parsePurl(affected.purl ?? null);
  if (purl) keys.add(keyOf(purl));
  const type = typeByEcosystem[affected.ecosystem.split(':')[0]!];
  if (type) keys.add(`pkg:${type}/${affected.name.replace(':', '/')}`.toLowerCase());
  if (!type || type === 'conan') keys.add(nameKey(affected.name));
  return [...keys];
}

/** As it is written when it is one; null for garbage, which names nothing. */
export function parsePurl(text: string | null): PackageURL | null {
  if (!text) return null;
  try {
    return PackageURL.fromString(text);
  } catch {
    return null;
  }
}

function keyOf({ type, namespace, name }: PackageURL): string {
  return `pkg:${[type, namespace, name].filter(Boolean).join('/')}`.toLowerCase();
}

export function nameKey(name: string): string {
  return `name:${name.toLowerCase().replaceAll('_', '-')}`;
}
