/** The roll-out of the workflow, against an aws command that answers as ECS does. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';

let dir: string;
const root = fileURLToPath(new URL('../../', import.meta.url));
const script = join(root, 'deploy/terraform/roll-out');
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flota-roll-out-'));
  const definition = {
    family: 'flota-webhook',
    revision: 7,
    status: 'ACTIVE',
    taskDefinitionArn: 'arn:7',
    cpu: '1024',
    containerDefinitions: [
      { name: 'main', image: 'registry/flota:old', secrets: [{ name: 'A', valueFrom: 'arn:a' }] },
    ],
  };
  writeFileSync(join(dir, 'definition.json'), JSON.stringify(definition));
  // Ends up in $NOW what describe-services tells.
  writeFileSync(
    join(dir, 'aws'),
    `#!/bin/sh
echo "$*" >> '${dir}/calls'
case $2 in
  describe-task-definition) cat '${dir}/definition.json' ;;
  register-task-definition) printf '%s' "$4" > '${dir}/registered.json'; echo arn:8 ;;
  describe-services) echo "\${NOW:-arn:8}" ;;
  update-service) echo flota-webhook ;;
esac
`,
  );
  chmodSync(join(dir, 'aws'), 0o755);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const run = (env: Record<string, string>, ...args: string[]) =>
  new Promise<{ status: number; output: string }>((resolve) => {
    const options = { env: { PATH: `${dir}:${process.env.PATH}`, ...env } };
    execFile(script, args, options, (error, out, errors) =>
      resolve({ status: error ? Number(error.code) : 0, output: out + errors }),
    );
  });
const args = ['flota', 'flota-webhook', 'registry/flota:v2'];

test('registers the newest definition with the new image and nothing else changed, and waits', async () => {
  const { status, output } = await run({}, ...args);
  expect(output).toContain('flota-webhook runs registry/flota:v2');
  expect(status).toBe(0);
  expect(JSON.parse(readFileSync(join(dir, 'registered.json'), 'utf8'))).toEqual({
    family: 'flota-webhook',
    cpu: '1024',
    containerDefinitions: [
      { name: 'main', image: 'registry/flota:v2', secrets: [{ name: 'A', valueFrom: 'arn:a' }] },
    ],
  });
  const calls = readFileSync(join(dir, 'calls'), 'utf8');
  expect(calls).toMatch(
    /update-service --cluster flota --service flota-webhook --task-definition arn:8[\s\S]*wait services-stable/,
  );
});

test('fails when ECS has gone back to the old one, and when it is called wrongly', async () => {
  expect(await run({ NOW: 'arn:7' }, ...args)).toMatchObject({
    status: 1,
    output: expect.stringContaining('went back to arn:7'),
  });
  expect((await run({}, 'flota')).status).toBe(2);
});

test('the workflows run commands that there are, on pinned actions, with no more rights than they need', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const name of ['ci', 'deploy']) {
    const text = readFileSync(join(root, `.github/workflows/${name}.yaml`), 'utf8');
    const workflow = parse(text) as {
      permissions: Record<string, string>;
      jobs: Record<
        string,
        {
          steps?: { uses?: string; run?: string }[];
          needs?: string;
          uses?: string;
          'timeout-minutes'?: number;
        }
      >;
    };
    expect(workflow.permissions.contents).toBe('read');
    for (const [id, job] of Object.entries(workflow.jobs)) {
      if (job.needs) expect(Object.keys(workflow.jobs), id).toContain(job.needs);
      if (!job.uses) expect(job['timeout-minutes'], id).toBeGreaterThan(0);
      for (const { uses } of job.steps ?? []) if (uses) expect(uses).toMatch(/@v\d+$/);
    }
    for (const [, script] of text.matchAll(/npm run ([a-z:]+)/g)) expect(scripts).toHaveProperty([script!]);
    for (const [, path] of text.matchAll(/(deploy\/[A-Za-z./-]+[a-zA-Z])/g))
      expect(() => readFileSync(join(root, path!))).not.toThrow(/ENOENT/);
  }
});
