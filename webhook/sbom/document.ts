/** What is read of an SBOM: CycloneDX and SPDX as JSON, and SPDX as tag-value, which esp-idf-sbom writes. Pure. */
import { z } from 'zod';
import { AppError } from '../errors.ts';
import { parseStrictJson } from './strict-json.ts';
import { readTagValue } from './tag-value.ts';

export const sbomFormats = ['cyclonedx', 'spdx', 'spdx-tag-value'] as const;
export type SbomFormat = (typeof sbomFormats)[number];

export interface Package {
  name: string;
  version: string | null;
  purl: string | null;
  cpe: string | null;
}
export interface SbomDocument {
  format: SbomFormat;
  specVersion: string;
  packages: Package[];
}

export const maxPackages = 20_000;
/** Longer ones are of nobody who means well. */
const text = z.string().max(1_000);
const optional = text.nullish().transform((value) => value || null);

/** CycloneDX 1.2 to 1.6, §components; they may hold each other. */
const component = z.object({
  name: text.min(1),
  group: optional,
  version: optional,
  purl: optional,
  cpe: optional,
  components: z.array(z.unknown()).optional(),
});
const cyclonedx = z.object({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.string().regex(/^\d+\.\d+$/),
  components: z.array(z.unknown()).default([]),
});

/** More names of one package are of nobody who means well, either. */
const maxReferences = 1_000;
/** SPDX 2.2 and 2.3, clause 7. Packages are read one by one: the first that is wrong is told, and the others cost nothing. */
const spdx2 = z.object({
  spdxVersion: z.string().regex(/^SPDX-2\.\d+$/),
  packages: z.array(z.unknown()).default([]),
});
const spdx2Package = z.object({
  name: text.min(1),
  versionInfo: optional,
  externalRefs: z
    .array(z.object({ referenceType: text, referenceLocator: text }))
    .max(maxReferences)
    .default([]),
});

/** SPDX 3.0 as JSON-LD: packages among the elements of the graph. */
const spdx3 = z.object({
  '@context': z.unknown(),
  '@graph': z.array(z.unknown()),
});
const spdx3Package = z.object({
  name: text.min(1),
  software_packageVersion: optional,
  software_packageUrl: optional,
  externalIdentifier: z
    .array(z.object({ externalIdentifierType: text, identifier: text }))
    .max(maxReferences)
    .default([]),
});

/** Throws `sbom_invalid`. */
export function readSbom(content: Uint8Array): SbomDocument {
  const source = decode(content);
  const read = /^\s*\{/.test(source) ? readJson(source) : readSpdxTags(source);
  if (read.packages.length > maxPackages)
    throw refuse(`It lists ${read.packages.length} packages; ${maxPackages} are the most.`);
  return read;
}

function decode(content: Uint8Array): string {
  try {
    const source = new TextDecoder('utf-8', { fatal: true }).decode(content);
    if (!source.includes('\0')) return source;
  } catch {}
  throw refuse('It is not text in UTF-8.');
}

function readJson(source: string): SbomDocument {
  let json: unknown;
  try {
    json = parseStrictJson(source);
  } catch (cause) {
    throw refuse(`It is not JSON that can be relied on: ${(cause as Error).message.slice(0, 120)}.`, cause);
  }
  const of = json as Record<string, unknown>;
  if ('bomFormat' in of) {
    const { specVersion, components } = parse(cyclonedx, json);
    return { format: 'cyclonedx', specVersion, packages: components.flatMap(readComponent) };
  }
  if ('spdxVersion' in of) {
    const { spdxVersion, packages } = parse(spdx2, json);
    return { format: 'spdx', specVersion: spdxVersion.slice(5), packages: packages.map(readSpdx2) };
  }
  if ('@graph' in of) {
    const elements = parse(spdx3, json)['@graph'].filter(
      (element) => (element as { type?: unknown } | null)?.type === 'software_Package',
    );
    const packages = elements.map((element): Package => {
      const one = parse(spdx3Package, element);
      const cpe = one.externalIdentifier.find((id) => /^cpe2[23]$/.test(id.externalIdentifierType));
      return {
        name: one.name,
        version: one.software_packageVersion,
        purl: one.software_packageUrl,
        cpe: cpe?.identifier ?? null,
      };
    });
    return { format: 'spdx', specVersion: '3.0', packages };
  }
  throw refuse('It is neither CycloneDX (bomFormat) nor SPDX (spdxVersion).');
}

function readComponent(given: unknown): Package[] {
  const { name, group, version, purl, cpe, components = [] } = parse(component, given);
  const own = { name: group ? `${group}/${name}` : name, version, purl, cpe };
  return [own, ...components.flatMap(readComponent)];
}

function readSpdxTags(source: string): SbomDocument {
  const { version, packages } = readTagValue(source, refuse);
  return {
    format: 'spdx-tag-value',
    specVersion: version,
    packages: packages.map(readSpdx2),
  };
}

function readSpdx2(given: unknown): Package {
  const one = parse(spdx2Package, given);
  const find = (type: RegExp) =>
    one.externalRefs.find(({ referenceType }) => type.test(referenceType))?.referenceLocator ?? null;
  // NOASSERTION: clause 7.3 has no such value, and tools write it.
  const version = one.versionInfo === 'NOASSERTION' ? null : one.versionInfo;
  return { name: one.name, version, purl: find(/^purl$/), cpe: find(/^cpe2[23]Type$/) };
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw refuse(`${path.join('.') || 'document'}: ${message}.`);
}

function refuse(message: string, cause?: unknown): AppError {
  return new AppError('sbom_invalid', message, { cause });
}
