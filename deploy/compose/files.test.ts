/** What can be said of compose.yaml and the files around it without Docker. */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { BlockList } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DockerfileParser } from 'dockerfile-ast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { environmentSchema } from '#webhook/config.ts';
import { program } from '../lab/primitives/programs.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Service {
  image: string;
  build?: { context: string; dockerfile: string; target?: string };
  command?: string[];
  environment?: Record<string, string>;
  secrets?: (string | { source: string; target: string })[];
  volumes?: string[];
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
  restart?: string;
  read_only?: boolean;
  cap_drop?: string[];
  healthcheck?: { test: string[] };
  networks?: { default?: { ipv4_address?: string } };
}
const compose = parse(read('deploy/compose/compose.yaml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
  networks: { default: { ipam: { config: { subnet: string; ip_range?: string; gateway?: string }[] } } };
};
const services = Object.entries(compose.services);
const serving = services.filter(([, service]) => service.restart === 'unless-stopped');
const secretsOf = (service: Service) =>
  (service.secrets ?? []).map((one) => (typeof one === 'string' ? one : one.source));

describe('compose.yaml', () => {
  it('names nothing that it does not have', () => {
    for (const [name, service] of services) {
      for (const secret of secretsOf(service)) expect(compose.secrets, name).toHaveProperty(secret);
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        expect(compose.services, name).toHaveProperty([other]);
        if (condition === 'service_healthy')
          expect(compose.services[other]!.healthcheck, other).toBeDefined();
      }
      for (const volume of service.volumes ?? []) {
        const [from = ''] = volume.split(':');
        if (!from.startsWith('.')) expect(compose.volumes, name).toHaveProperty([from]);
        else if (!['./state', './backups'].includes(from))
          expect(existsSync(join(here, from)), from).toBe(true);
      }
      if (service.build)
        expect(existsSync(join(here, service.build.context, service.build.dockerfile))).toBe(true);
      for (const word of service.command ?? [])
        if (/\.ts$/.test(word)) expect(existsSync(join(root, word)), word).toBe(true);
    }
  });

  it('pins every image, and every part that serves has a health check and comes back', () => {
    expect(serving.map(([name]) => name).sort()).toEqual(
      [
        'alertmanager',
        'ca',
        'database',
        'emqx',
        'grafana',
        'prometheus',
        'proxy',
        'store',
        'webhook-1',
        'webhook-2',
      ].sort(),
    );
    for (const [name, { image, healthcheck }] of serving) {
      expect(healthcheck?.test.length, name).toBeGreaterThan(1);
      expect(image, name).toMatch(/:(local\}|v?\d+(\.\d+)+(-[a-z]+)?)$/);
    }
  });

  it('gives our own parts a read-only root, no capabilities, and no port that the network did not ask for', () => {
    for (const name of ['ca', 'webhook-1', 'webhook-2', 'proxy', 'prometheus', 'alertmanager', 'grafana'])
      expect(compose.services[name], name).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    for (const [name, { ports = [] }] of services)
      for (const port of ports) expect(port, name).toMatch(/^(127\.0\.0\.1|\$\{FLOTA_BIND:-127\.0\.0\.1\}):/);
  });

  it('has no secret in a variable, and no variable that the webhook does not know', () => {
    const known = Object.keys(environmentSchema.shape);
    const { environment, ...copy } = compose.services['webhook-1']!;
    for (const [name, value] of Object.entries(environment!)) {
      if (/(SECRET|TOKEN|PASSWORD|KEY|DATABASE_URL)(_FILE)?$/.test(name) && name !== 'BROKER_API_KEY')
        expect(value).toMatch(/^\/run\/secrets\//);
      if (!name.startsWith('AWS_SHARED')) expect(known).toContain(name.replace(/_FILE$/, ''));
      if (value.startsWith('/run/secrets/')) expect(secretsOf(copy as Service)).toContain(value.slice(13));
    }
  });

  it('has nginx know nothing by name: it would look that up once, and a part that is made anew has another address', () => {
    const { environment } = compose.services.proxy!;
    const fixed = services.flatMap(([, { networks }]) => networks?.default?.ipv4_address ?? []);
    const asked = Object.entries(environment!).filter(([name]) =>
      /^PROXY_(COPY_\d(_INTERNAL)?|STORE)$/.test(name),
    );
    expect(asked).toHaveLength(5);
    for (const [name, value] of asked) expect(fixed, name).toContain(value.replace(/:\d+$/, ''));
  });

  it('has Docker give away no address that a part has for itself: whoever starts before it would get it', () => {
    const addressesOf = (cidr: string) => {
      const [from, bits] = cidr.split('/') as [string, string];
      const range = new BlockList();
      range.addSubnet(from, Number(bits));
      return range;
    };
    const set = JSON.parse(
      JSON.stringify(compose).replaceAll(/\$\{FLOTA_NET:-([\d.]+)\}/g, '$1'),
    ) as typeof compose;
    const [{ subnet, ip_range: given = subnet, gateway } = { subnet: '' }] = set.networks.default.ipam.config;
    const fixed = Object.values(set.services).flatMap(
      ({ networks }) => networks?.default?.ipv4_address ?? [],
    );
    expect(fixed).toHaveLength(3);
    for (const address of [...fixed, gateway!]) {
      expect(addressesOf(subnet).check(address), address).toBe(true);
      expect(addressesOf(given).check(address), address).toBe(false);
    }
    expect(new Set([...fixed, gateway]).size).toBe(4);
    expect(addressesOf(subnet).check(given.split('/')[0]!)).toBe(true);
  });

  it('gives the proxy file every value that it asks for', () => {
    const asked = new Set(
      [...read('deploy/compose/proxy/flota.conf.template').matchAll(/\$\{(PROXY_\w+)\}/g)].map((m) => m[1]!),
    );
    const given = Object.keys(compose.services.proxy!.environment!).filter((name) =>
      name.startsWith('PROXY_'),
    );
    expect(given.sort()).toEqual([...asked].sort());
  });
});

