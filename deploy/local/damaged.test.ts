/** `npm start` on a data directory that a power cut, an emptied store or a curious hand has damaged. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cheapPasswords } from '#webhook/testing.ts';
import { until } from '../lab/primitives/until.ts';
import { startSystem } from '../lab/system/system.ts';
import { anyPorts, type LocalConfig, toLocalConfig } from './config.ts';
import { explain } from './explain.ts';
import { killAll, start as spawnStart } from './npm-start.ts';

const root = mkdtempSync(join(tmpdir(), 'flota-damaged-'));
const whole = join(root, 'whole');
const configFor = (dataDir: string) => toLocalConfig([], { ...anyPorts, FLOTA_DATA: dataDir }) as LocalConfig;
const start = (dataDir: string) => startSystem({ ...configFor(dataDir), passwords: cheapPasswords() });

beforeAll(async () => {
  await (await start(whole)).close();
}, 180_000);
afterAll(() => {
  killAll();
  rmSync(root, { recursive: true, force: true });
});

const list = (dir: string) =>
  existsSync(dir) ? readdirSync(dir, { recursive: true, encoding: 'utf8' }) : [];
type Damage = (dataDir: string) => void;
const gone =
  (name: string): Damage =>
  (dataDir) =>
    rmSync(join(dataDir, name), { recursive: true });
const cutOff =
  (name: string): Damage =>
  (dataDir) => {
    const path = join(dataDir, name);
    truncateSync(path, Math.floor(statSync(path).size / 2));
  };
const objectCutOff: Damage = (dataDir) => {
  const objects = readdirSync(join(dataDir, 'store/objects'), { recursive: true, withFileTypes: true });
  const files = objects.filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(0);
  for (const { parentPath, name } of files) truncateSync(join(parentPath, name), 1000);
};

const database = join(whole, 'database');
function copyWith(...damages: Damage[]): string {
  const dataDir = copyBesideDatabase();
  cpSync(database, join(dataDir, 'database'), { recursive: true });
  for (const one of damages) one(dataDir);
  return dataDir;
}
function copyBesideDatabase(): string {
  const dataDir = mkdtempSync(join(root, 'data-'));
  cpSync(whole, dataDir, { recursive: true, filter: (path) => path !== database });
  return dataDir;
}

it('is made whole where a start was killed while it made the database', async () => {
  const dataDir = join(root, 'killed');
  const killed = spawnStart(['--devices', '0'], { FLOTA_DATA: dataDir });
  const begun = () => list(dataDir).some((path) => /^database[^/]*\/base$/.test(path));
  await until('a database that is begun', begun);
  killed.child.kill('SIGKILL');
  await killed.exit;
  await (await start(dataDir)).close();
}, 120_000);

it.each<[string, ...Damage[]]>([
  ['an emptied file store, and a CRL of the CA that was cut off', gone('store'), cutOff('ca/crl.json')],
  ['an object that was cut off, and CRLs of the CA that are gone', objectCutOff, gone('ca/crl.json')],
])('is made whole: %s', async (_, ...damages) => {
  const stack = await start(copyWith(...damages));
  const answer = await fetch(`${stack.url}/crl/crl.pem`);
  expect(await answer.text()).toMatch(/^-----BEGIN X509 CRL-----/);
  await stack.close();
});

it.each<[string, Damage]>([
  ['secrets.json', gone('secrets.json')],
  ['secrets.json', cutOff('secrets.json')],
  ['firmware-signing-key.pem', cutOff('firmware-signing-key.pem')],
  ['issuing.pem', gone('ca/hierarchy/issuing.pem')],
  ['root.pem', gone('ca/hierarchy/root.pem')],
  ["a CA's certificate", cutOff('ca/hierarchy/issuing.pem')],
  ['the CA key', cutOff('ca/hierarchy/issuing.key')],
  ['database', cutOff('database/PG_VERSION')],
])('is refused in one line that names %s', async (name, harm) => {
  const dataDir = copyBesideDatabase();
  // A thousand files, which nobody opens before the others are whole.
  if (name === 'database') cpSync(database, join(dataDir, name), { recursive: true });
  else symlinkSync(database, join(dataDir, 'database'));
  harm(dataDir);
  const error = await start(dataDir).then(
    () => null,
    (reason: unknown) => reason,
  );
  const line = explain(error, configFor(dataDir));
  expect(line).toContain(name);
  expect(line).toContain(dataDir);
  expect(line).toMatch(/^[^\n]{1,300}$/);
});
