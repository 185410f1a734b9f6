/** `npm run audit`: asks the running API, which alone reaches both the log and the CA that remembers its head. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { parseArgs } from 'node:util';
import { type AuditConfig, ConfigError, readAuditConfig } from '../config.ts';
import type { Head } from './chain.ts';
import type { WitnessedVerdict } from './heads.ts';

const help = `npm run audit -- verify [--expect ID:HASH]

Checks that each entry of the audit log follows from the one before it, and that the log still contains the last head that the CA has
signed and remembers: entries that were cut off, emptied or written anew are noticed. --expect compares with one more head (ID:HASH),
from a line "audit head" of the webhook's log or an earlier verification. Exits 1 and names the first broken entry.

Asks the API at PUBLIC_URL (default http://localhost:PORT) with FLOTA_API_TOKEN (default: the one that npm start has made in FLOTA_DATA).
`;

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  const lines = error instanceof ConfigError ? error.problems : [(error as Error).message];
  for (const line of lines) process.stderr.write(`audit: ${line}\n`);
  process.exitCode = 1;
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { expect: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length !== 1 || positionals[0] !== 'verify') throw new Error('say verify, or --help');
  const expected = values.expect === undefined ? null : parseHead(values.expect);
  const verdict = await askApi(readAuditConfig(), expected);
  if (verdict.broken) {
    process.stderr.write(`audit: broken at entry ${verdict.broken.id}: ${verdict.broken.reason}\n`);
    return 1;
  }
  const { head, entries, sealed, witnessed } = verdict;
  process.stdout.write(
    `ok: ${entries} entries${sealed ? `, ${sealed} of them older than the chain and sealed` : ''}\n`,
  );
  if (head) process.stdout.write(`head ${head.id}:${head.hash}\n`);
  process.stdout.write(
    witnessed
      ? `the CA has signed ${witnessed.id}:${witnessed.hash} at ${witnessed.at}\n`
      : 'no head was signed yet\n',
  );
  return 0;
}

function parseHead(text: string): Head {
  const [, id, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (!id || !hash) throw new Error('--expect must be ID:HASH, as an earlier verification printed it');
  return { id: Number(id), hash };
}

async function askApi({ url, apiToken }: AuditConfig, expected: Head | null): Promise<WitnessedVerdict> {
  const query = expected ? `?expect=${expected.id}:${expected.hash}` : '';
  const response = await fetch(`${url}/api/audit/verification${query}`, {
    headers: { authorization: `Bearer ${apiToken}` },
  }).catch((cause: unknown) => {
    throw new Error(`nothing answers at ${url}: start Flota, or set PUBLIC_URL`, { cause });
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as WitnessedVerdict;
}
