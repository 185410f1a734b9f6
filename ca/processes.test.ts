import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spawnGuarded } from '#deploy/lab/primitives/guard.ts';
import { program } from '#deploy/lab/primitives/programs.js';
import { openAuthority } from './authority.ts';
import { connectAuthority } from './client.ts';
import { issueKeyPair, makeRequest } from './key-pair.ts';
import { withLock } from './lock.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const here = dirname(fileURLToPath(import.meta.url));
let work: Workspace;
beforeAll(async () => {
  work = await openWorkspace();
});
afterAll(() => work.remove());

interface Running {
  child: ChildProcess;
  /** Resolves with the first match of what it prints. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  ended: Promise<{ status: number | null; output: string }>;
}

function start(file: string, args: string[], env: Record<string, string> = {}): Running {
  const child = spawnGuarded(process.execPath, [...program(join(here, file)), ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
  });
  let output = '';
  let wake: () => void = () => undefined;
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
      wake();
    });
  const ended = new Promise<{ status: number | null; output: string }>((resolve) =>
    child.once('close', (status) => resolve({ status, output })),
  );
  const says = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      wake = () => {
        const match = pattern.exec(output);
        if (match) resolve(match);
      };
      wake();
      void ended.then(() => reject(new Error(`ended without ${pattern}: ${output}`)));
    });
  return { child, says, ended };
}

it('a line that only half of fits on the disk is confirmed to nobody, and ends no other', async () => {
  const { status, output } = await start('test-process.ts', ['journal', join(work.dir, 'full')]).ended;
  expect([status, JSON.parse(output)]).toEqual([0, { confirmed: 18, lost: 0 }]);
});

describe('two processes on one directory', () => {
  it('issue and revoke side by side: one hierarchy, every serial known to all, every revocation in the CRL', async () => {
    const dir = join(work.dir, 'shared');
    const workers = ['a', 'b'].map((name) => start('test-process.ts', ['worker', dir, name, '30']));
    const ends = await Promise.all(workers.map(({ ended }) => ended));
    expect(ends.map(({ status }) => status)).toEqual([0, 0]);
    const results = ends.map(({ output }) => JSON.parse(output) as { issued: string[]; revoked: string[] });
    const authority = await openAuthority({ dir });
    const issued = results.flatMap((result) => result.issued);
    expect(new Set(issued).size).toBe(60);
    for (const serial of issued) expect((await authority.find(serial))?.record.state).toBe('issued');

    const { root, issuing } = await authority.trust();
    await work.file('trust.pem', root + issuing);
    // As the last of them left it, not made anew.
    await work.file('crl.pem', await readFile(join(dir, 'crl.pem'), 'utf8'));
    const { output } = await work.openssl('crl', '-in', 'crl.pem', '-CAfile', 'trust.pem', '-noout', '-text');
    expect(output).toContain('verify OK');
    const listed = [...output.matchAll(/Serial Number: ([0-9A-F]+)/g)].map(([, serial]) => serial);
    expect(listed.sort()).toEqual(results.flatMap((result) => result.revoked).sort());
  });

  it('know of each other what was issued after they started', async () => {
    const dir = join(work.dir, 'later');
    const [one, other] = [await openAuthority({ dir }), await openAuthority({ dir })];
    const { serial } = await issueKeyPair(one, { profile: 'device', commonName: 'dev-1' });
    expect((await other.find(serial))?.record.commonName).toBe('dev-1');
    await other.revoke(serial, 'keyCompromise');
    expect((await one.find(serial))?.revoked).toBe(true);
    await expect(one.revoke(serial, 'keyCompromise')).rejects.toMatchObject({ code: 'already_revoked' });
  });

  it('take over a lock whose holder was killed', async () => {
    const dir = join(work.dir, 'locked');
    await withLock(dir, async () => undefined);
    const gone = start('test-process.ts', ['worker', join(work.dir, 'gone'), 'x', '0']);
    await gone.ended;
    await writeFile(join(dir, 'lock'), JSON.stringify({ pid: gone.child.pid, startedAt: 'x' }));
    expect(await Promise.all([1, 2, 3].map((n) => withLock(dir, async () => n)))).toEqual([1, 2, 3]);
    expect(await readdir(dir)).toEqual([]);
  });
});

describe('the service', () => {
  it('killed with -9 between storing the serial and signing leaves a record and no orphan, and can be asked again', async () => {
    const dir = join(work.dir, 'killed');
    const authority = await openAuthority({ dir });
    const caller = await issueKeyPair(authority, { profile: 'service', commonName: 'webhook.flota' });
    const { root, issuing } = await authority.trust();
    const ca = root + issuing;
    const identity = { key: caller.key, cert: caller.certificate + caller.chain, ca };
    const csr = makeRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'dev-1');
    const request = { csr, profile: 'device', commonName: 'dev-1' } as const;

    const first = start('test-process.ts', ['service', dir, '0', 'dev-1']);
    const [, port] = await first.says(/listening (\d+)/);
    const connection = connectAuthority({ url: `https://127.0.0.1:${port}`, ...identity });
    const lost = connection.issue(request).then(
      () => 'answered',
      (error) => error.code,
    );
    await first.says(/signing/);
    first.child.kill('SIGKILL');
    expect(await lost).toBe('ca_unavailable');
    connection.close();
    const reserved = (await readRecords(dir)).filter(({ commonName }) => commonName === 'dev-1');
    expect(reserved).toEqual([expect.objectContaining({ state: 'reserved' })]);

    const second = start('main.ts', [], { CA_DIR: dir, CA_PORT: '0' });
    const [, url = ''] = await second.says(/"url":"([^"]+)"/);
    const again = connectAuthority({ url, ...identity });
    const issued = await again.issue(request);
    again.close();
    second.child.kill('SIGTERM');
    await second.ended;
    expect(issued.serial).not.toBe(reserved[0]?.serial);
    const known = (await readRecords(dir)).filter(({ commonName }) => commonName === 'dev-1');
    expect(known.map(({ serial, state }) => [serial, state])).toEqual(
      expect.arrayContaining([
        [reserved[0]?.serial, 'reserved'],
        [issued.serial, 'issued'],
      ]),
    );
    expect(known).toHaveLength(2);
  });
});

interface Line {
  serial: string;
  state: string;
  commonName: string;
}

async function readRecords(dir: string): Promise<Line[]> {
  const records = new Map<string, Line>();
  for (const name of await readdir(join(dir, 'records'))) {
    const lines = (await readFile(join(dir, 'records', name), 'utf8')).split('\n').filter(Boolean);
    for (const record of lines.map((line) => JSON.parse(line) as Line)) records.set(record.serial, record);
  }
  return [...records.values()];
}
