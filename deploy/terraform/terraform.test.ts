/** What can be said of the configuration without Terraform and its provider: it parses, is formatted, and names nothing that is not there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from '@cdktn/hcl-tools';
import { parse } from '@cdktn/hcl2json';
import { beforeAll, describe, expect, it } from 'vitest';

const here = dirname(fileURLToPath(import.meta.url));
const files = readdirSync(here, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.tf'));

type Blocks = Record<string, Record<string, unknown[]>>;
interface Folder {
  text: string;
  variables: Map<string, { required: boolean }>;
  outputs: Set<string>;
  resources: Set<string>;
  locals: Set<string>;
  calls: Map<string, Record<string, unknown>>;
}
const folders = new Map<string, Folder>();

beforeAll(async () => {
  for (const path of files) {
    const text = readFileSync(join(here, path), 'utf8');
    const json = (await parse(path, text)) as Blocks & { locals?: Record<string, unknown>[] };
    const dir = dirname(path);
    const folder = folders.get(dir) ?? {
      text: '',
      variables: new Map(),
      outputs: new Set(),
      resources: new Set(),
      locals: new Set(),
      calls: new Map(),
    };
    folders.set(dir, folder);
    // Comments name what they like.
    folder.text += text.replace(/^\s*#.*$/gm, '');
    for (const [name, [block]] of Object.entries(json.variable ?? {}))
      folder.variables.set(name, { required: !Object.hasOwn(block as object, 'default') });
    for (const name of Object.keys(json.output ?? {})) folder.outputs.add(name);
    for (const [kind, prefix] of [
      ['resource', ''],
      ['data', 'data.'],
    ] as const)
      for (const [type, named] of Object.entries(json[kind] ?? {}))
        for (const name of Object.keys(named)) folder.resources.add(`${prefix}${type}.${name}`);
    for (const block of json.locals ?? []) for (const name of Object.keys(block)) folder.locals.add(name);
    for (const [name, [block]] of Object.entries(json.module ?? {}))
      folder.calls.set(name, block as Record<string, unknown>);
  }
});

const target = (dir: string, call: Record<string, unknown>) => normalize(join(dir, String(call.source)));

describe('the Terraform configuration', () => {
  it('parses, and is formatted as terraform fmt would', async () => {
    expect(files.length).toBeGreaterThan(15);
    for (const path of files) {
      const text = readFileSync(join(here, path), 'utf8');
      expect(await format(text), path).toBe(text);
    }
  });

  it('gives each module what it needs and nothing that it does not know', () => {
    for (const [dir, folder] of folders)
      for (const [name, call] of folder.calls) {
        const called = folders.get(target(dir, call));
        expect(called, `${dir}: ${name}`).toBeDefined();
        const given = Object.keys(call).filter(
          (key) => !['source', 'count', 'for_each', 'depends_on', 'providers'].includes(key),
        );
        for (const key of given) expect([...called!.variables.keys()], `${dir}: ${name}`).toContain(key);
        for (const [key, { required }] of called!.variables)
          if (required) expect(given, `${dir}: module ${name} needs ${key}`).toContain(key);
      }
  });

  it('refers to variables, locals, resources and outputs that are there, and declares none in vain', () => {
    for (const [dir, folder] of folders) {
      const { text } = folder;
      const names = (pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map((match) => match[1]!))];
      const used = names(/\bvar\.([a-z0-9_]+)/g);
      for (const name of used) expect([...folder.variables.keys()], dir).toContain(name);
      for (const name of folder.variables.keys())
        expect(used, `${dir}: variable ${name} is used nowhere`).toContain(name);
      const locals = names(/\blocal\.([a-z0-9_]+)/g);
      expect(locals.sort(), dir).toEqual([...folder.locals].sort());
      for (const reference of names(/((?:\bdata\.)?\b(?:aws|random)_[a-z0-9_]+\.[a-z0-9_]+)\b(?!["/])/g))
        if (!/^(aws|random)_[a-z0-9_]+\.(tf)$/.test(reference))
          expect([...folder.resources], dir).toContain(reference);
      for (const match of text.matchAll(/\bmodule\.([a-z0-9_]+)(?:\[[^\]]*\])?\.([a-z0-9_]+)/g)) {
        const call = folder.calls.get(match[1]!);
        expect(call, `${dir}: ${match[0]}`).toBeDefined();
        expect([...folders.get(target(dir, call!))!.outputs], match[0]).toContain(match[2]);
      }
    }
  });

  it('lets nobody mount what is kept but through an access point, and over TLS', () => {
    const { text } = folders.get('.')!;
    expect(text).toMatch(
      /resource "aws_efs_file_system_policy" "state" \{\s+file_system_id = aws_efs_file_system\.state\.id\s+policy\s+= data\.aws_iam_policy_document\.state\.json/,
    );
    const [, document] = /data "aws_iam_policy_document" "state" \{([\s\S]*?)\n\}/.exec(text)!;
    const statements = document!.split(/^ {2}statement \{/m).slice(1);
    // Who is allowed, the roles say; to allow here would be to allow anybody.
    for (const statement of statements) expect(statement).toMatch(/effect\s+= "Deny"/);
    expect(document).toMatch(/StringNotLike"\s+variable = "elasticfilesystem:AccessPointArn"/);
    expect(document).toMatch(/variable = "aws:SecureTransport"\s+values\s+= \["false"\]/);
    expect(folders.get('modules/roles')!.text).toContain('elasticfilesystem:AccessPointArn');
  });

  it('gives a program whose root cannot be written a /tmp that it may write', () => {
    const { text } = folders.get('modules/service')!;
    expect(text).toMatch(/readonlyRootFilesystem\s+= true/);
    expect(text).toContain('{ sourceVolume = "tmp", containerPath = "/tmp" }');
    expect(text).toMatch(/volume \{\s+name = "tmp"\s+\}/);
    // Fargate takes owner and mode from the image, and root's without the word.
    const dockerfile = readFileSync(join(here, '../image/Dockerfile'), 'utf8');
    expect(dockerfile.split(/^FROM /m).at(-1)).toMatch(/^VOLUME \/tmp$/m);
  });

  it('lets each secret that a container reads be one that is made', () => {
    const secrets = folders.get('modules/secrets')!.text;
    const asked = [...folders.get('.')!.text.matchAll(/module\.secrets\.arns\["([a-z0-9_]+)"\]/g)].map(
      (match) => match[1]!,
    );
    asked.push(
      ...[...folders.get('modules/broker')!.text.matchAll(/var\.secrets\["([a-z0-9_]+)"\]/g)].map(
        (match) => match[1]!,
      ),
    );
    expect(asked.length).toBeGreaterThan(12);
    for (const name of asked) expect(secrets).toContain(`"${name}"`);
  });

  it('has a description for each variable of its face, and a check for each that could be wrong', () => {
    for (const name of folders.get('.')!.variables.keys()) {
      const block = folders.get('.')!.text.split(`variable "${name}" {`)[1]!.split(/^}/m)[0]!;
      expect(block, name).toContain('description');
      if (!/type\s+= (bool|map)/.test(block)) expect(block, name).toContain('validation');
    }
    for (const path of files) expect(existsSync(join(here, path)), relative(here, path)).toBe(true);
  });
});
