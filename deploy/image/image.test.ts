/** What `npm run build` makes: the same bytes each time, with a list of what is in it; and what runs with compose.yaml's own environment. */

import { type ChildProcess, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DockerfileParser } from 'dockerfile-ast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { spawnGuarded } from '../lab/primitives/guard.ts';
import { holdPort } from '../lab/primitives/listen.ts';
import { type Cluster, createCluster } from '../lab/primitives/postgresql.ts';
import { program } from '../lab/primitives/programs.js';
import { until } from '../lab/primitives/until.ts';
import { buildPrograms, finishBuild, root } from './build.ts';
import { writeSbom } from './sbom.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const dir = mkdtempSync(join(tmpdir(), 'flota-image-'));
const dist = join(dir, 'dist');
const epoch = 1_700_000_000;
const children: ChildProcess[] = [];
let postgresql: Cluster;

async function build(into: string): Promise<void> {
  const packages = new Set<string>();
  await buildPrograms(into, ['webhook/main', 'ca/main'], packages);
  await finishBuild(into, packages);
}

/** Every file with its digest and its date. */
function contents(of: string): string[] {
  return readdirSync(of, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => {
      const stat = statSync(path);
      const digest = stat.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'folder';
      return `${path.slice(of.length)} ${digest} ${stat.mtimeMs}`;
    })
    .sort();
}

beforeAll(async () => {
  process.env.SOURCE_DATE_EPOCH = String(epoch);
  await build(dist);
  postgresql = await createCluster();
}, 120_000);
afterAll(async () => {
  delete process.env.SOURCE_DATE_EPOCH;
  for (const child of children) child.kill('SIGKILL');
  await postgresql?.remove();
  rmSync(dir, { recursive: true, force: true });
});

describe('the build', () => {
  it('is the same, byte by byte and date by date, when it is made again', async () => {
    const again = join(dir, 'again');
    await build(again);
    expect(contents(again)).toEqual(contents(dist));
    for (const line of contents(dist)) expect(line).toMatch(new RegExp(` ${epoch * 1000}$`));
  }, 120_000);

  it('lists the packages that are in it, and no other, as CycloneDX', () => {
    const sbom = JSON.parse(readFileSync(join(dist, 'sbom.cdx.json'), 'utf8'));
    expect(sbom).toMatchObject({
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      metadata: { component: { name: 'flota' } },
    });
    expect(sbom.metadata.timestamp).toBe(new Date(epoch * 1000).toISOString());
    const names: string[] = sbom.components.map((one: { name: string }) => one.name);
    for (const name of ['hono', 'postgres', 'pkijs', 'zod']) expect(names).toContain(name);
    // A part of npm start, of the tests, of the build.
    for (const name of ['aedes', 'vitest', 'vite', 'tsx']) expect(names).not.toContain(name);
    // The bundle's own source maps say where its code is from.
    const map = JSON.parse(readFileSync(join(dist, 'ca/main.js.map'), 'utf8')) as { sources: string[] };
    for (const source of map.sources) {
      const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1];
      if (name) expect(names).toContain(name);
    }
    for (const { ref } of sbom.dependencies.slice(1))
      expect(sbom.components.map((one: { 'bom-ref': string }) => one['bom-ref'])).toContain(ref);
  });

  it('lists what development needs too, in the production that a build is', () => {
    const before = process.env.NODE_ENV;
    process.env.NODE_ENV = 'production';
    try {
      const jose = `jose@${JSON.parse(read('node_modules/jose/package.json')).version}`;
      expect(JSON.parse(writeSbom(root, new Set([jose]), null)).components).toMatchObject([{ name: 'jose' }]);
    } finally {
      process.env.NODE_ENV = before;
    }
  });

  it('refuses a date that is none', async () => {
    process.env.SOURCE_DATE_EPOCH = 'yesterday';
    await expect(finishBuild(dist, new Set())).rejects.toThrow(
      'SOURCE_DATE_EPOCH: must be seconds since 1970',
    );
    process.env.SOURCE_DATE_EPOCH = String(epoch);
  });
});

