/** In which order versions are: SemVer's where both are, else part by part. */
import semver from 'semver';

/** Tags of repositories have a prefix: v3.4.0, mbedtls-3.4.0, release_1_2. */
export function plainVersion(version: string): string {
  return version
    .trim()
    .toLowerCase()
    .replace(/^[a-z][a-z\d]*?[-_/](?=\d)|^v(?=\d)|^\D+(?=\d)/, '')
    .replaceAll('_', '.');
}

const beforeRelease = new Set(['a', 'alpha', 'b', 'beta', 'rc', 'pre', 'preview', 'dev', 'snapshot']);

/** Negative: `a` is older. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [plainVersion(a), plainVersion(b)];
  const [left, right] = [semver.parse(x), semver.parse(y)];
  if (left && right) return semver.compare(left, right);
  const [parts, others] = [toParts(x), toParts(y)];
  for (let i = 0; i < Math.max(parts.length, others.length); i++) {
    const order = comparePart(parts[i], others[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function toParts(version: string): string[] {
  return version.replace(/\+.*$/, '').match(/\d+|[a-z]+/g) ?? [];
}

/** A word that says before a release is older than nothing, any other (1.0.2k) newer; a part that is missing is 0. */
function comparePart(a: string | undefined, b: string | undefined): number {
  const rank = (part: string | undefined) => {
    if (part === undefined) return { rank: 1, number: 0n, word: '' };
    if (/^\d/.test(part)) return { rank: 1, number: BigInt(part), word: '' };
    return { rank: beforeRelease.has(part) ? 0 : 2, number: 0n, word: part };
  };
  const [x, y] = [rank(a), rank(b)];
  if (x.rank !== y.rank) return x.rank - y.rank;
  if (x.number !== y.number) return x.number < y.number ? -1 : 1;
  return x.word < y.word ? -1 : x.word > y.word ? 1 : 0;
}
