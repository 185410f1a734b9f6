/** README.md's table of values, from values.schema.json and values.yaml. `npx tsx deploy/helm/values-table.ts` writes it there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

interface Schema {
  type?: string;
  description?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
}
export interface Value {
  path: string;
  schema: Schema;
  /** undefined: values.yaml does not have it. */
  preset: unknown;
}

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const [begin, end] = ['<!-- values: made by values-table.ts -->', '<!-- end of values -->'];

/** Every value that is not a group of values. */
export function readValues(): Value[] {
  const presets = parse(readFileSync(at('flota/values.yaml'), 'utf8'));
  const list = (schema: Schema, preset: unknown, path: string): Value[] =>
    schema.properties
      ? Object.entries(schema.properties).flatMap(([name, inner]) =>
          list(
            inner,
            (preset as Record<string, unknown> | undefined)?.[name],
            path ? `${path}.${name}` : name,
          ),
        )
      : [{ path, schema, preset }];
  const schema = JSON.parse(readFileSync(at('flota/values.schema.json'), 'utf8'));
  // Helm's own.
  return list(schema, presets, '').filter(({ path }) => path !== 'global');
}

/** README.md as it should be. */
export function withTable(readme: string): string {
  const rows = readValues().map(({ path, schema, preset }) => {
    const shown = preset === '' ? '' : `\`${JSON.stringify(preset)?.replace(/^"(.*)"$/, '$1')}\``;
    const oneOf = schema.enum ? ` (${schema.enum.map((one) => `\`${one}\``).join(', ')})` : '';
    return `| \`${path}\` | ${shown} | ${schema.description}${oneOf} |`;
  });
  const table = [begin, '| value | default | |', '| --- | --- | --- |', ...rows, end].join('\n');
  return readme.replace(new RegExp(`${begin}[^]*${end}`), () => table);
}

if (process.argv[1] === at('./values-table.ts'))
  writeFileSync(at('README.md'), withTable(readFileSync(at('README.md'), 'utf8')));
