import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFleet } from '../lab/fleet/devices.ts';
import { type Cluster, createCluster } from '../lab/primitives/postgresql.ts';
import { until } from '../lab/primitives/until.ts';
import { listTargets, unwrap } from '../lab/rest.ts';
import { startSystem } from '../lab/system/system.ts';
import { anyPorts, type LocalConfig, toLocalConfig } from '../local/config.ts';
import { deployDemo } from '../local/demo.ts';

import { runCommand } from './command.ts';

let root: string;
let cluster: Cluster;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'flota-backup-'));
  cluster = await createCluster();
});
afterAll(async () => {
  await cluster?.remove();
  rmSync(root, { recursive: true, force: true });
});

interface Result {
  status: number;
  out: string;
  errors: string;
}

async function run(args: string[], env: Record<string, string>): Promise<Result> {
  const result = { status: 0, out: '', errors: '' };
  result.status = await runCommand(
    args,
    env,
    (text) => {
      result.out += text;
    },
    (text) => {
      result.errors += text;
    },
  );
  return result;
}

async function newDatabase(name: string): Promise<string> {
  const client = postgres(cluster.url, { max: 1 });
  await client.unsafe(`create database ${name}`);
  await client.end();
  return cluster.url.replace(/\/postgres$/, `/${name}`);
}

/** A system with one updated device, as it answers before; then it is stopped. */
async function live(env: Record<string, string>, dataDir: string) {
  const config = toLocalConfig([], { ...anyPorts, ...env, FLOTA_DATA: dataDir }) as LocalConfig;
  const stack = await startSystem(config);
  const { rest } = stack;
  const fleet = await startFleet(stack, dataDir, 1);
  await until(
    () => unwrap(rest.api.devices[':id'].$get({ param: { id: 'device-001' } })),
    (device) => device.online,
  );
  const [deployment] = await deployDemo(rest, ['device-001']);
  const targets = await until(
    () => listTargets(rest, deployment!.id),
    ([target]) => target?.state === 'succeeded',
  );
  const firmware = await unwrap(rest.api.firmwares.metadata.$get({ query: {} }));
  const items = Array.isArray(firmware) ? firmware : firmware.items;
  const download = await unwrap(
    rest.api.s3.presigned_download.$get({
      query: { version: items[0]!.version, fileName: items[0]!.fileName },
    }),
  );
  const bytes = Buffer.from(await (await fetch(download.url)).arrayBuffer()).length;
  await fleet.close();
  await stack.close();
  return { deployment: deployment!.id, attempts: targets[0]!.attempt, trust: stack.trust, items, bytes };
}

describe.each(['pglite', 'postgresql'])('a system on %s', (kind) => {
  const dirs = () => ({
    from: join(root, `${kind}-from`),
    to: join(root, `${kind}-to`),
    file: join(root, `${kind}.flota`),
  });
  let fromEnv: Record<string, string> = {};
  let toEnv: Record<string, string> = {};

  it('is the same after a restore into an empty place: its devices connect again, nothing is deployed anew', async () => {
    const { from, to, file } = dirs();
    if (kind === 'postgresql') {
      fromEnv = { DATABASE_URL: await newDatabase('flota_from') };
      toEnv = { DATABASE_URL: await newDatabase('flota_to') };
    }
    const before = await live(fromEnv, from);
    const saved = await run(['backup', '--out', file], { ...fromEnv, FLOTA_DATA: from });
    expect(saved.errors).toBe('');
    expect(saved.out).toMatch(/database, ca, objects, local\. It holds secrets/);
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const restored = await run(['restore', file], { ...toEnv, FLOTA_DATA: to });
    expect(restored.errors).toBe('');
    // What a device has in its flash is the device's own.
    cpSync(join(from, 'devices'), join(to, 'devices'), { recursive: true });
    expect(await live(toEnv, to)).toEqual(before);
  }, 120_000);

  it('is not restored over anything, and neither is touched', async () => {
    const { to, file } = dirs();
    const list = () => readdirSync(to, { recursive: true }).sort();
    const before = list();
    const again = await run(['restore', file], { ...toEnv, FLOTA_DATA: to });
    expect(again).toMatchObject({ status: 1, out: '' });
    expect(again.errors).toMatch(/^restore: a restore needs an empty place: [^\n]* is there\n$/);
    for (const part of ['database', join(to, 'ca'), join(to, 'store'), 'secrets.json'])
      expect(again.errors).toContain(part);
    expect(list()).toEqual(before);
  });
});

