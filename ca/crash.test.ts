import { generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openAuthority } from './authority.ts';
import { type Issuer, openHierarchy } from './hierarchy.ts';
import { createIssuer } from './issue.ts';
import { issueKeyPair, makeRequest } from './key-pair.ts';
import { validateProfiles } from './profiles.ts';
import { openStore } from './store.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'flota-ca-'));
});
afterAll(() => rm(dir, { recursive: true }));

const original = { ...fs.promises };
afterEach(restore);

/** By who is killed, and cannot close them. */
const opened: fs.promises.FileHandle[] = [];

async function restore(): Promise<void> {
  Object.assign(fs.promises, original);
  syncBuiltinESMExports();
  for (const handle of opened.splice(0)) await handle.close();
}

/**
 * Lets `allowed` file operations happen and then none, as when the process is killed there: the next never returns, and if it
 * is a write, half of it reaches the file. Resolves when that moment has come.
 */
function killAfter(allowed: number): Promise<void> {
  let left = allowed;
  return new Promise((killed) => {
    const gate = <A extends unknown[], R>(
      run: (...args: A) => Promise<R>,
      torn?: (...args: A) => unknown,
    ) => {
      return (...args: A): Promise<R> => {
        left -= 1;
        if (left >= 0) return run(...args);
        if (left === -1) Promise.resolve(torn?.(...args)).then(() => killed());
        return new Promise<never>(() => undefined);
      };
    };
    for (const name of ['mkdir', 'rename', 'link', 'symlink', 'unlink', 'rm'] as const) {
      fs.promises[name] = gate(original[name] as (...args: unknown[]) => Promise<unknown>) as never;
    }
    fs.promises.open = gate(async (path: string, flags?: string, mode?: number) => {
      const handle = await original.open(path, flags, mode);
      opened.push(handle);
      const write = handle.writeFile.bind(handle) as (content: string | Buffer) => Promise<void>;
      handle.writeFile = gate(write, (content) => write(content.slice(0, content.length / 2))) as never;
      handle.sync = gate(handle.sync.bind(handle));
      handle.datasync = gate(handle.datasync.bind(handle));
      return handle;
    }) as never;
    syncBuiltinESMExports();
  });
}

describe('a process killed at any file operation', () => {
  it('leaves no hierarchy or a complete one', async () => {
    for (let step = 0; ; step += 1) {
      const home = join(dir, `hierarchy-${step}`);
      const killed = killAfter(step);
      const opened = openAuthority({ dir: home }).then(() => 'finished');
      const outcome = await Promise.race([opened, killed.then(() => 'killed')]);
      await restore();
      const before = await readFile(join(home, 'hierarchy/root.pem'), 'utf8').catch(() => undefined);
      const authority = await openAuthority({ dir: home });
      const { root } = await authority.trust();
      if (before !== undefined) expect(root).toBe(before);
      await issueKeyPair(authority, { profile: 'device', commonName: 'dev-1' });
      if (outcome === 'finished') {
        expect(step).toBeGreaterThan(15);
        return;
      }
    }
  });

  it('never leaves a certificate whose serial is not written down, and can be asked again', async () => {
    const home = join(dir, 'issue');
    await openAuthority({ dir: home });
    for (let step = 0; ; step += 1) {
      const { hierarchy, signed, issue } = await openIssuer(home);
      const csr = makeRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'dev-1');
      const request = { csr, profile: 'device', commonName: 'dev-1' } as const;
      const earlier = await readRecords(home);
      const killed = killAfter(step);
      const outcome = await Promise.race([
        issue(request).then(() => 'finished'),
        killed.then(() => 'killed'),
      ]);
      await restore();
      // One signature at most is asked for in a round, and only when the serial is on disk.
      const added = await readRecords(home);
      expect(added.length - earlier.length).toBeGreaterThanOrEqual(signed.count);
      expect(added).toEqual(expect.arrayContaining(earlier));
      const again = await (await openAuthority({ dir: home })).issue(request);
      expect(again.chain).toBe((await hierarchy.issuers())[0]?.certificate);
      expect(await readRecords(home)).toContainEqual(
        expect.objectContaining({ serial: again.serial, state: 'issued' }),
      );
      if (outcome === 'finished') {
        expect(step).toBeGreaterThan(5);
        return;
      }
    }
  });

  it('between storing the serial and signing leaves a reserved record and no certificate', async () => {
    const home = join(dir, 'reserved');
    await openAuthority({ dir: home });
    const { issue, signed } = await openIssuer(home, 'never');
    const csr = makeRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'dev-1');
    void issue({ csr, profile: 'device', commonName: 'dev-1' });
    await signed.asked;
    const records = await readRecords(home);
    expect(records).toEqual([
      expect.objectContaining({ state: 'reserved', commonName: 'dev-1', profile: 'device' }),
    ]);
    const again = await (await openAuthority({ dir: home })).issue({
      csr,
      profile: 'device',
      commonName: 'dev-1',
    });
    expect(again.serial).not.toBe(records[0]?.serial);
    expect((await readRecords(home)).map((record) => record.state).sort()).toEqual(['issued', 'reserved']);
  });
});

/** An issuer that counts its signatures, or never makes one. */
async function openIssuer(home: string, signing: 'normal' | 'never' = 'normal') {
  const hierarchy = await openHierarchy({ dir: home, now: Date.now });
  let asked: () => void = () => undefined;
  const signed = { count: 0, asked: new Promise<void>((resolve) => (asked = resolve)) };
  const watched = ({ signer, ...issuer }: Issuer): Issuer => ({
    ...issuer,
    signer: {
      ...signer,
      sign: (bytes: Uint8Array) => {
        signed.count += 1;
        asked();
        return signing === 'never' ? new Promise<never>(() => undefined) : signer.sign(bytes);
      },
    },
  });
  const issue = createIssuer({
    hierarchy: { ...hierarchy, issuers: async () => (await hierarchy.issuers()).map(watched) },
    profiles: validateProfiles(),
    store: await openStore(home),
    now: Date.now,
  });
  return { hierarchy, signed, issue };
}

/** What is known of every serial, as somebody reads it who has only the files. */
async function readRecords(home: string): Promise<{ serial: string; state: string }[]> {
  const records = new Map<string, { serial: string; state: string }>();
  for (const name of await readdir(join(home, 'records')).catch(() => [])) {
    const text = await readFile(join(home, 'records', name), 'utf8');
    for (const line of text.split('\n').slice(0, -1)) {
      const record = JSON.parse(line);
      records.set(record.serial, record);
    }
  }
  return [...records.values()];
}
