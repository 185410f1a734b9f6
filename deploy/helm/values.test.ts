import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { readValues, withTable } from './values-table.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

it('describes every value and gives it a default, and has no value that is not described', () => {
  const values = readValues();
  expect(values.length).toBeGreaterThan(60);
  for (const { path, schema, preset } of values) {
    expect(schema.description, path).toMatch(/\w/);
    expect(preset, path).toBeDefined();
  }
  const known = values.map(({ path }) => path);
  const walk = (value: unknown, path: string): void => {
    if (known.includes(path)) return;
    expect(value, `${path} is in values.yaml and not in the schema`).toBeTypeOf('object');
    for (const [name, inner] of Object.entries(value as object)) walk(inner, path ? `${path}.${name}` : name);
  };
  walk(parse(readFileSync(at('flota/values.yaml'), 'utf8')), '');
});

it("README.md's table of values is the schema's: npx tsx deploy/helm/values-table.ts writes it", () => {
  const readme = readFileSync(at('README.md'), 'utf8');
  expect(readme).toContain('| `publicUrl` |');
  expect(readme).toBe(withTable(readme));
});