describe('npm run backup', () => {
  const env = () => ({ FLOTA_DATA: join(root, 'pglite-from') });

  it('saves some parts alone, for machines that have only those', async () => {
    const file = join(root, 'ca.flota');
    expect(await run(['backup', '--out', file, '--only', 'ca'], env())).toMatchObject({ status: 0 });
    const CA_DIR = join(root, 'other-ca');
    const to = { FLOTA_DATA: join(root, 'other'), CA_DIR };
    expect((await run(['restore', file], to)).errors).toBe('');
    const key = (dir: string) => readFileSync(join(dir, 'hierarchy', 'issuing.key'), 'utf8');
    expect(key(CA_DIR)).toBe(key(join(env().FLOTA_DATA, 'ca')));
    expect(statSync(join(CA_DIR, 'hierarchy', 'issuing.key')).mode & 0o777).toBe(0o600);
    expect(await run(['restore', file, '--only', 'database'], to)).toMatchObject({
      errors: `restore: ${file} has no database\n`,
    });
  });

  it('says in one line what is in the way', async () => {
    const free = join(root, 'free.flota');
    writeFileSync(join(root, 'taken'), '');
    const dir = join(root, 'in-use');
    mkdirSync(join(dir, 'database'), { recursive: true });
    const lock = { pid: process.pid, startedAt: startOfThis() };
    writeFileSync(join(dir, 'lock'), JSON.stringify(lock));
    const cases: [string[], Record<string, string>, RegExp][] = [
      [['backup'], env(), /--out: is needed/],
      [['backup', '--out', join(root, 'taken')], env(), /taken exists already/],
      [['backup', '--out', free, '--only', 'devices'], env(), /--only: must be some of/],
      [['backup', '--out', free], { FLOTA_DATA: join(root, 'nothing') }, /there is nothing to back up/],
      [['backup', '--out', free, '--only', 'ca'], { FLOTA_DATA: dir }, /there is no ca here/],
      [['backup', '--out', free], { FLOTA_DATA: dir }, /is in use by another Flota/],
      [
        ['backup', '--out', free],
        { ...env(), DATABASE_URL: 'postgres://127.0.0.1:9/none' },
        /pg_dump: .*refused/,
      ],
      [['restore', free], { FLOTA_DATA: join(root, 'empty') }, /there is no .*free\.flota/],
      [['restore', join(root, 'taken')], { FLOTA_DATA: join(root, 'empty') }, /tar: /],
      [
        ['restore', join(root, 'postgresql.flota')],
        { FLOTA_DATA: join(root, 'empty') },
        /is of postgresql: set DATABASE_URL/,
      ],
    ];
    for (const [args, environment, line] of cases) {
      const { status, errors } = await run(args, environment);
      expect(status, args.join(' ')).toBe(1);
      expect(errors).toMatch(line);
      expect(errors.trim().split('\n'), errors).toHaveLength(1);
    }
    expect(existsSync(free)).toBe(false);
    expect(readdirSync(root).filter((name) => name.startsWith('.flota-backup'))).toEqual([]);
  }, 120_000);

  it('restores nothing from a file that was changed', async () => {
    const dir = join(root, 'opened');
    mkdirSync(dir);
    const tar = (...args: string[]) => new Promise((resolve) => execFile('tar', args, resolve));
    await tar('-xzf', join(root, 'ca.flota'), '-C', dir);
    writeFileSync(join(dir, 'ca', 'hierarchy', 'root.pem'), 'another root');
    const file = join(root, 'changed.flota');
    await tar('-czf', file, '-C', dir, '.');
    const to = { FLOTA_DATA: join(root, 'untouched') };
    expect((await run(['restore', file], to)).errors).toBe(
      `restore: ${file} is damaged: ca/hierarchy/root.pem is not what was saved\n`,
    );
    expect(readdirSync(to.FLOTA_DATA)).toEqual([]);
  });
});

describe('a bucket', () => {
  const objects = new Map<string, Buffer>();
  let server: Server;
  beforeAll(async () => {
    server = createServer(async (request, response) => {
      const address = new URL(request.url!, 'http://s3');
      const [, bucket, ...rest] = decodeURIComponent(address.pathname).split('/');
      const key = `${bucket}/${rest.join('/')}`;
      if (address.searchParams.has('list-type')) {
        const size = Number(address.searchParams.get('max-keys') ?? 2);
        const keys = [...objects.keys()]
          .filter((k) => k.startsWith(`${bucket}/`))
          .map((k) => k.slice(bucket!.length + 1));
        const start = Number(address.searchParams.get('continuation-token') ?? 0);
        const more = start + size < keys.length;
        const contents = keys.slice(start, start + size).map((k) => `<Contents><Key>${k}</Key></Contents>`);
        response.end(
          `<ListBucketResult>${contents.join('')}<IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${start + size}</NextContinuationToken>` : ''}</ListBucketResult>`,
        );
      } else if (request.method === 'PUT') {
        objects.set(key, Buffer.concat(await request.toArray()));
        response.end();
      } else response.writeHead(objects.has(key) ? 200 : 404).end(objects.get(key));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('is saved and restored by its keys, into an empty one only', async () => {
    const keys = ['1.0/a/이미지 (1).bin', '1.0/b/x.bin', 'crl.pem'];
    for (const key of keys) objects.set(`old/${key}`, Buffer.from(`bytes of ${key}`));
    const env = (bucket: string) => ({
      FLOTA_DATA: join(root, 'bucket'),
      S3_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      S3_BUCKET: bucket,
    });
    // The SDK reads these itself.
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
    const file = join(root, 'bucket.flota');
    expect((await run(['backup', '--out', file], env('old'))).errors).toBe('');
    expect((await run(['restore', file], env('new'))).errors).toBe('');
    for (const key of keys) expect(objects.get(`new/${key}`)).toEqual(objects.get(`old/${key}`));
    expect((await run(['restore', file], env('new'))).errors).toContain('the bucket new has ');
    expect((await run(['restore', file], { FLOTA_DATA: join(root, 'bucket') })).errors).toContain(
      'set S3_BUCKET',
    );
    objects.set('evil/../outside', Buffer.from('x'));
    expect((await run(['backup', '--out', join(root, 'evil.flota')], env('evil'))).errors).toContain(
      'no path',
    );
  }, 120_000);
});

/** As data-lock.ts knows this process. */
function startOfThis(): string {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot}/${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
}
