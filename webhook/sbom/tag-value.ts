/** SPDX 2 as tags and values, a line each (annex E); a text between <text> and </text> may have more lines. */
export interface TaggedPackage {
  name: string;
  versionInfo: string | null;
  externalRefs: { referenceType: string; referenceLocator: string }[];
}

export function readTagValue(
  source: string,
  refuse: (message: string) => Error,
): { version: string; packages: TaggedPackage[] } {
  const lines = source.split(/\r?\n/);
  const [, version] = /^SPDXVersion:\s*SPDX-(2\.\d+)\s*$/m.exec(source) ?? [];
  if (!version) throw refuse('It is neither CycloneDX nor SPDX: no line says its SPDXVersion.');
  const packages: TaggedPackage[] = [];
  let isInText = false;
  for (const [i, line] of lines.entries()) {
    if (isInText) {
      isInText = !line.includes('</text>');
      continue;
    }
    // The blanks around it are not the expression's, which would look for the end of the line from each of them.
    const [, tag, text] = /^(\w+):(.*)$/.exec(line.trimEnd()) ?? [];
    const value = text?.trimStart();
    if (tag === undefined || value === undefined) {
      if (line.trim() === '' || line.startsWith('#')) continue;
      throw refuse(`line ${i + 1}: is no tag with a value.`);
    }
    isInText = value.includes('<text>') && !value.includes('</text>');
    const last = packages.at(-1);
    if (tag === 'PackageName') packages.push({ name: value, versionInfo: null, externalRefs: [] });
    else if (tag === 'PackageVersion' && last) {
      if (last.versionInfo !== null)
        throw refuse(`line ${i + 1}: a second PackageVersion of ${last.name.slice(0, 60)}.`);
      last.versionInfo = value;
    } else if (tag === 'ExternalRef' && last) {
      const [, referenceType, referenceLocator] = value.split(/\s+/);
      if (referenceType && referenceLocator) last.externalRefs.push({ referenceType, referenceLocator });
    }
  }
  if (isInText) throw refuse('A <text> has no end.');
  return { version, packages };
}
