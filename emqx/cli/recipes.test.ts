/** Each recipe: its samples on a broker, and the action of EMQX's own that it names. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeAt, readHocon, toPlain } from '../hocon.ts';
import { readRules } from '../rules.ts';
import { startCliBed } from './test-run.ts';

const recipes = fileURLToPath(new URL('../recipes/', import.meta.url));
let cli: Awaited<ReturnType<typeof startCliBed>>;
beforeAll(async () => {
  cli = await startCliBed();
});
afterAll(() => cli.close());

test('the samples pass `test`, all of them', async () => {
  const { status, text } = await cli.run('test', {}, {}, recipes);
  expect(text).toMatch(/^6 ok, 0 failed, 0 not run$/m);
  expect(status, text).toBe(0);
});

test('the action is in the file beside it, with a connector, and asks for columns that the rule has', () => {
  const { sources, samples } = readRules(recipes);
  const confs = readdirSync(recipes).filter((name) => name.endsWith('.conf'));
  expect(sources).toHaveLength(confs.length);
  for (const { id, file, settings } of sources) {
    const conf = readHocon(file.replace(/\.hocon$/, '.conf'));
    const [type = '', name = ''] = (settings.actions as string[])[0]!.split(':');
    const action = toPlain(nodeAt(conf, 'actions', type, name)!) as Record<string, unknown>;
    expect(nodeAt(conf, 'connectors', type, String(action.connector)), file).toBeDefined();
    const columns = Object.keys(samples.find(({ rule }) => rule === id)!.receives[0]!);
    // What EMQX itself puts into the key of an aggregated upload.
    const ofEmqx = ['action', 'node', 'datetime.rfc3339utc', 'sequence'];
    const asked = [...JSON.stringify(action).matchAll(/\$\{\.?([\w.]*)\}/g)].map((found) => found[1]!);
    expect(asked.length, file).toBeGreaterThan(0);
    for (const name of asked.filter(Boolean)) expect([...columns, ...ofEmqx], file).toContain(name);
    const order = (nodeAt(conf, 'actions', type, name, 'parameters', 'container', 'column_order') ??
      null) as never;
    if (order) expect((toPlain(order) as string[]).toSorted(), file).toEqual(columns.toSorted());
    // No secret in a file of the repository.
    expect(JSON.stringify(toPlain(conf))).not.toMatch(/(password|secret_access_key)":"(?!file:\/\/)/);
  }
});

test('an action of a type that no recipe has is unknown', () => {
  cli.write(
    'typo.hocon',
    'rule_engine.rules.typo { sql = "SELECT 1 as a FROM \\"t\\"", actions = ["kafka:x"] }',
  );
  expect(() => readRules(cli.dir)).toThrow('unknown action "kafka:x"');
});
