import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { closeSection, sectionOf } from './changelog.ts';
import { readVersion, writeVersion } from './versions.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'flota-release-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const files = [
  'package.json',
  'package-lock.json',
  'deploy/helm/flota/Chart.yaml',
  'deploy/helm/examples/large.yaml',
  'deploy/terraform/README.md',
  'deploy/cli/README.md',
  'firmware/esp-idf/flota/idf_component.yml',
  'firmware/esp-idf/examples/minimal/dependencies.lock',
  'firmware/arduino-esp32/library.json',
  'firmware/arduino-esp32/library.properties',
];

describe('the version', () => {
  test('is the same wherever it is said', () => {
    expect(readVersion(root)).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('is written everywhere, and one file that differs is named', () => {
    for (const file of files) {
      mkdirSync(dirname(join(scratch, file)), { recursive: true });
      cpSync(join(root, file), join(scratch, file));
    }
    const before = readVersion(root);
    writeVersion(scratch, '7.8.9');
    expect(readVersion(scratch)).toBe('7.8.9');
    for (const file of files) expect(readFileSync(join(scratch, file), 'utf8')).toContain('7.8.9');
    // Nothing else of them has changed.
    writeVersion(scratch, before);
    for (const file of files)
      expect(readFileSync(join(scratch, file), 'utf8')).toBe(readFileSync(join(root, file), 'utf8'));
    const chart = join(scratch, 'deploy/helm/flota/Chart.yaml');
    writeFileSync(chart, readFileSync(chart, 'utf8').replace(/^appVersion: .*/m, 'appVersion: 0.0.9'));
    expect(() => readVersion(scratch)).toThrow(
      `package.json says ${before}, deploy/helm/flota/Chart.yaml says 0.0.9`,
    );
  });
});

describe('the changelog', () => {
  const changelog = '# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.1.0 (2026-01-02)\n\n- First.\n';

  test('closes what has gathered', () => {
    const closed = closeSection(changelog, '0.2.0', '2026-03-04');
    expect(closed).toBe(
      '# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-03-04)\n\n- New.\n\n## 0.1.0 (2026-01-02)\n\n- First.\n',
    );
    expect([sectionOf(closed, '0.2.0'), sectionOf(closed, '0.1.0'), sectionOf(closed, '0.10')]).toEqual([
      '- New.',
      '- First.',
      null,
    ]);
    expect(() => closeSection(closed, '0.3.0', '2026-03-05')).toThrow('says of nothing that is new');
    expect(() => closeSection(changelog, '0.1.0', '2026-03-05')).toThrow('a section of 0.1.0 already');
    expect(() => closeSection('# Changelog\n', '0.1.0', '2026-03-05')).toThrow('no section "Unreleased"');
  });

  test('of ours has a section of the version', () => {
    expect(sectionOf(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), readVersion(root))).toMatch(/^.{50}/);
  });
});
