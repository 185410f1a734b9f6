/** For tests only: runs the steps of a composite GitHub action as a runner does (`bash -eo pipefail`), as far as ours need it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';

interface Action {
  inputs: Record<string, { required?: boolean; default?: string }>;
  runs: { steps: { id?: string; env?: Record<string, string>; run: string }[] };
}

/** Throws with what was said when a step fails; resolves with the outputs of all steps by `id.name`. */
export async function runAction(
  file: string,
  given: Record<string, string>,
  dir: string,
): Promise<Record<string, string>> {
  const { inputs, runs } = parse(readFileSync(file, 'utf8')) as Action;
  const values: Record<string, string> = {};
  for (const [name, { required, default: fallback = '' }] of Object.entries(inputs)) {
    if (required && !given[name]) throw new Error(`the input ${name} is required`);
    values[`inputs.${name}`] = given[name] ?? fallback;
  }
  const outputFile = join(dir, 'github-output');
  for (const { id, env = {}, run } of runs.steps) {
    writeFileSync(outputFile, '');
    const fill = (of: string) =>
      of.replace(/\$\{\{ (.+?) \}\}/g, (_, name: string) => {
        const value = values[name];
        if (value === undefined) throw new Error(`there is no ${name}`);
        return value;
      });
    const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', run], {
      env: {
        PATH: process.env.PATH,
        HOME: dir,
        GITHUB_ACTION_PATH: dirname(file),
        GITHUB_OUTPUT: outputFile,
        ...Object.fromEntries(Object.entries(env).map(([name, of]) => [name, fill(of)])),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out, err, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ]);
    if (status !== 0) throw new Error(`status ${status}: ${out}${err}`);
    for (const line of readFileSync(outputFile, 'utf8').split('\n').filter(Boolean)) {
      const [name, ...value] = line.split('=');
      values[`steps.${id}.outputs.${name}`] = value.join('=');
    }
  }
  return values;
}