describe('prepare', () => {
  let dir: string;
  let said: string;
  const run = (at = dir) =>
    execFileSync(
      process.execPath,
      [...program(join(here, 'prepare.ts')), '--state', join(at, 'state'), '--ca', join(at, 'ca')],
      {
        cwd: root,
        encoding: 'utf8',
        env: {
          PATH: process.env.PATH,
          FLOTA_HOST: 'flota.example.org',
          CA_CRL_URL: 'http://proxy:8080/crl/crl.pem',
        },
      },
    );
  const state = (name: string) => readFileSync(join(dir, 'state', name), 'utf8');
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'flota-prepare-'));
    said = run();
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('makes every secret that compose.yaml names, readable in the containers and closed to others outside', () => {
    expect(statSync(join(dir, 'state')).mode & 0o777).toBe(0o700);
    for (const [name, { file }] of Object.entries(compose.secrets)) {
      expect(file).toMatch(new RegExp(`^(\\$\\{\\w+_FILE:-)?\\./state/${name}\\}?$`));
      expect(statSync(join(dir, 'state', name)).mode & 0o777, name).toBe(0o444);
      // Empty: telemetry is in our database.
      if (name === 'telemetry_database_url') expect(state(name)).toBe('');
      else expect(state(name).length, name).toBeGreaterThan(8);
    }
    expect(statSync(join(dir, 'state', 'firmware-signing-key.pem')).mode & 0o077).toBe(0);
  });

  it('makes certificates that openssl verifies, for the names that devices use', () => {
    for (const name of ['edge', 'webhook']) {
      const file = join(dir, 'state', `${name}_certificate`);
      const verify = ['verify', '-x509_strict', '-CAfile', join(dir, 'state', 'ca_root'), '-untrusted', file];
      const hostname = name === 'edge' ? ['-verify_hostname', 'flota.example.org'] : [];
      expect(execFileSync('openssl', [...verify, ...hostname, file], { encoding: 'utf8' })).toContain('OK');
    }
    expect(JSON.parse(state('store_identities')).identities[0].credentials[0].secretKey).toBe(
      /secret_access_key=(.*)/.exec(state('aws_credentials'))?.[1],
    );
    expect(state('emqx_conf')).toContain('/opt/emqx/etc/certs/key.pem');
    expect(state('emqx_api_keys').trim()).toBe(`flota:${state('emqx_api_secret')}`);
  });

  it('gives the dashboard a password that EMQX takes, shows it once, and the broker starts with it', () => {
    const password = state('emqx_dashboard_password');
    expect(password).toMatch(/^(?=.*[A-Za-z])(?=.*\d)[\w-]{8,64}$/);
    expect(said).toContain('login: admin@flota.local');
    expect(said).toContain(`broker's dashboard, shown once: admin  ${password}`);
    const { command, secrets, ports } = compose.services.emqx!;
    expect(command!.join(' ')).toMatch(
      /^EMQX_DASHBOARD__DEFAULT_PASSWORD=\$\$\(cat \/run\/secrets\/emqx_dashboard_password\) exec \/usr\/bin\/flota-entrypoint /,
    );
    expect(secrets).toContain('emqx_dashboard_password');
    expect(ports!.filter((port) => port.includes('18083'))).toEqual(['127.0.0.1:18083:18083']);
  });

  it('says that alarms reach nobody as long as nobody is named', () => {
    expect(said).toContain('alarms reach nobody: set FLOTA_ALARM_EMAIL or FLOTA_ALARM_WEBHOOK');
    expect(JSON.parse(state('alertmanager')).receivers).toEqual([{ name: 'operators' }]);
  });

  it('takes no empty file for a secret, such as a full disk leaves', () => {
    const broken = join(dir, 'broken');
    mkdirSync(join(broken, 'state'), { recursive: true });
    const emptied = ['ca_passphrase', 'api_token', 'webhook_key', 'webhook_certificate', 'sealing_keys'];
    for (const name of emptied) writeFileSync(join(broken, 'state', name), '');
    run(broken);
    for (const name of emptied) expect(statSync(join(broken, 'state', name)).size, name).toBeGreaterThan(8);
    expect(readFileSync(join(broken, 'ca/hierarchy/issuing.key'), 'utf8')).toContain('ENCRYPTED PRIVATE KEY');
  });

  it('changes nothing when it is run again, and shows no password a second time', () => {
    const all = () =>
      readdirSync(join(dir, 'state'))
        .filter((name) => name !== 'emqx')
        .map((name) => [name, state(name)]);
    const before = all();
    expect(run()).not.toContain(state('emqx_dashboard_password'));
    expect(all()).toEqual(before);
  });
});

