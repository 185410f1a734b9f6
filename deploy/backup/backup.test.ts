import { execFile } from 'node:child_process';
import { once } from 'node:events';
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
import { createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cheapPasswords } from '#webhook/testing.ts';
import { startFleet } from '../lab/fleet/devices.ts';
import { spawnGuarded } from '../lab/primitives/guard.ts';
import { listen } from '../lab/primitives/listen.ts';
import { type Cluster, createCluster } from '../lab/primitives/postgresql.ts';
import { program } from '../lab/primitives/programs.js';
import { until } from '../lab/primitives/until.ts';
import { listTargets, unwrap } from '../lab/rest.ts';
import { deployNext } from '../lab/soak/update.ts';
import { startSystem } from '../lab/system/system.ts';
import { anyPorts, type LocalConfig, toLocalConfig } from '../local/config.ts';

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
  const stack = await startSystem({ ...config, passwords: cheapPasswords() });
  const { rest } = stack;
  const fleet = await startFleet(stack, dataDir, 1);
  await until(
    () => unwrap(rest.api.devices[':id'].$get({ param: { id: 'device-001' } })),
    (device) => device.online,
  );
  // Another time it finds the one that is there.
  const deployment = await deployNext(stack, 1, ['device-001']);
  const targets = await until(
    () => listTargets(rest, deployment),
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
  return { deployment, attempts: targets[0]!.attempt, trust: stack.trust, items, bytes };
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
  }, 300_000);

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
      // An address of IPv6 is in brackets in an URL, and nowhere else.
      [['backup', '--out', free], { ...env(), DATABASE_URL: 'postgres://[::1]:9/none' }, /pg_dump: .*"::1"/],
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

  it('leaves nothing of what it has copied behind when it is told to stop, nor a program that goes on', async () => {
    let hears: Socket | undefined;
    // A database that is reached and says nothing: pg_dump waits.
    const silent = createTcpServer((socket) => {
      hears = socket.resume().on('error', () => {});
    });
    const to = join(root, 'stopped');
    mkdirSync(to);
    const port = await listen(silent);
    const path = fileURLToPath(new URL('main.ts', import.meta.url));
    const args = ['backup', '--out', join(to, 'x.flota'), '--only', 'database'];
    const child = spawnGuarded(process.execPath, [...program(path), ...args], {
      env: { PATH: process.env.PATH, DATABASE_URL: `postgres://flota@127.0.0.1:${port}/flota` },
    });
    const ended = once(child, 'exit');
    await until('pg_dump', () => hears !== undefined);
    expect(readdirSync(to)).toHaveLength(1);
    child.kill('SIGTERM');
    expect(await ended).toEqual([null, 'SIGTERM']);
    expect(readdirSync(to)).toEqual([]);
    await until('the end of pg_dump', () => hears!.destroyed);
    silent.close();
  });

  it('takes no drafts of a CA that is at work', async () => {
    const made = join(root, 'working-ca');
    cpSync(join(root, 'pglite-from', 'ca'), made, { recursive: true });
    for (const draft of ['.00ff.tmp', 'lock', 'hierarchy/.00ff.tmp', 'half.new'])
      writeFileSync(join(made, draft), '');
    const [file, CA_DIR] = [join(root, 'working-ca.flota'), join(root, 'working-ca-restored')];
    expect((await run(['backup', '--out', file, '--only', 'ca'], { CA_DIR: made })).errors).toBe('');
    expect((await run(['restore', file], { CA_DIR, FLOTA_DATA: join(root, 'working') })).errors).toBe('');
    const names = (dir: string) => readdirSync(dir, { recursive: true }).sort();
    expect(names(CA_DIR)).toEqual(names(join(root, 'pglite-from', 'ca')).filter((name) => name !== 'lock'));
  });

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
  /** Listed still, and deleted since. */
  const gone: string[] = [];
  let refuses = false;
  let server: Server;
  let port: number;
  beforeAll(async () => {
    server = createServer(async (request, response) => {
      const address = new URL(request.url!, 'http://s3');
      const [, bucket, ...rest] = decodeURIComponent(address.pathname).split('/');
      const key = `${bucket}/${rest.join('/')}`;
      if (address.searchParams.has('list-type')) {
        const size = Number(address.searchParams.get('max-keys') ?? 2);
        const keys = [...objects.keys(), ...gone]
          .filter((k) => k.startsWith(`${bucket}/`))
          .map((k) => k.slice(bucket!.length + 1));
        const start = Number(address.searchParams.get('continuation-token') ?? 0);
        const more = start + size < keys.length;
        const contents = keys.slice(start, start + size).map((k) => `<Contents><Key>${k}</Key></Contents>`);
        response.end(
          `<ListBucketResult>${contents.join('')}<IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${start + size}</NextContinuationToken>` : ''}</ListBucketResult>`,
        );
      } else if (request.method === 'PUT' && refuses) {
        response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
      } else if (request.method === 'PUT') {
        objects.set(key, Buffer.concat(await request.toArray()));
        response.end();
      } else response.writeHead(objects.has(key) ? 200 : 404).end(objects.get(key));
    });
    port = await listen(server);
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const env = (bucket: string) => ({
    FLOTA_DATA: join(root, 'bucket'),
    S3_ENDPOINT: `http://127.0.0.1:${port}`,
    S3_BUCKET: bucket,
  });
  // The SDK reads these itself.
  const credentials = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };

  it('may be in use: what is deleted while it is saved is left out, and told', async () => {
    Object.assign(process.env, credentials);
    for (const key of ['1.0/a/x.bin', '1.0/b/y.bin']) objects.set(`used/${key}`, Buffer.from(key));
    gone.push('used/patches/z.bin');
    const saved = await run(['backup', '--out', join(root, 'used.flota')], env('used'));
    expect(saved).toMatchObject({ status: 0, errors: '' });
    expect(saved.out).toContain('patches/z.bin was deleted meanwhile');
    const restored = await run(['restore', join(root, 'used.flota')], env('used-again'));
    expect(restored).toMatchObject({ status: 0, errors: '' });
    expect([...objects.keys()].filter((key) => key.startsWith('used-again/'))).toHaveLength(2);
  });

  it('that cannot be copied says why, and after a restore that breaks off, how to go on', async () => {
    Object.assign(process.env, credentials);
    objects.set('odd/a', Buffer.from('a'));
    objects.set('odd/a/b', Buffer.from('b'));
    const odd = await run(['backup', '--out', join(root, 'odd.flota')], env('odd'));
    expect(odd.errors).toMatch(/^backup: the bucket odd cannot be copied: E[A-Z]+: .*\n$/);
    const closed = { ...env('closed'), S3_ENDPOINT: 'http://127.0.0.1:9' };
    const away = await run(['backup', '--out', join(root, 'away.flota')], closed);
    expect(away.errors).toMatch(/^backup: the bucket closed cannot be copied: .*ECONNREFUSED.*\n$/);

    const both = join(root, 'both.flota');
    const CA_DIR = join(root, 'pglite-from', 'ca');
    const saved = await run(['backup', '--out', both, '--only', 'ca,objects'], { ...env('used'), CA_DIR });
    expect(saved.errors).toBe('');
    refuses = true;
    const to = { ...env('refusing'), CA_DIR: join(root, 'ca-of-both') };
    const broken = await run(['restore', both], to);
    refuses = false;
    expect(broken.errors).toMatch(/^restore: the bucket refusing cannot be copied: AccessDenied/);
    expect(broken.out).toContain(
      `restored already: ca. When objects is mended and its place empty: npm run restore -- ${both} --only objects\n`,
    );
    expect(await run(['restore', both, '--only', 'objects'], to)).toMatchObject({ status: 0, errors: '' });
  });

  it('is saved and restored by its keys, into an empty one only', async () => {
    const keys = ['1.0/a/이미지 (1).bin', '1.0/b/x.bin', 'crl.pem'];
    for (const key of keys) objects.set(`old/${key}`, Buffer.from(`bytes of ${key}`));
    Object.assign(process.env, credentials);
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
