/** The random secrets of an installation, against an aws command that keeps them in a folder as Secrets Manager does. */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, expect, test } from 'vitest';

const script = fileURLToPath(new URL('make-secrets', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'flota-make-secrets-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(root, 'run-'));
  mkdirSync(join(dir, 'store/flota'), { recursive: true });
  // Refuses what AWS would: no rights, when DENIED names the call.
  writeFileSync(
    join(dir, 'aws'),
    `#!/bin/sh
echo "$*" >> '${dir}/calls'
[ "$2" != "\${DENIED:-}" ] || { echo AccessDenied >&2; exit 254; }
case $2 in
  list-secrets) echo 'flota/webhook_token flota/emqx_dashboard_password' ;;
  describe-secret) [ -e "${dir}/store/$4" ] && echo 1 || echo 0 ;;
  get-random-password) od -An -N 20 -tx1 /dev/urandom | tr -d ' \\n' ;;
  put-secret-value) cat > '${dir}/request'; jq -j .SecretString '${dir}/request' > "${dir}/store/$(jq -r .SecretId '${dir}/request')" ;;
  modify-db-instance) cat > '${dir}/database' ;;
  describe-db-instances) echo flota.abc.eu-central-1.rds.amazonaws.com:5432 ;;
esac
`,
  );
  chmodSync(join(dir, 'aws'), 0o755);
});

const run = (env: Record<string, string> = {}, ...args: string[]) =>
  new Promise<{ status: number; output: string }>((resolve) => {
    const options = { env: { PATH: `${dir}:${process.env.PATH}`, ...env } };
    execFile(script, args, options, (error, out, errors) =>
      resolve({ status: error ? Number(error.code) : 0, output: out + errors }),
    );
  });
const stored = (name: string) => readFileSync(join(dir, 'store/flota', name), 'utf8');

test('makes each once, the database its own, and none is shown, not even among the arguments', async () => {
  const { status, output } = await run({}, 'flota');
  expect(status, output).toBe(0);
  const names = readdirSync(join(dir, 'store/flota'));
  expect(names.sort()).toEqual(['database_url', 'emqx_dashboard_password', 'webhook_token']);
  const database = JSON.parse(readFileSync(join(dir, 'database'), 'utf8'));
  expect(database).toMatchObject({ DBInstanceIdentifier: 'flota', ManageMasterUserPassword: false });
  expect(stored('database_url')).toBe(
    `postgres://flota:${database.MasterUserPassword}@flota.abc.eu-central-1.rds.amazonaws.com:5432/flota?sslmode=require`,
  );
  const told = output + readFileSync(join(dir, 'calls'), 'utf8');
  for (const secret of [
    stored('webhook_token'),
    stored('emqx_dashboard_password'),
    database.MasterUserPassword,
  ]) {
    expect(secret).toMatch(/^[0-9a-f]{40}$/);
    expect(told).not.toContain(secret);
  }

  const before = names.map(stored);
  expect((await run({}, 'flota')).output).toBe('');
  expect(names.map(stored)).toEqual(before);
});

test('a right that is missing ends it before anything is overwritten', async () => {
  writeFileSync(join(dir, 'store/flota/webhook_token'), 'kept');
  expect((await run({ DENIED: 'describe-secret' }, 'flota')).status).not.toBe(0);
  expect(stored('webhook_token')).toBe('kept');
  expect((await run({ DENIED: 'modify-db-instance' }, 'flota')).status).not.toBe(0);
  expect(existsSync(join(dir, 'store/flota/database_url'))).toBe(false);
  expect((await run({}, 'flota')).status).toBe(0);
  expect(stored('webhook_token')).toBe('kept');
});

test('without a name it says how it is used', async () => {
  expect(await run()).toEqual({ status: 2, output: 'usage: make-secrets NAME\n' });
});
