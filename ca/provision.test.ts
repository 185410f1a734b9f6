import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spawnGuarded } from '#deploy/lab/primitives/guard.ts';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { program } from '#deploy/lab/primitives/programs.js';
import { openAuthority } from './authority.ts';
import { makeRequest } from './key-pair.ts';
import { showProgress } from './progress.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const here = dirname(fileURLToPath(import.meta.url));
const token = 'a-token-of-automation';
let work: Workspace;
let server: Server;
let url: string;
/** What was registered, in the order in which it came. */
const registered: { id: string; hardware: string; name: string; region?: string; division?: string }[] = [];
/** Their certificates. */
const certificates = new Set<string>();
const places: Record<string, { id: string; name: string }[]> = { regions: [], divisions: [] };
let refuseNext = 0;

/** As much of the webhook's REST API as provisioning uses, with its codes. */
function answerAs(
  path: string,
  body: { id: string; name: string; hardware: string } | undefined,
): [number, unknown] {
  const kind = path.replace('/api/', '');
  if (refuseNext > 0) {
    refuseNext -= 1;
    return [503, { code: 'overloaded' }];
  }
  if (kind in places) {
    if (!body) return [200, places[kind]];
    places[kind]?.push({ id: `${kind}-${body.name}`, name: body.name });
    return [201, places[kind]?.at(-1)];
  }
  if (path === '/api/certificates') {
    certificates.add((body as { certificate?: string })?.certificate ?? '');
    return [201, {}];
  }
  if (registered.some(({ id }) => id === body?.id)) return [409, { code: 'device_exists' }];
  if (body?.hardware === 'unwanted') return [422, { code: 'unknown_reference', detail: 'no such hardware' }];
  registered.push(body!);
  return [201, body];
}

