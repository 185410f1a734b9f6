/** `npm run cli:types`: writes api.ts, the types of the client, from the API's own document. Needs npm's registry. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf, readDocument } from './document.ts';

// Apart from our own packages: it needs the TypeScript before ours.
const generator = ['--package=openapi-typescript@7.13.0', '--package=typescript@5.9.3'];
const dir = mkdtempSync(join(tmpdir(), 'flota-types-'));
try {
  const document = await readDocument();
  const [from, to] = [join(dir, 'openapi.json'), join(dir, 'api.ts')];
  writeFileSync(from, JSON.stringify(document));
  execFileSync('npm', ['exec', '--yes', ...generator, '--', 'openapi-typescript', from, '-o', to], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const made = `// Made by \`npm run cli:types\` from the document with the digest ${digestOf(document)}\n${readFileSync(to, 'utf8')}`;
  const file = fileURLToPath(new URL('api.ts', import.meta.url));
  writeFileSync(file, made);
  execFileSync('npx', ['biome', 'format', '--write', file], { stdio: ['ignore', 'ignore', 'inherit'] });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
