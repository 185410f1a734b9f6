/** `npm run audit`: reads the database itself where DATABASE_URL names one, and asks the running API otherwise (PGlite has one opener). */
import { parseArgs } from 'node:util';
import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { type AuditConfig, ConfigError, readAuditConfig } from '../config.ts';
import type { Db } from '../db/connect.ts';
import * as schema from '../db/schema.ts';
import { verify } from './audit.ts';
import type { Head, Verdict } from './chain.ts';

const help = `npm run audit -- verify [--expect ID:HASH]

Checks that each entry of the audit log follows from the one before it. Prints the number of entries and the last one's ID:HASH;
given back later as --expect, that also proves that nothing was cut off the end since. Exits 1 and names the first broken entry.

Reads PostgreSQL where DATABASE_URL is set; otherwise asks the API at PUBLIC_URL (default http://localhost:PORT) with
FLOTA_API_TOKEN (default: the one that npm start has made in FLOTA_DATA).
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
  const config = readAuditConfig();
  const verdict = config.databaseUrl
    ? await verifyDatabase(config.databaseUrl, expected)
    : await askApi(config, expected);
  if (verdict.broken) {
    process.stderr.write(`audit: broken at entry ${verdict.broken.id}: ${verdict.broken.reason}\n`);
    return 1;
  }
  const { head, entries, unchained } = verdict;
  const older = unchained ? `, ${unchained} of them older than the chain` : '';
  process.stdout.write(`ok: ${entries} entries${older}${head ? `\nhead ${head.id}:${head.hash}` : ''}\n`);
  return 0;
}

function parseHead(text: string): Head {
  const [, id, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (!id || !hash) throw new Error('--expect must be ID:HASH, as an earlier verification printed it');
  return { id: Number(id), hash };
}

async function verifyDatabase(url: string, expected: Head | null): Promise<Verdict> {
  const client = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 10 });
  try {
    return await verify(drizzle(client, { schema }) as unknown as Db, expected);
  } finally {
    await client.end({ timeout: 1 });
  }
}

async function askApi({ url, apiToken }: AuditConfig, expected: Head | null): Promise<Verdict> {
  const query = expected ? `?expect=${expected.id}:${expected.hash}` : '';
  const response = await fetch(`${url}/api/audit/verification${query}`, {
    headers: { authorization: `Bearer ${apiToken}` },
  }).catch((cause: unknown) => {
    throw new Error(`nothing answers at ${url}: start Flota, or set PUBLIC_URL or DATABASE_URL`, { cause });
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Verdict;
}
