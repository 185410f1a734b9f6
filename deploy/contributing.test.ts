/** Follows the recipes of CONTRIBUTING.md, all of them in one copy of the repository. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readmeRule } from '#emqx/cli/readme-rule.ts';
import { keptFolder } from './lab/primitives/programs.js';

type Step =
  | { kind: 'run'; command: string }
  | { kind: 'create'; path: string; text: string }
  | { kind: 'insert'; path: string; anchor: string; text: string };

const root = fileURLToPath(new URL('..', import.meta.url));
const contributing = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
const sections = contributing.split(/^## /m).slice(1);
const recipes = sections.map((section) => {
  const [, name, files] = /^(.+) \((\d) files?\)$/m.exec(section)!;
  return { name: name!, files: Number(files), steps: readSteps(section) };
});

/** Each fenced block is a step; the line before it says where it goes. */
function readSteps(section: string): Step[] {
  if (section.includes('](emqx/README.md#adding-a-rule)'))
    return [{ kind: 'create', path: `emqx/rules/${readmeRule.file}`, text: readmeRule.text }];
  return [...section.matchAll(/^(.+):\n\n```(\w+)\n([\s\S]*?)^```$/gm)].map(
    ([, lead, language, text]): Step => {
      if (language === 'sh') return { kind: 'run', command: text! };
      const insert = /^In `([^`]+)`, after `(.+)`$/.exec(lead!);
      if (insert) return { kind: 'insert', path: insert[1]!, anchor: insert[2]!, text: text! };
      const create = /^The new file `([^`]+)`$/.exec(lead!);
      if (create) return { kind: 'create', path: create[1]!, text: text! };
      throw new Error(`"${lead}" does not say where its block goes`);
    },
  );
}

const copy = mkdtempSync(join(tmpdir(), 'contributing-'));
afterAll(() => rmSync(copy, { recursive: true }));
const notCopied = ['node_modules', '.git', '.flota', 'build', 'dist'];

/** As a stranger's shell would: nothing of the test run around it. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => name === 'FLOTA_TEST_PGLITE' || !/^(VITEST|FLOTA_|TEST|NODE_)/.test(name),
  ),
);
async function run(command: string, ...args: string[]): Promise<string> {
  const done = promisify(execFile)(command, args, { cwd: copy, env, maxBuffer: 2 ** 26 });
  const { stdout } = await done.catch((error: Error & { stdout: string; stderr: string }) => {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}${error.stderr}`);
  });
  return stdout;
}

async function follow(step: Step): Promise<void> {
  if (step.kind === 'run') {
    await run('sh', '-ec', step.command);
    return;
  }
  const path = join(copy, step.path);
  if (step.kind === 'create') {
    if (existsSync(path)) throw new Error(`${step.path} is there already`);
    writeFileSync(path, step.text);
    return;
  }
  const lines = readFileSync(path, 'utf8').split('\n');
  const places = lines.flatMap((line, i) => (line.trim() === step.anchor ? [i] : []));
  if (places.length !== 1) throw new Error(`${step.path}: "${step.anchor}" is there ${places.length} times`);
  lines.splice(places[0]! + 1, 0, step.text.trimEnd());
  writeFileSync(path, lines.join('\n'));
}

/** Digests by path; all that a tool writes for a migration is one. */
function listFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(copy, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(copy.length + 1).replace(/^(webhook\/db\/migrations)\/.*/, '$1');
    files.set(
      name,
      createHash('sha256')
        .update(files.get(name) ?? '')
        .update(readFileSync(path))
        .digest('hex'),
    );
  }
  return files;
}

const touched = new Map<string, string[]>();
beforeAll(async () => {
  cpSync(root, copy, { recursive: true, filter: (path) => !notCopied.includes(basename(path)) });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  let before = listFiles();
  for (const { name, steps } of recipes) {
    for (const step of steps) await follow(step);
    const after = listFiles();
    touched.set(
      name,
      [...after].flatMap(([path, digest]) => (before.get(path) === digest ? [] : [path])),
    );
    before = after;
  }
});

