/** What is read of SBOMs, by what packages know each other, and which version is older. No server. */
import { describe, expect, test } from 'vitest';
import { maxPackages, readSbom } from './document.ts';
import { keysOfAffected, keysOfPackage } from './keys.ts';
import { compareVersions } from './versions.ts';

const read = (document: unknown) =>
  readSbom(Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)));
const refusal = (document: unknown) => {
  try {
    return read(document);
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
};
const cyclonedx = (components: unknown[]) => ({ bomFormat: 'CycloneDX', specVersion: '1.6', components });
const cpe = 'cpe:2.3:a:arm:mbed_tls:3.4.0:*:*:*:*:*:*:*';

describe('a document', () => {
  test('of CycloneDX is read with the components of its components', () => {
    const inner = { type: 'library', name: 'zlib', version: '1.3', purl: 'pkg:generic/zlib@1.3' };
    const outer = {
      type: 'library',
      group: 'espressif',
      name: 'esp-idf',
      version: 'v5.2',
      components: [inner],
    };
    expect(read(cyclonedx([outer]))).toEqual({
      format: 'cyclonedx',
      specVersion: '1.6',
      packages: [
        { name: 'espressif/esp-idf', version: 'v5.2', purl: null, cpe: null },
        { name: 'zlib', version: '1.3', purl: 'pkg:generic/zlib@1.3', cpe: null },
      ],
    });
  });

  const wanted = [{ name: 'mbedtls', version: '3.4.0', purl: 'pkg:github/mbed-tls/mbedtls@v3.4.0', cpe }];
  test('of SPDX 2 and 3 as JSON says the same', () => {
    const externalRefs = [
      { referenceCategory: 'SECURITY', referenceType: 'cpe23Type', referenceLocator: cpe },
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: wanted[0]!.purl },
    ];
    const two = {
      spdxVersion: 'SPDX-2.3',
      packages: [{ name: 'mbedtls', versionInfo: '3.4.0', externalRefs }],
    };
    expect(read(two)).toEqual({ format: 'spdx', specVersion: '2.3', packages: wanted });
    const three = {
      '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
      '@graph': [
        { type: 'CreationInfo' },
        {
          type: 'software_Package',
          name: 'mbedtls',
          software_packageVersion: '3.4.0',
          software_packageUrl: wanted[0]!.purl,
          externalIdentifier: [{ externalIdentifierType: 'cpe23', identifier: cpe }],
        },
      ],
    };
    expect(read(three).packages).toEqual(wanted);
  });

  test('of SPDX as tag-value, as esp-idf-sbom writes it, says the same', () => {
    const lines = `SPDXVersion: SPDX-2.2
DataLicense: CC0-1.0
DocumentComment: <text>
PackageName: not a package
</text>

# Package
PackageName: mbedtls
SPDXID: SPDXRef-COMPONENT-mbedtls
PackageVersion: 3.4.0
ExternalRef: SECURITY cpe23Type ${cpe}
ExternalRef: PACKAGE-MANAGER purl ${wanted[0]!.purl}
PackageLicenseConcluded: NOASSERTION
`;
    expect(read(lines)).toEqual({ format: 'spdx-tag-value', specVersion: '2.2', packages: wanted });
    expect(refusal(`${lines}PackageVersion: 3.4.1\n`)).toMatch(
      /^sbom_invalid: line 14: a second PackageVersion/,
    );
    expect(refusal(`${lines}what is this\n`)).toBe('sbom_invalid: line 14: is no tag with a value.');
    expect(refusal(lines.replace('</text>', ''))).toBe('sbom_invalid: A <text> has no end.');
  });

  test.each<[string, unknown, string]>([
    ['another JSON', { name: 'x' }, 'neither CycloneDX'],
    ['a list', [], 'neither CycloneDX nor SPDX'],
    ['nothing', '', 'neither CycloneDX nor SPDX'],
    ['half a JSON', '{"bomFormat":', 'not JSON'],
    [
      'a key twice',
      '{"bomFormat":"CycloneDX","specVersion":"1.5",\n"components":[],"components":[]}',
      'line 2: has the key components twice',
    ],
    [
      'a key twice, once escaped',
      '{"bomFormat":"CycloneDX","bom\\u0046ormat":"CycloneDX"}',
      'has the key bomFormat twice',
    ],
    ['deep nesting', `{"bomFormat":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'nests deeper than 64'],
    ['a component without a name', cyclonedx([{ version: '1' }]), 'name'],
    ['a name without an end', cyclonedx([{ name: 'x'.repeat(2_000) }]), 'name'],
    ['too many packages', cyclonedx(Array(maxPackages + 1).fill({ name: 'x' })), 'are the most'],
    ['U+0000', '{"bomFormat":"CycloneDX","specVersion":"1.5\0"}', 'not text'],
  ])('that is %s is refused', (_, document, why) => {
    expect(refusal(document)).toMatch(/^sbom_invalid: /);
    expect(refusal(document)).toContain(why);
  });

  test.each<[string, string]>([
    ['a string without an end, of escaped quotes', `{"${'\\"'.repeat(60_000)}`],
    ['the same that ends with a backslash', `{"${'\\"'.repeat(60_000)}\\`],
    ['blanks within a line', `SPDXVersion: SPDX-2.3\na: b${' '.repeat(60_000)}c\nwhat is this\n`],
    ['packages that are none', `{"spdxVersion":"SPDX-2.3","packages":[${'1,'.repeat(1_000_000)}1]}`],
    [
      'references that are none',
      `{"spdxVersion":"SPDX-2.3","packages":[{"name":"x","externalRefs":[${'1,'.repeat(1_000_000)}1]}]}`,
    ],
    ['elements that are none', `{"@context":"x","@graph":[${'1,'.repeat(1_000_000)}1]}`],
  ])('of %s is judged as fast as it is read', (_, document) => {
    const before = process.cpuUsage();
    refusal(document);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(1);
  });

  test('that is not UTF-8 is refused', () => {
    expect(() => readSbom(Buffer.from([0x7b, 0xff, 0x7d]))).toThrow('not text in UTF-8');
  });
});

test('a C library is known by repository, name and CPE, a package of npm by its package URL alone', () => {
  const mbedtls = keysOfPackage({
    name: 'mbedtls',
    version: '3.4.0',
    purl: 'pkg:github/Mbed-TLS/mbedtls@v3.4.0',
    cpe,
  });
  expect(mbedtls).toEqual(['pkg:github/mbed-tls/mbedtls', 'name:mbedtls', 'name:mbed-tls']);
  expect(keysOfPackage({ name: 'ms', version: '1.0.0', purl: 'pkg:npm/ms@1.0.0', cpe: null })).toEqual([
    'pkg:npm/ms',
  ]);
  expect(keysOfPackage({ name: 'lwIP', version: '2.1', purl: 'pkg:::garbage', cpe: null })).toEqual([
    'name:lwip',
  ]);
  expect(keysOfAffected(undefined, ['https://github.com/Mbed-TLS/mbedtls.git'])).toEqual([
    'pkg:github/mbed-tls/mbedtls',
  ]);
  expect(keysOfAffected({ ecosystem: 'OSS-Fuzz', name: 'mbedtls' }, [])).toEqual(['name:mbedtls']);
  expect(keysOfAffected({ ecosystem: 'npm', name: 'ms' }, [])).toEqual(['pkg:npm/ms']);
  expect(keysOfAffected({ ecosystem: 'Maven', name: 'org.x:y' }, [])).toEqual(['pkg:maven/org.x/y']);
});

test.each([
  ['1.9.0', '1.10.0'],
  ['1.0.0-rc.1', '1.0.0'],
  ['3.4', '3.4.1'],
  ['v3.4.0', 'mbedtls-3.5.0'],
  ['1.0.2', '1.0.2k'],
  ['2.0-beta', '2.0'],
  ['1.2.3.4', '1.2.3.10'],
  ['R_2_4_9', 'R_2_5_0'],
  ['99999999999999999999.1', '99999999999999999999.2'],
])('%s is older than %s', (older, newer) => {
  expect(compareVersions(older, newer)).toBeLessThan(0);
  expect(compareVersions(newer, older)).toBeGreaterThan(0);
  expect(compareVersions(older, older)).toBe(0);
});
