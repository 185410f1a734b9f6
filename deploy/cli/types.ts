/** `npm run cli:types`: writes api.ts, the types of the client, from the API's own document. Needs npm's registry. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf, readUsed } from './document.ts';

// The generator has a package of its own: it needs the TypeScript before ours.
const generator = fileURLToPath(new URL('../clients/typescript/', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'flota-types-'));
try {
  const document = await readUsed();
  const [from, to] = [join(dir, 'openapi.json'), join(dir, 'api.ts')];
  writeFileSync(from, JSON.stringify(document));
  for (const name of ['package.json', 'package-lock.json'])
    copyFileSync(join(generator, name), join(dir, name));
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
  run('npm', 'ci', '--no-audit', '--no-fund');
  run(join(dir, 'node_modules/.bin/openapi-typescript'), from, '-o', to);
  const made = `// Made by \`npm run cli:types\` from the document with the digest ${digestOf(document)}\n${readFileSync(to, 'utf8')}`;
  const file = fileURLToPath(new URL('api.ts', import.meta.url));
  writeFileSync(file, made);
  execFileSync('npx', ['biome', 'format', '--write', file], { stdio: ['ignore', 'ignore', 'inherit'] });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