describe('Prometheus and Grafana', () => {
  const ours = () => {
    const source =
      read('webhook/metrics/metrics.ts') +
      read('webhook/metrics/fleet.ts') +
      read('webhook/metrics/routes.ts') +
      read('ca/metrics.ts') +
      read('ca/server.ts');
    return new Set([...source.matchAll(/\b(flota_[a-z_]+|process_[a-z_]+)\b/g)].map((m) => m[1]!));
  };
  /** Of EMQX 5.8's own list. */
  const theirs = [
    'emqx_action_dropped',
    'emqx_action_queuing',
    'emqx_cert_expiry_at',
    'emqx_live_connections_count',
    'up',
  ];
  const metricsIn = (expression: string) =>
    [...expression.replace(/\{[^}]*\}/g, '').matchAll(/\b((?:flota|process|emqx)_[a-z_]+)\b/g)].map((m) =>
      m[1]!.startsWith('flota') ? m[1]!.replace(/_bucket$/, '') : m[1]!,
    );

  it('take their files, as promtool reads them', () => {
    for (const args of [
      ['config', '--syntax-only', 'prometheus.yaml'],
      ['rules', 'rules.yaml'],
    ]) {
      const last = join(here, 'prometheus', args.at(-1)!);
      const { status, stdout, stderr } = spawnSync('promtool', ['check', ...args.slice(0, -1), last], {
        encoding: 'utf8',
      });
      expect(status, stdout + stderr).toBe(0);
    }
  });

  it('raise their alarms when they should, and not before', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'rules.test.yaml'], {
      cwd: join(here, 'prometheus'),
      encoding: 'utf8',
    });
    expect(status, stdout + stderr).toBe(0);
  });

  it('ask for metrics that exist', () => {
    const known = new Set([...ours(), ...theirs]);
    const rules = parse(read('deploy/compose/prometheus/rules.yaml')) as {
      groups: { rules: { alert: string; expr: string }[] }[];
    };
    const expressions = rules.groups.flatMap((group) => group.rules.map((rule) => rule.expr));
    const dashboard = JSON.parse(read('deploy/grafana/dashboards/flota.json')) as {
      panels: { datasource: { uid: string }; targets: { expr: string }[] }[];
    };
    expressions.push(...dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr)));
    expect(expressions.length).toBeGreaterThan(30);
    for (const expression of expressions)
      for (const name of metricsIn(expression)) expect(known, expression).toContain(name);
    const source = parse(read('deploy/grafana/provisioning/datasources/prometheus.yaml')) as {
      datasources: { uid: string }[];
    };
    for (const panel of dashboard.panels) expect(panel.datasource.uid).toBe(source.datasources[0]!.uid);
  });

  it('raise no alarm without a section in the operations guide, and it explains none that is not raised', () => {
    const raised = [...read('deploy/compose/prometheus/rules.yaml').matchAll(/- alert: (\w+)/g)].map(
      (m) => m[1]!,
    );
    const guide = read('deploy/OPERATIONS.md');
    const alarms = guide.slice(
      guide.indexOf('\n## Alarms\n'),
      guide.indexOf('\n## ', guide.indexOf('\n## Alarms\n') + 5),
    );
    expect([...alarms.matchAll(/^### (\w+)$/gm)].map((m) => m[1]!)).toEqual(raised);
    for (const section of alarms.split(/^### /m).slice(1))
      expect(section, section.split('\n')[0]).toMatch(/\*\*Do:\*\*/);
  });
});

describe('the Dockerfiles', () => {
  const parsed = (path: string) => DockerfileParser.parse(read(path));

  it('copy what is there, from stages that are there, and pin what they start from', () => {
    for (const path of ['deploy/image/Dockerfile', 'deploy/image/emqx.Dockerfile']) {
      const stages = parsed(path).getFROMs();
      const names = stages.map((from) => from.getBuildStage());
      for (const from of stages)
        if (!names.includes(from.getImage() ?? ''))
          expect(from.getImageTag(), path).toMatch(/^\d+\.\d+\.\d+/);
      for (const copy of parsed(path).getCOPYs()) {
        const stage = copy.getFromFlag()?.getValue();
        if (stage) expect(names).toContain(stage);
        const words = copy.getArguments().map((argument) => argument.getValue());
        if (!stage)
          for (const word of words.slice(0, -1)) expect(existsSync(join(root, word)), word).toBe(true);
      }
    }
  });

  it('leave out what people keep in a checkout that is no business of an image, and nothing else', () => {
    const patterns = read('deploy/image/Dockerfile.dockerignore').trim().split('\n');
    // As Docker reads them: from the root of the context, and a folder with all that is in it.
    const shapes = patterns.map(
      (pattern) =>
        new RegExp(
          `^${pattern
            .replace(/[.+^$()|[\]]/g, '\\$&')
            .replace(/\*\*\//g, '\0')
            .replace(/\*/g, '[^/]*')
            .replaceAll('\0', '(.*/)?')}(/|$)`,
        ),
    );
    const isLeftOut = (path: string) => shapes.some((shape) => shape.test(path));
    for (const path of [
      ...['deploy/compose/.env', '.env.production', 'deploy/compose/state/api_token', 'backups/a.flota'],
      ...['cdn.pem', 'webhook/key.pem', 'issuing.csr', 'ca-root/hierarchy/root.key', 'ca-online/records/1'],
      ...['firmware-signing-key.pem', '.flota/secrets.json', 'state/firmware-signing-key.pem'],
    ])
      expect([path, isLeftOut(path)]).toEqual([path, true]);
    const { status, stdout } = spawnSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' });
    // An unpacked release has no list.
    const kept = status === 0 ? stdout.trim().split('\n') : ['package.json', 'ca/hierarchy.ts'];
    const lost = kept.filter((path) => isLeftOut(path) && !/^(\.github|deploy\/terraform)\//.test(path));
    expect(lost).toEqual([]);
  });

  it('end each image as a user without rights, with its health check or the word that a job has none', () => {
    for (const [path, targets] of [
      ['deploy/image/Dockerfile', ['tools', 'runtime']],
      ['deploy/image/emqx.Dockerfile', [null]],
    ] as const) {
      const instructions = parsed(path).getInstructions();
      const starts = instructions.flatMap((one, index) => (one.getKeyword() === 'FROM' ? [index] : []));
      const stages = new Map(
        parsed(path)
          .getFROMs()
          .map((from, index) => [
            from.getBuildStage(),
            instructions.slice(starts[index], starts[index + 1]).map((one) => ({
              keyword: one.getKeyword(),
              words: one.getArgumentsContent() ?? '',
            })),
          ]),
      );
      for (const target of targets) {
        const stage = stages.get(target)!;
        const last = (keyword: string) => stage.findLast((one) => one.keyword === keyword)?.words;
        expect(last('USER'), `${path} ${target}`).toMatch(/^(node|emqx)$/);
        expect(last('HEALTHCHECK'), `${path} ${target}`).toMatch(target === 'tools' ? /^NONE$/ : /CMD \[/);
        const root = stage.findLastIndex((one) => one.keyword === 'USER');
        expect(stage.slice(root).some((one) => one.keyword === 'RUN')).toBe(false);
      }
    }
    expect(parsed('deploy/image/Dockerfile').getCOPYs().at(-1)!.getFromFlag()?.getValue()).toBe('build');
  });
});