interface Service {
  command: string[];
  environment: Record<string, string>;
}
const { services } = parse(read('deploy/compose/compose.yaml'), { merge: true }) as {
  services: Record<string, Service>;
};
const healthcheck = (() => {
  const found = DockerfileParser.parse(read('deploy/image/Dockerfile')).getHEALTHCHECKs().at(-1)!;
  return JSON.parse(found.getArgumentsContent()!.replace(/^.*?CMD /s, '')) as string[];
})();

interface Running {
  log(): string;
  exited: Promise<number | NodeJS.Signals | null>;
  health(): number;
  stop(): Promise<number | NodeJS.Signals | null>;
}
/** As the image does, in its own place: `node <command>` in dist, with nothing of our environment. */
function start(command: string, env: Record<string, string>, ...args: string[]): Running {
  const child = spawnGuarded(process.execPath, [command, ...args], {
    cwd: dist,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream!.on('data', (chunk) => (said += chunk));
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code)),
  );
  return {
    log: () => said,
    exited,
    health() {
      const [, ...args] = healthcheck;
      try {
        execFileSync(process.execPath, args, { env, timeout: 10_000, stdio: 'ignore' });
        return 0;
      } catch {
        return 1;
      }
    },
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

describe("the image's programs, in the environment of compose.yaml", () => {
  it('start, are ready and healthy, and end with status 0 on SIGTERM', async () => {
    const [state, ca] = [join(dir, 'state'), join(dir, 'ca')];
    const prepare = [...program(join(root, 'deploy/compose/prepare.ts')), '--state', state, '--ca', ca];
    execFileSync(process.execPath, prepare, { cwd: root, env: { PATH: process.env.PATH } });
    mkdirSync(join(dir, 'own'));
    writeFileSync(join(dir, 'own/database_url'), postgresql.url);

    const [port, internal, caPort, closed] = [
      holdPort().port,
      holdPort().port,
      holdPort().port,
      holdPort().port,
    ];
    const given = (service: string) =>
      Object.fromEntries(
        Object.entries(services[service]!.environment).map(([name, value]) => [
          name,
          value
            .replace(/\$\{\w+:-([^}]*)\}/g, '$1')
            .replace('/run/secrets/', `${state}/`)
            .replace('https://ca:8443', `https://localhost:${caPort}`)
            .replace(/(store:8333|emqx:18083)/, `127.0.0.1:${closed}`),
        ]),
      );
    const authority = start(services.ca!.command[0]!, {
      ...given('ca'),
      CA_DIR: ca,
      CA_HOST: '127.0.0.1',
      CA_PORT: String(caPort),
      CA_METRICS_PORT: String(holdPort().port),
    });
    // As the job of deploy/helm does, with nothing but the database; twice, for it may be there already.
    for (const round of ['first', 'again']) {
      const migration = start(
        'webhook/main.js',
        { DATABASE_URL_FILE: join(dir, 'own/database_url') },
        'migrate',
      );
      expect(await migration.exited, `${round}: ${migration.log()}`).toBe(0);
      expect(migration.log()).toContain('database is at this version');
    }
    const mistaken = start('webhook/main.js', {}, 'migrat');
    expect(await mistaken.exited).toBe(1);
    expect(mistaken.log()).toBe('migrat: there is "migrate", or nothing\n');
    const homeless = start('webhook/main.js', {}, 'migrate');
    expect(await homeless.exited).toBe(1);
    expect(homeless.log()).toMatch(/^DATABASE_URL: /);

    const webhook = start('webhook/main.js', {
      ...given('webhook-1'),
      DATABASE_URL_FILE: join(dir, 'own/database_url'),
      HOST: '127.0.0.1',
      PORT: String(port),
      INTERNAL_PORT: String(internal),
    });
    const status = () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        (response) => response.status,
        () => webhook.log(),
      );
    await until(status, (found) => found === 200);
    await until(authority.log, (text) => text.includes('listening'));
    expect(webhook.health()).toBe(0);
    expect(authority.health()).toBe(0);

    expect(await webhook.stop(), webhook.log()).toBe(0);
    expect(await authority.stop(), authority.log()).toBe(0);
    expect(webhook.health()).toBe(1);
    expect(authority.health()).toBe(1);
    expect(webhook.log() + authority.log()).not.toMatch(/uncaught|unhandled|DeprecationWarning/i);
  }, 180_000);
});
