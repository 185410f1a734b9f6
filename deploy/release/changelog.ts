/** CHANGELOG.md: `## Unreleased`, then a section for each release, the newest first. */
import { ReleaseError } from './errors.ts';

const unreleased = '## Unreleased\n';

/** What has gathered becomes the section of `version`. Throws ReleaseError (`changelog`) when nothing has, or the version has one. */
export function closeSection(changelog: string, version: string, date: string): string {
  const at = changelog.indexOf(unreleased);
  if (at < 0) throw new ReleaseError('changelog', 'CHANGELOG.md has no section "Unreleased"');
  if (sectionOf(changelog, version) !== null)
    throw new ReleaseError('changelog', `CHANGELOG.md has a section of ${version} already`);
  if (textAfter(changelog, at + unreleased.length) === '')
    throw new ReleaseError('changelog', 'CHANGELOG.md says of nothing that is new');
  return changelog.replace(unreleased, `${unreleased}\n## ${version} (${date})\n`);
}

/** What changed in a version; null when there is no such section. */
export function sectionOf(changelog: string, version: string): string | null {
  const head = new RegExp(`^## ${version.replaceAll('.', '\\.')} \\(\\d{4}-\\d{2}-\\d{2}\\)\\n`, 'm').exec(
    changelog,
  );
  return head && textAfter(changelog, head.index + head[0].length);
}

function textAfter(changelog: string, from: number): string {
  const next = changelog.indexOf('\n## ', from - 1);
  return changelog.slice(from, next < 0 ? undefined : next).trim();
}
