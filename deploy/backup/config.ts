/** Where the parts of an installation are, from the same variables that its processes read. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ConfigError, environmentSchema, parseEnvironment } from '#webhook/config.ts';

export const partNames = ['database', 'ca', 'objects', 'local'] as const;
export type PartName = (typeof partNames)[number];

export const help = {
  backup: `Usage: npm run backup -- --out FILE [--only ${partNames.join(',')}]

Writes what this machine can reach of an installation into one file (mode 0600; it holds private keys and password hashes).

  --out FILE    the file to make; one that exists is not overwritten
  --only A,B    these parts only; default: all that are there
  --help        this text

Parts: database (DATABASE_URL, else PGlite in FLOTA_DATA), ca (CA_DIR, else FLOTA_DATA/ca), objects (the bucket S3_BUCKET, else
FLOTA_DATA/store), local (secrets.json and the signing key that npm start made). deploy/OPERATIONS.md says when to run it.
`,
  restore: `Usage: npm run restore -- FILE [--only ${partNames.join(',')}]

Puts the parts of a backup where the same variables point to. A place that holds anything already is refused, before any is touched.

  --only A,B    these parts only; default: all that are in the file
  --help        this text
`,
};

const schema = environmentSchema
  .pick({ DATABASE_URL: true, S3_ENDPOINT: true, S3_BUCKET: true, AWS_REGION: true })
  .extend({ FLOTA_DATA: z.string().min(1).default('.flota'), CA_DIR: z.string().min(1).optional() });

export interface Places {
  dataDir: string;
  /** Null: PGlite in dataDir. */
  databaseUrl: string | null;
  caDir: string;
  /** Null: a directory in dataDir. */
  bucket: { endpoint?: string; name: string; region: string } | null;
}

export interface Task {
  command: 'backup' | 'restore';
  file: string;
  only: PartName[] | null;
  places: Places;
}

/** Throws ConfigError with every problem; answers a text when that is all that was asked for. */
export function readTask(args: string[], environment: Record<string, string | undefined>): Task | string {
  const [command, ...rest] = args;
  if (command !== 'backup' && command !== 'restore') throw new ConfigError(['backup or restore: say which']);
  const { values, positionals } = parse(rest);
  if (values.help) return help[command];
  const problems: string[] = [];
  const file = command === 'backup' ? values.out : positionals[0];
  if (!file) problems.push(command === 'backup' ? '--out: is needed' : 'FILE: is needed');
  if (command === 'backup' && file && existsSync(file)) problems.push(`--out: ${file} exists already`);
  if (command === 'restore' && values.out) problems.push('--out: goes with backup');
  const only = z.array(z.enum(partNames)).safeParse(values.only?.split(',') ?? []);
  if (!only.success) problems.push(`--only: must be some of ${partNames.join(',')}`);
  let env: z.infer<typeof schema> | null = null;
  try {
    env = parseEnvironment(schema, environment);
  } catch (error) {
    problems.push(...(error as ConfigError).problems);
  }
  if (problems.length > 0 || !env || !file) throw new ConfigError(problems);
  const dataDir = resolve(env.FLOTA_DATA);
  const places: Places = {
    dataDir,
    databaseUrl: env.DATABASE_URL ?? null,
    caDir: env.CA_DIR ? resolve(env.CA_DIR) : join(dataDir, 'ca'),
    bucket: env.S3_BUCKET ? { endpoint: env.S3_ENDPOINT, name: env.S3_BUCKET, region: env.AWS_REGION } : null,
  };
  return { command, file: resolve(file), only: only.data?.length ? only.data : null, places };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        only: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new ConfigError([(error as Error).message.split('. ')[0]!]);
  }
}
