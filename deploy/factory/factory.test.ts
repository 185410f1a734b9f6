import { execFile, execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openAuthority } from '#ca/authority.ts';
import { makeRequest } from '#ca/key-pair.ts';
import { spawnGuarded } from '../lab/primitives/guard.ts';
import { program } from '../lab/primitives/programs.js';
import { until } from '../lab/primitives/until.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'flota-factory-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const at = (...names: string[]) => join(dir, ...names);

beforeAll(async () => {
  const { root } = await (await openAuthority({ dir: at('ca') })).trust();
  writeFileSync(at('root.pem'), root);
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(
    at('keys.json'),
    JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] }),
  );
});

const args = (csv: string, out: string, more: Record<string, string> = {}) => {
  const options = {
    ...{ csv: at(csv), out: at(out), dir: at('ca'), trust: at('root.pem'), keys: at('keys.json') },
    ...{
      mqtt: 'mqtts://flota.example:8883',
      enroll: 'https://flota.example/api/issue_cert',
      'wifi-ssid': 'plant',
    },
    ...more,
  };
  return [...program(main), ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])];
};
const run = (...given: Parameters<typeof args>) =>
  new Promise<{ status: number; output: string }>((resolve) => {
    execFile(process.execPath, args(...given), (error, stdout, stderr) =>
      resolve({ status: Number(error?.code ?? 0), output: stdout + stderr }),
    );
  });
const manifest = (out: string) =>
  readFileSync(at(out, 'manifest.csv'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(','));

it('makes one image a device, which holds its key and certificate, and tells in a manifest what it has made', async () => {
  const own = makeRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'own-key');
  writeFileSync(at('own.csr'), own);
  writeFileSync(at('few.csv'), 'id,csr\nplant-1,\nown-key,own.csr\n');
  const { status, output } = await run('few.csv', 'few');
  expect([status, output]).toEqual([0, expect.stringContaining('2 made, 0 there before, 0 failed, 0 left')]);
  const image = readFileSync(at('few/plant-1/nvs.bin'));
  expect(image.length).toBe(0x21000);
  expect(statSync(at('few/plant-1/nvs.bin')).mode & 0o777).toBe(0o600);
  // As they lie in the blob, which is not cut before its second page.
  expect(image.includes(readFileSync(at('few/plant-1/key.pem')))).toBe(true);
  expect(image.includes(readFileSync(at('few/plant-1/cert.pem')).subarray(0, 600))).toBe(true);
  expect(readdirSync(at('few/own-key'))).toEqual(['cert.pem']);
  const [header, first, second] = manifest('few');
  expect(header).toEqual(['id', 'serial', 'not_after', 'key', 'file', 'sha256']);
  expect(first).toMatchObject({
    0: 'plant-1',
    3: 'here',
    5: createHash('sha256').update(image).digest('hex'),
  });
  expect(second).toMatchObject({ 0: 'own-key', 3: 'device', 4: '', 5: '' });
});

it('goes on after a kill, and also where an earlier run made certificates and no images', async () => {
  const ids = Array.from({ length: 60 }, (_, i) => `many-${i}`);
  writeFileSync(at('many.csv'), ['id', ...ids].join('\n'));
  const made = () => ids.filter((id) => existsSync(at('many', id, 'cert.pem')));
  // Whoever opens it waits for a writer, and Node has four threads for files: so it is never over before it is killed.
  const inTheWay = ids.slice(30, 34).map((id) => at('many', id, 'key.pem'));
  for (const path of inTheWay) {
    mkdirSync(dirname(path), { recursive: true });
    execFileSync('mkfifo', [path]);
  }
  const child = spawnGuarded(process.execPath, args('many.csv', 'many'));
  const ended = new Promise((resolve) => child.once('close', resolve));
  await until('some are made', () => made().length > 5);
  child.kill('SIGKILL');
  await ended;
  for (const path of inTheWay) rmSync(path);
  const before = made();
  expect(before.length).toBeLessThan(ids.length);
  const certificate = readFileSync(at('many', before[0]!, 'cert.pem'), 'utf8');
  rmSync(at('many', before[1]!, 'nvs.bin'));
  const { status, output } = await run('many.csv', 'many');
  expect([status, output]).toEqual([
    0,
    expect.stringContaining(`${before.length - 1} there before, 0 failed, 0 left`),
  ]);
  expect(readFileSync(at('many', before[0]!, 'cert.pem'), 'utf8')).toBe(certificate);
  const lines = manifest('many').slice(1);
  expect(lines.map(([id]) => id)).toEqual(ids);
  expect(new Set(lines.map((line) => line[1])).size).toBe(ids.length);
  expect(new Set(lines.map((line) => line[5])).size).toBe(ids.length);
});

it('says in one line what is wrong, before anything is made', async () => {
  writeFileSync(at('one.csv'), 'id\none\n');
  copyFileSync(at('one.csv'), at('not.pem'));
  for (const [more, problem] of [
    [{ mqtt: 'mqtt://flota.example' }, 'mqtt: Invalid URL'],
    [{ trust: at('not.pem') }, 'must start with'],
    [{ size: '5000' }, 'multiple of 4096'],
    [{ csv: at('none.csv') }, 'cannot be read'],
    [{ dir: at('nowhere') }, 'there is no authority'],
  ] as const) {
    const { status, output } = await run('one.csv', 'one', more);
    expect([status, output]).toEqual([1, expect.stringContaining(problem)]);
    expect(output.trim().split('\n')).toHaveLength(1);
    expect(existsSync(at('one'))).toBe(false);
  }
});
