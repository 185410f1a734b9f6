import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spawnGuarded } from '#deploy/lab/primitives/guard.ts';
import { program } from '#deploy/lab/primitives/programs.js';
import { connectAuthority } from './client.ts';
import { toConfig } from './config.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const here = dirname(fileURLToPath(import.meta.url));
let work: Workspace;
beforeAll(async () => {
  work = await openWorkspace();
});
afterAll(() => work.remove());

const environment = (more: Record<string, string>) => ({
  PATH: process.env.PATH ?? '',
  CA_DIR: join(work.dir, 'ca'),
  ...more,
});

function run(
  file: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ status: number; output: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...program(join(here, file)), ...args],
      { env: environment(env) },
      (error, out, err) => resolve({ status: error ? Number(error.code) : 0, output: out + err }),
    );
  });
}

describe('npm run ca', () => {
  it('makes the hierarchy, issues a pair, and the service answers with it until it is told to stop', async () => {
    const passphrase = await work.file('passphrase', 'correct horse\n');
    const env = { CA_PASSPHRASE_FILE: passphrase };
    const init = await run('cli.ts', ['init'], env);
    expect(init.output).toMatch(/root {4}sha256 [0-9a-f]{64}\nissuing sha256 [0-9a-f]{64}/);
    const out = join(work.dir, 'webhook');
    const issue = await run('cli.ts', ['issue', '--name', 'webhook.flota', '--out', out], env);
    expect(issue).toMatchObject({ status: 0, output: expect.stringContaining('webhook.flota, serial ') });
    expect((await stat(join(out, 'key.pem'))).mode & 0o777).toBe(0o600);

    const service = spawnGuarded(process.execPath, program(join(here, 'main.ts')), {
      env: environment({ ...env, CA_PORT: '0' }),
    });
    const url = await new Promise<string>((resolve, reject) => {
      let text = '';
      service.stdout.on('data', (chunk) => {
        text += chunk;
        const found = /"url":"([^"]+)"/.exec(text)?.[1];
        if (found) resolve(found);
      });
      service.once('exit', () => reject(new Error(text)));
    });
    const read = (file: string) => readFile(join(out, file), 'utf8');
    const files = { key: await read('key.pem'), cert: await read('cert.pem'), ca: await read('ca.pem') };
    const connection = connectAuthority({ url, ...files });
    const { root, issuing } = await connection.trust();
    expect(files.ca).toBe(root + issuing);
    connection.close();
    const ended = new Promise((resolve) => service.once('exit', resolve));
    service.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('takes a request to a root that is kept offline, and rotates with it', async () => {
    const [offline, online] = ['offline', 'online'].map((name) => ({ CA_DIR: join(work.dir, name) }));
    const at = (name: string) => join(work.dir, name);
    const all = async (...commands: [string[], Record<string, string> | undefined][]) => {
      for (const [args, env] of commands) {
        const { status, output } = await run('cli.ts', args, env);
        expect([status, output], args.join(' ')).toEqual([0, output]);
      }
    };
    await all([['init', '--root-only'], offline]);
    for (const round of ['1', '2']) {
      await all(
        [['request-issuing', '--out', at('issuing.csr')], online],
        [['sign-issuing', '--csr', at('issuing.csr'), '--out', at('issuing.pem')], offline],
      );
      const root = round === '1' ? ['--root', join(work.dir, 'offline/hierarchy/root.pem')] : [];
      const installed = await run(
        'cli.ts',
        ['install-issuing', '--cert', at('issuing.pem'), ...root],
        online,
      );
      expect(installed.output).toContain(`issuing CA ${round} signs from now on`);
    }
    await all([['issue', '--name', 'webhook.flota', '--out', at('pair')], online]);
    const file = ['-CAfile', 'offline/hierarchy/root.pem', '-untrusted', 'pair/cert.pem', 'pair/cert.pem'];
    expect((await work.openssl('verify', ...file)).output).toContain('OK');
  });

  it('says in one line what is wrong, with status 1', async () => {
    const attempts = await Promise.all([
      run('cli.ts', ['issue', '--name', 'x']),
      run('cli.ts', ['unknown']),
      run('cli.ts', ['revoke', 'ABCD'], { CA_DIR: join(work.dir, 'mistyped') }),
      run('main.ts', [], { CA_PORT: 'x', CA_CRL_URL: 'https://x', CA_PASSPHRASE_FILE: '/nowhere' }),
    ]);
    expect(attempts.map((attempt) => attempt.status)).toEqual([1, 1, 1, 1]);
    expect(attempts.every((attempt) => /^ca: .+\n$/.test(attempt.output))).toBe(true);
    expect(attempts[2]?.output).toMatch(/there is no authority in .*mistyped/);
    expect(attempts[3]?.output).toMatch(
      /CA_PORT.*CA_PASSPHRASE_FILE.*CA_CRL_URL|CA_PASSPHRASE_FILE.*CA_CRL_URL/,
    );
  });
});

describe('the configuration', () => {
  it('lists every problem at once', () => {
    const wrong = { CA_PORT: '70000', CA_DEVICE_DAYS: '1.5', CA_CRL_URL: 'ftp://x', CA_CALLERS: ' , ' };
    expect(() => toConfig(wrong)).toThrowError(/CA_PORT.*CA_DEVICE_DAYS.*CA_CALLERS.*CA_CRL_URL/);
  });

  it('has defaults for everything', () => {
    expect(toConfig({})).toMatchObject({
      host: '127.0.0.1',
      port: 8443,
      callers: ['webhook.flota'],
      dir: '.flota/ca',
    });
  });
});