beforeAll(async () => {
  work = await openWorkspace();
  await openAuthority({ dir: join(work.dir, 'ca') });
  server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const allowed = request.headers.authorization === `Bearer ${token}`;
    const [status, body] = allowed
      ? answerAs(request.url ?? '', text ? JSON.parse(text) : undefined)
      : [401, { code: 'token_invalid', detail: 'The bearer token is not known.' }];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  url = `http://127.0.0.1:${await listen(server)}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await work.remove();
});

function start(args: string[], env: Record<string, string> = {}) {
  const child = spawnGuarded(process.execPath, [...program(join(here, 'cli.ts')), 'provision', ...args], {
    cwd: work.dir,
    env: { PATH: process.env.PATH ?? '', CA_DIR: join(work.dir, 'ca'), FLOTA_API_TOKEN: token, ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const ended = new Promise<{ status: number | null; output: string }>((resolve) =>
    child.once('close', (status) => resolve({ status, output })),
  );
  return { child, ended };
}

async function finished(out: string): Promise<string[]> {
  const entries = await readdir(join(work.dir, out), { recursive: true }).catch(() => [] as string[]);
  return entries.filter((name) => name.endsWith('cert.pem')).map((name) => dirname(name));
}

const list = (count: number, prefix: string) =>
  ['id,hardware', ...Array.from({ length: count }, (_, index) => `${prefix}-${index},esp32-s3`)].join('\n');

describe('provisioning from a CSV file', () => {
  it('makes keys and certificates, registers the devices by names of region and division, and shows how far it is', async () => {
    const own = makeRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'own-key');
    await work.file('own.csr', own);
    const rows = [
      '"dev-a",esp32-s3,"Door, left",Seoul,Doors,',
      'dev-b,esp32-s3,,Seoul,,',
      'own-key,esp32-s3,,,,own.csr',
    ];
    await work.file('some.csv', ['id,hardware,name,region,division,csr', ...rows, ''].join('\r\n'));
    refuseNext = 2;
    const { status, output } = await start(['--csv', 'some.csv', '--out', 'some', '--url', url]).ended;
    expect([status, output]).toEqual([
      0,
      expect.stringContaining('3 made, 0 there before, 0 failed, 0 left'),
    ]);
    expect(output).toMatch(/^3 of 3 devices/m);
    expect(places.regions).toHaveLength(1);
    const written = await readFile(join(work.dir, 'some/dev-a/cert.pem'), 'utf8');
    expect([...certificates].some((text) => written.startsWith(text))).toBe(true);
    expect(certificates.size).toBe(3);
    expect(registered).toEqual(
      expect.arrayContaining([
        {
          id: 'dev-a',
          hardware: 'esp32-s3',
          name: 'Door, left',
          region: 'regions-Seoul',
          division: 'divisions-Doors',
        },
        { id: 'dev-b', hardware: 'esp32-s3', name: 'dev-b', region: 'regions-Seoul' },
        { id: 'own-key', hardware: 'esp32-s3', name: 'own-key' },
      ]),
    );
    expect((await readdir(join(work.dir, 'some/dev-a'))).sort()).toEqual([
      'cert.pem',
      'key.pem',
      'request.pem',
    ]);
    expect(await readdir(join(work.dir, 'some/own-key'))).toEqual(['cert.pem']);
    await expect(
      work.openssl(
        'verify',
        '-CAfile',
        'some/ca.pem',
        '-untrusted',
        'some/dev-a/cert.pem',
        'some/dev-a/cert.pem',
      ),
    ).resolves.toMatchObject({ status: 0 });
  });

  it.each(['SIGKILL', 'SIGINT'] as const)(
    'goes on after %s: every device once, with one certificate',
    async (signal) => {
      const count = 150;
      const out = `out-${signal}`;
      await work.file(`${signal}.csv`, list(count, signal));
      const args = ['--csv', `${signal}.csv`, '--out', out, '--url', url];
      const first = start(args);
      await expect.poll(async () => (await finished(out)).length, { interval: 5 }).toBeGreaterThan(5);
      first.child.kill(signal);
      const stopped = await first.ended;
      const before = await finished(out);
      expect(before.length).toBeLessThan(count);
      if (signal === 'SIGINT') {
        expect(stopped.status).toBe(130);
        expect(stopped.output).toContain('the same command goes on from here');
      }
      const kept = await Promise.all(
        before.map((id) => readFile(join(work.dir, out, id, 'cert.pem'), 'utf8')),
      );
      const second = await start(args).ended;
      expect([second.status, second.output]).toEqual([
        0,
        expect.stringContaining(`${before.length} there before`),
      ]);
      const again = await Promise.all(
        before.map((id) => readFile(join(work.dir, out, id, 'cert.pem'), 'utf8')),
      );
      expect(again).toEqual(kept);
      expect(await finished(out)).toHaveLength(count);
      expect(registered.filter(({ id }) => id.startsWith(signal))).toHaveLength(count);

      // The records of the authority: a device that was under way has the certificate that it was given then, not a second one.
      const authority = await openAuthority({ dir: join(work.dir, 'ca') });
      const names = await issuedNames();
      const mine = names.filter((name) => name.startsWith(signal));
      expect([mine.length, new Set(mine).size]).toEqual([count, count]);
      const leaf = new X509Certificate(
        await readFile(join(work.dir, out, `${signal}-7`, 'cert.pem'), 'utf8'),
      );
      expect((await authority.find(leaf.serialNumber))?.record.commonName).toBe(`${signal}-7`);
    },
  );

  it('tells each bad line before anything is made', async () => {
    const rows = ['dev/1,esp32', 'ok,esp32,more', 'ok,', 'ok,esp32', 'x,esp32,"open'];
    await work.file('bad.csv', ['id,hardware', ...rows.slice(0, 4)].join('\n'));
    const { status, output } = await start(['--csv', 'bad.csv', '--out', 'bad', '--url', url]).ended;
    expect(status).toBe(1);
    for (const line of [
      /line 2: "dev\/1" is no device id/,
      /line 3: 3 fields/,
      /line 4: "" is no hardware/,
      /line 5: ok is on line 4/,
    ])
      expect(output).toMatch(line);
    expect(await finished('bad')).toEqual([]);
    await work.file('open.csv', ['id,hardware,csr', 'a,esp32,missing.csr', rows[4]].join('\n'));
    const open = await start(['--csv', 'open.csv', '--out', 'bad']).ended;
    expect(open.output).toMatch(/line 3: a quote is opened/);
    expect((await start(['--csv', 'none.csv', '--out', 'bad']).ended).output).toMatch(
      /^ca: none\.csv cannot be read \(ENOENT\)$/m,
    );
    await work.file('head.csv', 'name,colour\nx,red');
    expect((await start(['--csv', 'head.csv', '--out', 'bad']).ended).output).toMatch(
      /column "id".*\n.*"colour"/,
    );
  });

  it('tells the line of a device that was refused, makes the others, and exits with 1', async () => {
    const wrong = makeRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'somebody-else');
    await work.file(
      'mixed.csv',
      `id,hardware,csr\ngood-1,esp32,\nbad-csr,esp32,"${wrong}"\nbad-hw,unwanted,\n`,
    );
    const { status, output } = await start(['--csv', 'mixed.csv', '--out', 'mixed', '--url', url]).ended;
    expect(status).toBe(1);
    expect(output).toMatch(/line 3: bad-csr: .*csr_name_mismatch/);
    expect(output).toMatch(/bad-hw: .*422: no such hardware \(registration_failed\)/);
    expect(await finished('mixed')).toEqual(['good-1']);
    await rm(join(work.dir, 'mixed'), { recursive: true });
    const denied = await start(['--csv', 'mixed.csv', '--out', 'mixed', '--url', url], {
      FLOTA_API_TOKEN: 'wrong',
    }).ended;
    expect(denied.output).toContain('answered 401');
  });
});

async function issuedNames(): Promise<string[]> {
  const names: string[] = [];
  for (const file of await readdir(join(work.dir, 'ca/records'))) {
    const lines = (await readFile(join(work.dir, 'ca/records', file), 'utf8')).split('\n').filter(Boolean);
    for (const line of lines) {
      const record = JSON.parse(line) as { state: string; commonName: string };
      if (record.state === 'issued') names.push(record.commonName);
    }
  }
  return names;
}

describe('the progress of provisioning', () => {
  it('is a bar on a terminal and plain lines elsewhere', () => {
    const show = (isTTY: boolean) => {
      let text = '';
      const progress = showProgress({ write: (part) => (text += part), isTTY, columns: 60 }, 20, 10);
      for (let index = 0; index < 10; index += 1) progress.advance();
      progress.note('line 7: refused');
      progress.end();
      return text;
    };
    // What a terminal does with it: each drawing replaces the one before.
    const drawn = show(true).split('\r\u001b[K');
    expect(drawn[1]).toMatch(/^\[#{10,}\.{10,}\] 10\/20/);
    expect(drawn.some((text) => /^\[#+\] 20\/20/.test(text))).toBe(true);
    expect(drawn).toContain('line 7: refused\n');
    const plain = show(false);
    expect(plain.split('\n').filter(Boolean).length).toBeGreaterThan(4);
    expect(plain).not.toContain('\r');
  });
});