test('the first hour: a rule, a device field, a failure reason, a scenario, each in as few files as promised', () => {
  const counts = recipes.map(({ name }) => [name, touched.get(name)!.length]);
  expect(counts).toEqual(recipes.map(({ name, files }) => [name, files]));
  expect(Object.fromEntries(counts)).toEqual({
    'A rule': 1,
    'A device field': 6,
    'A failure reason': 3,
    'A scenario': 1,
  });
});

test('what was written compiles, and is formatted', async () => {
  const files = [...touched.values()].flat().filter((path) => /\.tsx?$/.test(path));
  // What tsc knew of each file in the last run: it looks again at those that have changed, and at whoever uses them.
  const [known, kept] = [join(copy, 'known.tsbuildinfo'), join(keptFolder, 'contributing.tsbuildinfo')];
  if (existsSync(kept)) copyFileSync(kept, known);
  // More threads check the same types more than once: twice the processor time.
  await run('npx', 'tsc', '--noEmit', '--singleThreaded', '--incremental', '--tsBuildInfoFile', known);
  copyFileSync(known, kept);
  await run('npx', 'biome', 'format', ...files);
  await run('clang-19', '-std=c11', '-Wall', '-Werror', '-fsyntax-only', 'firmware/agent/ota_failure.c');
}, 300_000);

test('the field is stored and returned, the reason has the same name in C and words, the rule is one', async () => {
  writeFileSync(
    join(copy, 'webhook/devices/note.test.ts'),
    `import { expect, test } from 'vitest';
    import { startSuite } from '../testing-suite.ts';
    const { webhook } = await startSuite();
    test('a note', async () => {
      const { id } = await webhook.device();
      const at = '/api/devices/' + id;
      expect((await webhook.api('GET', at)).body.note).toBe('');
      await webhook.api('PATCH', at, { note: 'behind the pump' });
      expect((await webhook.api('GET', at)).body.note).toBe('behind the pump');
      expect((await webhook.api('GET', '/api/devices?search=' + id)).body[0].note).toBe('behind the pump');
      expect((await webhook.api('PATCH', at, { note: 'x'.repeat(201) })).status).toBe(400);
    });`,
  );
  const tests = [
    'webhook/devices/note.test.ts',
    'firmware/agent/failures.test.ts',
    'console/i18n/i18n.test.ts',
  ];
  // On the kept database of the other tests, to which the copy has one migration to add.
  writeFileSync(
    join(copy, 'vitest.recipes.config.ts'),
    `export default { test: { testTimeout: 120_000, maxWorkers: 1, isolate: false, include: ${JSON.stringify(tests)} } };`,
  );
  const told = await run(
    'npx',
    'vitest',
    'run',
    '--config',
    'vitest.recipes.config.ts',
    '--reporter',
    'json',
  );
  const { numFailedTests, testResults } = JSON.parse(told.slice(told.indexOf('{')));
  expect([numFailedTests, testResults.length]).toEqual([0, tests.length]);
}, 300_000);

test('the scenario is found by its name, and is short', async () => {
  const [path] = touched.get('A scenario')!;
  expect(readFileSync(join(copy, path!), 'utf8').split('\n').length).toBeLessThan(60);
  expect(await run('node', '--import', 'tsx', 'deploy/lab/main.ts', '--list')).toMatch(
    new RegExp(`^experiment +${basename(path!, '.ts')} `, 'm'),
  );
});

test('a recipe whose place is gone is refused', async () => {
  const at = { kind: 'insert', anchor: "'device.edit': 'Edit',", text: 'x\n' } as const;
  await expect(follow({ ...at, path: 'console/i18n/gone.ts' })).rejects.toThrow('ENOENT');
  await expect(follow({ ...at, path: 'console/i18n/en.ts', anchor: 'gone' })).rejects.toThrow('0 times');
  expect(() => readSteps('Somewhere:\n\n```ts\nx\n```\n')).toThrow('where its block goes');
});
