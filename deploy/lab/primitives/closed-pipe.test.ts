import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { program } from './programs.js';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
/** Every command that is a script of ours, by its name in package.json. */
const commands = Object.entries(scripts).flatMap(([name, line]) => {
  const [, file] = /(?:^|&& )(?:tsx|node) ([^ .]\S+\.[jt]s)( \w+)?$/.exec(line) ?? [];
  return file ? [[name, file] as const] : [];
});

test('every command of package.json has it', () => {
  expect(commands.map(([name]) => name)).toEqual(
    expect.arrayContaining(['start', 'emqx', 'ca', 'lab', 'backup']),
  );
  const without = commands.filter(
    ([, file]) =>
      !readFileSync(file.replace('local/start.js', 'local/main.ts'), 'utf8').includes(
        'primitives/closed-pipe.ts',
      ),
  );
  expect(without).toEqual([]);
});

test.each(['emqx', 'audit', 'device'])(
  'npm run %s ends without a word when nobody reads what it says',
  async (name) => {
    const child = spawn(process.execPath, [
      ...program(resolve(Object.fromEntries(commands)[name]!)),
      '--help',
    ]);
    child.stdout.destroy();
    const [said, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect({ said, status }).toEqual({ said: '', status: 0 });
  },
);
