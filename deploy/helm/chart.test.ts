/** The chart as Helm renders it, judged by Kubernetes' schemas and by what our programs say of their environment. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { toConfig as toCaConfig } from '#ca/config.ts';
import { environmentSchema, parseEnvironment, toConfig } from '#webhook/config.ts';
import { maxElfBytes } from '#webhook/crashes/elfs.ts';
import { findHelm, findValidator } from '../../.ci/kubernetes.ts';

const here = fileURLToPath(new URL('./', import.meta.url));
const chart = join(here, 'flota');
const helm = findHelm();
const validator = findValidator();
if (!helm) process.stderr.write('the chart of deploy/helm is NOT rendered: there is no helm\n');
if (helm && !validator)
  process.stderr.write('the chart of deploy/helm is NOT checked against schemas: no kubernetes-validate\n');
const dir = mkdtempSync(join(tmpdir(), 'flota-chart-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Resource {
  apiVersion: string;
  kind: string;
  metadata: { name: string; annotations?: Record<string, string>; labels?: Record<string, string> };
  [field: string]: any;
}
const run = (command: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return { status, stdout, stderr };
};
function render(...args: string[]): Resource[] {
  const { status, stdout, stderr } = run(
    helm!,
    ...['template', 'flota', chart, '--namespace', 'flota'],
    ...args,
  );
  expect(status, stderr).toBe(0);
  return parseAllDocuments(stdout).flatMap((document) => (document.toJS() as Resource | null) ?? []);
}
const refusal = (...args: string[]) => {
  const { status, stderr } = run(helm!, 'template', 'flota', chart, ...args);
  expect(status).not.toBe(0);
  return stderr;
};

/** Only what has no default. */
const least = join(dir, 'least.yaml');
const ingress = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } } };
const needed = {
  publicUrl: 'https://flota.example.org',
  store: { bucket: 'flota' },
  networkPolicy: { console: [ingress] },
};
writeFileSync(least, JSON.stringify(needed));
/** Every mode of secrets, and what the examples leave at its default. */
const inValues = join(dir, 'in-values.yaml');
const files = [
  ...['database_url', 'aws_credentials', 'emqx_api_secret', 'webhook_certificate', 'webhook_key', 'ca_trust'],
  ...['webhook_token', 'api_token', 'admin_password', 'firmware_keys'],
];
writeFileSync(
  inValues,
  JSON.stringify({
    ...needed,
    webhook: {
      nodeSelector: { pool: 'flota' },
      tolerations: [{ operator: 'Exists' }],
      priorityClassName: 'high',
      podAnnotations: { a: 'b' },
    },
    ca: { podAnnotations: { a: 'b' }, env: { CA_DEVICE_DAYS: 30 }, storage: { className: 'fast' } },
    image: { tag: `sha256:${'0'.repeat(64)}`, pullSecrets: ['registry'] },
    secrets: {
      from: 'values',
      values: {
        webhook: Object.fromEntries(files.map((name) => [name, `the ${name}`])),
        ca: { ca_passphrase: 'the ca_passphrase' },
      },
    },
  }),
);
const cases = {
  least,
  small: join(here, 'examples/small.yaml'),
  large: join(here, 'examples/large.yaml'),
  'external secrets': join(here, 'examples/external-secrets.yaml'),
  'secrets in values': inValues,
};
const rendered = new Map<string, Resource[]>();
const of = (name: keyof typeof cases) => {
  const known = rendered.get(name) ?? render('-f', cases[name]);
  rendered.set(name, known);
  return known;
};
const all = () => (Object.keys(cases) as (keyof typeof cases)[]).map((name) => [name, of(name)] as const);
const find = (resources: Resource[], kind: string, name: string): Resource => {
  const found = resources.find((one) => one.kind === kind && one.metadata.name === name);
  expect(found, `${kind} ${name}`).toBeDefined();
  return found!;
};
const podOf = (resource: Resource) => resource.spec?.template?.spec;
const pods = (resources: Resource[]) => resources.filter((one) => podOf(one)?.containers);
const containersOf = (resource: Resource) => [
  ...(podOf(resource).initContainers ?? []),
  ...podOf(resource).containers,
];
const environmentOf = (container: { env?: { name: string; value: string }[] }) =>
  Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));

/** Of the custom resources, whose schemas no package carries: what we use of them, and nothing else. */
const monitorEndpoint = {
  path: z.string(),
  interval: z.string(),
  relabelings: z.array(z.strictObject({ targetLabel: z.string(), replacement: z.string() })).optional(),
};
const labels = z.record(z.string(), z.string());
const customSpecs: Record<string, z.ZodType> = {
  'monitoring.coreos.com/v1 ServiceMonitor': z.strictObject({
    jobLabel: z.string(),
    selector: z.strictObject({ matchLabels: labels }),
    endpoints: z.array(z.strictObject({ ...monitorEndpoint, port: z.string() })),
  }),
  'monitoring.coreos.com/v1 PodMonitor': z.strictObject({
    selector: z.strictObject({ matchLabels: labels }),
    podMetricsEndpoints: z.array(z.strictObject({ ...monitorEndpoint, targetPort: z.int() })),
  }),
  'monitoring.coreos.com/v1 PrometheusRule': z.strictObject({
    groups: z
      .array(
        z.strictObject({
          name: z.string(),
          rules: z
            .array(
              z.strictObject({
                alert: z.string(),
                expr: z.string(),
                for: z.string().optional(),
                labels,
                annotations: labels,
              }),
            )
            .min(1),
        }),
      )
      .min(1),
  }),
  'external-secrets.io/v1 ExternalSecret': z.strictObject({
    refreshInterval: z.string(),
    secretStoreRef: z.strictObject({
      name: z.string(),
      kind: z.enum(['SecretStore', 'ClusterSecretStore']),
    }),
    target: z.strictObject({ name: z.string(), creationPolicy: z.literal('Owner') }),
    data: z
      .array(z.strictObject({ secretKey: z.string(), remoteRef: z.strictObject({ key: z.string() }) }))
      .min(1),
  }),
};

describe.skipIf(!helm)('the chart, as helm renders it', () => {
  it('passes helm lint with the values of each size', () => {
    for (const [name, values] of Object.entries(cases)) {
      const { status, stdout } = run(helm!, 'lint', '--strict', chart, '-f', values);
      expect(status, `${name}: ${stdout}`).toBe(0);
      expect(stdout, name).not.toMatch(/\[(WARNING|ERROR)\]/);
    }
  });

  it.skipIf(!validator)(
    "is what Kubernetes' schemas of the oldest and the newest version allow",
    () => {
      // Many are the same in several cases; for each the validator reads all definitions of a version.
      const different = new Set<string>();
      for (const [name, resources] of all()) {
        const own = resources.filter((one) => {
          const custom = customSpecs[`${one.apiVersion} ${one.kind}`];
          const title = `${name}: ${one.kind} ${one.metadata.name}`;
          if (custom) expect(() => custom.parse(one.spec), title).not.toThrow();
          return !custom;
        });
        expect(own.length, name).toBeGreaterThan(10);
        for (const one of own) different.add(JSON.stringify(one));
      }
      const file = join(dir, 'rendered.yaml');
      writeFileSync(file, [...different].join('\n---\n'));
      const versions = ['1.27', '1.37'];
      const asked = [...versions.flatMap((version) => ['-k', version]), '--strict', file];
      const { status, stdout, stderr } = run(validator!, ...asked);
      expect(status, stdout + stderr).toBe(0);
      for (const version of versions)
        expect(
          stdout.match(new RegExp(` passed for resource .* against version ${version}$`, 'gm')),
          stdout,
        ).toHaveLength(different.size);
    },
    120_000,
  );

  it('gives webhook and CA an environment that they start with, of variables that they know', () => {
    const rsaKey = execFileSync('openssl', ['genrsa', '2048'], { encoding: 'utf8', stdio: 'pipe' });
    for (const [name, resources] of all()) {
      const [webhook] = containersOf(find(resources, 'Deployment', 'flota-webhook'));
      const env = environmentOf(webhook);
      for (const variable of Object.keys(env))
        if (variable !== 'AWS_SHARED_CREDENTIALS_FILE')
          expect(Object.keys(environmentSchema.shape), name).toContain(variable.replace(/_FILE$/, ''));
      const mounted = podOf(find(resources, 'Deployment', 'flota-webhook')).volumes.find(
        (one: { name: string }) => one.name === 'secrets',
      ).secret.items as { path: string }[];
      const contents: Record<string, string> = {
        database_url: 'postgres://flota:secret@db:5432/flota',
        telemetry_database_url: 'postgres://reader:secret@timescale:5432/telemetry',
        sealing_keys: Buffer.alloc(32, 1).toString('base64'),
        smtp_url: 'smtp://flota:secret@mail.example.org:587',
        firmware_keys: '{"keys":[{"kty":"EC","kid":"a"}]}',
        cdn_private_key: rsaKey,
      };
      const asked = new Set<string>();
      const readFile = (path: string) => {
        const file = path.replace('/run/secrets/flota/', '');
        expect(
          mounted.map((one) => one.path),
          `${name}: ${path}`,
        ).toContain(file);
        asked.add(file);
        return contents[file] ?? 'sixteen-letters-or-more';
      };
      const config = toConfig(parseEnvironment(environmentSchema, env, readFile), readFile);
      expect(config).toMatchObject({ publicUrl: 'https://flota.example.org', internalPort: 8081 });
      // And nothing is mounted that it does not read; AWS's own library reads its file.
      expect([...asked, ...(env.AWS_SHARED_CREDENTIALS_FILE ? ['aws_credentials'] : [])].sort()).toEqual(
        mounted.map((one) => one.path).sort(),
      );

      const ca = containersOf(find(resources, 'StatefulSet', 'flota-ca')).at(-1);
      const { CA_PASSPHRASE_FILE, ...rest } = environmentOf(ca);
      expect(CA_PASSPHRASE_FILE).toBe('/run/secrets/flota/ca_passphrase');
      const source = readFileSync(join(here, '../../ca/config.ts'), 'utf8');
      for (const variable of Object.keys(rest)) expect(source, name).toContain(variable);
      const { names, crlUrl } = toCaConfig({ ...rest, CA_PASSPHRASE: 'x' });
      expect(names).toContain(new URL(env.CA_URL!).hostname);
      expect(crlUrl).toBe('http://flota-webhook.flota.svc:8080/crl/crl.pem');
    }
  });

  it('runs everything of ours as nobody in particular, on a read-only root, within limits', () => {
    for (const [name, resources] of all()) {
      expect(
        pods(resources)
          .map((one) => one.kind)
          .sort(),
        name,
      ).toEqual([...['Deployment', 'Job', 'Job', 'StatefulSet']]);
      for (const resource of pods(resources)) {
        const title = `${name}: ${resource.metadata.name}`;
        expect(podOf(resource), title).toMatchObject({
          automountServiceAccountToken: false,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            seccompProfile: { type: 'RuntimeDefault' },
          },
        });
        for (const container of containersOf(resource)) {
          expect(container.securityContext, title).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
          expect(container.resources, title).toMatchObject({
            requests: { cpu: expect.anything(), memory: expect.anything() },
            limits: { memory: expect.anything() },
          });
          expect(container.image, title).toMatch(/:\d+\.\d+\.\d+$|@sha256:[0-9a-f]{64}$/);
          const volumes = podOf(resource).volumes.map((one: { name: string }) => one.name);
          for (const mount of container.volumeMounts)
            expect([...volumes, 'state'], title).toContain(mount.name);
        }
      }
    }
  });

  it('drains a copy before it stops it, spreads copies, and asks a copy for its health by the right page', () => {
    for (const [name, resources] of all()) {
      const { spec } = find(resources, 'Deployment', 'flota-webhook');
      const pod = spec.template.spec;
      const [container] = pod.containers;
      expect(container.readinessProbe.httpGet.path, name).toBe('/readyz');
      // A copy does not get better by a restart when the database is away.
      expect(container.livenessProbe.httpGet.path, name).toBe('/healthz');
      expect(container.lifecycle.preStop.exec.command).toEqual(['sleep', '5']);
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(5 + 30);
      expect(spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
      for (const one of pod.topologySpreadConstraints)
        expect(spec.template.metadata.labels).toMatchObject(one.labelSelector.matchLabels);
      expect(spec.selector.matchLabels).toEqual(pod.topologySpreadConstraints[0].labelSelector.matchLabels);
    }
  });

  it('selects by each policy, budget, monitor and service the pods that it means', () => {
    for (const [name, resources] of all()) {
      const labelled = pods(resources).map((one) => one.spec.template.metadata.labels);
      // Made by EMQX's chart.
      labelled.push({ 'app.kubernetes.io/name': 'emqx' });
      const selectors = resources.flatMap((one) => {
        if (one.kind === 'Service') return [[one, one.spec.selector]];
        if (one.kind === 'PodDisruptionBudget') return [[one, one.spec.selector.matchLabels]];
        if (one.kind === 'NetworkPolicy') return [[one, one.spec.podSelector.matchLabels]];
        return [];
      }) as [Resource, Record<string, string>][];
      for (const [resource, selector] of selectors) {
        const chosen = labelled.filter((one) =>
          Object.entries(selector).every(([key, value]) => one[key] === value),
        );
        expect(chosen, `${name}: ${resource.kind} ${resource.metadata.name}`).toHaveLength(1);
      }
      for (const monitor of resources.filter((one) => one.kind === 'ServiceMonitor')) {
        const [endpoint] = monitor.spec.endpoints;
        const service = find(resources, 'Service', monitor.metadata.name);
        expect(service.metadata.labels).toMatchObject(monitor.spec.selector.matchLabels);
        expect(service.spec.ports.map((one: { name: string }) => one.name)).toContain(endpoint.port);
        // Alarms ask for job="webhook" and job="ca".
        expect(['webhook', 'ca']).toContain(service.metadata.labels![monitor.spec.jobLabel]);
      }
    }
  });

  it("lets nobody but the webhook and the job reach the broker's API, and nobody but the broker and Prometheus 8081", () => {
    const policies = of('small').filter((one) => one.kind === 'NetworkPolicy');
    const reaching = (policy: string, port: number | string) =>
      find(policies, 'NetworkPolicy', policy)
        .spec.ingress.filter((rule: { ports: { port: unknown }[] }) =>
          rule.ports.some((one) => one.port === port),
        )
        .flatMap((rule: { from: unknown[] }) => rule.from);
    expect(JSON.stringify(reaching('flota-broker', 18083))).not.toMatch(/ipBlock|namespaceSelector/);
    expect(reaching('flota-broker', 18083)).toHaveLength(2);
    expect(reaching('flota-broker', 1883)).toEqual([]);
    expect(reaching('flota-broker', 8883)).toEqual([{ ipBlock: { cidr: '0.0.0.0/0' } }]);
    expect(reaching('flota-webhook', 'internal')).toEqual([
      { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'emqx' } } },
      { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
    ]);
    expect(find(policies, 'NetworkPolicy', 'flota-ca').spec.egress).toEqual([]);
    for (const resource of of('small'))
      if (resource.kind === 'Ingress') expect(JSON.stringify(resource)).not.toMatch(/internal|808[12]/);
    expect(find(of('small'), 'Service', 'flota-mqtt').spec.ports).toEqual([
      { name: 'mqtts', port: 8883, targetPort: 8883 },
    ]);
  });

  it('believes the address that a proxy tells of a caller, and lets nobody but that proxy and the brokers reach the webhook', () => {
    for (const [name, resources] of all()) {
      const { ingress: rules } = find(resources, 'NetworkPolicy', 'flota-webhook').spec;
      const reaching = rules
        .filter(({ ports }: { ports: { port: string }[] }) => ports.some(({ port }) => port === 'http'))
        .flatMap(({ from }: { from: unknown[] }) => from);
      const given = parse(readFileSync(cases[name], 'utf8')).networkPolicy?.console ?? [];
      const brokers = { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'emqx' } } };
      expect(reaching, name).toEqual([...given, brokers]);
      for (const one of given) expect(one, name).not.toEqual({ namespaceSelector: {} });
    }
    const wrong = refusal('-f', least, '--set', 'networkPolicy.console=null');
    expect(wrong).toContain('networkPolicy.console: is needed, who stands before the webhook');
    const open = render(
      '-f',
      least,
      '--set',
      'networkPolicy.console=null',
      '--set',
      'networkPolicy.enabled=false',
    );
    expect(open.filter(({ kind }) => kind === 'NetworkPolicy')).toEqual([]);
  });

  it('closes neither the single sign-on nor notifications where the store is inside', () => {
    const inside = ['networkPolicy.store.cidr=10.0.0.0/8', 'networkPolicy.store.port=9000'];
    const egress = (...more: string[]) =>
      find(
        render('-f', least, ...[...inside, ...more].flatMap((one) => ['--set', one])),
        'NetworkPolicy',
        'flota-webhook',
      ).spec.egress;
    const to = (cidr: string, port: number) => ({ to: [{ ipBlock: { cidr } }], ports: [{ port }] });
    expect(egress()).toContainEqual(to('10.0.0.0/8', 9000));
    expect(egress()).toContainEqual(to('0.0.0.0/0', 443));
    const narrow = egress('networkPolicy.outside.cidr=192.0.2.0/24', 'networkPolicy.outside.port=8443');
    expect(narrow).toContainEqual(to('192.0.2.0/24', 8443));
    expect(narrow).not.toContainEqual(to('0.0.0.0/0', 443));
  });

  it('puts no secret anywhere but into a Secret', () => {
    for (const [name, resources] of all()) {
      expect(
        resources.filter((one) => one.kind === 'ConfigMap'),
        name,
      ).toEqual([]);
      for (const resource of resources) {
        if (resource.kind === 'Secret') continue;
        const text = JSON.stringify(resource);
        for (const file of [...files, 'ca_passphrase']) expect(text, name).not.toContain(`the ${file}`);
        for (const container of podOf(resource) ? containersOf(resource) : [])
          for (const [variable, value] of Object.entries(environmentOf(container)))
            if (/(SECRET|TOKEN|PASSWORD|PASSPHRASE|_KEY|DATABASE_URL)(_FILE)?$/.test(variable))
              if (variable !== 'BROKER_API_KEY') expect(value).toMatch(/^\/run\/secrets\/flota\//);
      }
    }
    const secret = find(of('secrets in values'), 'Secret', 'flota-webhook');
    expect(Buffer.from(secret.data.database_url, 'base64').toString()).toBe('the database_url');
    const external = find(of('external secrets'), 'ExternalSecret', 'flota-webhook');
    expect(external.spec.data.map((one: { secretKey: string }) => one.secretKey).sort()).toEqual(
      Object.keys(secret.data).sort(),
    );
    expect(refusal('-f', least, '--set', 'webhook.env.FLOTA_API_TOKEN=x')).toContain('FLOTA_API_TOKEN');
    expect(refusal('-f', least, '--set', 'secrets.from=values')).toContain(
      'secrets.values.webhook.database_url: is needed',
    );
  });

  it('migrates before new copies start, and is not in its own way at a first installation', () => {
    const hook = (name: keyof typeof cases) =>
      find(of(name), 'Job', 'flota-migrations').metadata.annotations!['helm.sh/hook'];
    expect(hook('small')).toBe('pre-install,pre-upgrade');
    // Its Secret comes with the release.
    expect(hook('external secrets')).toBe('pre-upgrade');
    expect(hook('secrets in values')).toBe('pre-upgrade');
    const policy = find(of('small'), 'NetworkPolicy', 'flota-migrations').metadata.annotations!;
    expect(Number(policy['helm.sh/hook-weight'])).toBeLessThan(0);
    // A Job cannot be changed: what it does is in its name.
    const rules = (...args: string[]) =>
      render('-f', least, ...args).find((one) => /^flota-rules-/.test(one.metadata.name))!.metadata.name;
    const names = [
      [],
      ['--set', 'image.tag=9.9.9'],
      ['--set', 'broker.apiUrl=http://other:18083'],
      ['--set', 'image.pullPolicy=Always'],
      ['--set', 'image.pullSecrets={registry}'],
    ].map((args) => rules(...args));
    expect(new Set(names).size).toBe(names.length);
    expect(rules()).toBe(names[0]);
    // A newer chart with an image that stays is another name, or the same Job to the letter.
    const newer = join(dir, 'newer');
    cpSync(chart, newer, { recursive: true, dereference: true });
    const about = readFileSync(join(chart, 'Chart.yaml'), 'utf8');
    writeFileSync(join(newer, 'Chart.yaml'), about.replace(/^version: .*$/m, 'version: 99.0.0'));
    const [before, after] = [chart, newer].map((path) => {
      const pinned = ['--set', 'image.tag=1.2.3', '-f', least];
      const { stdout } = run(helm!, 'template', 'flota', path, '--namespace', 'flota', ...pinned);
      const jobs = parseAllDocuments(stdout).map((document) => document.toJS() as Resource);
      const job = jobs.find((one) => /^flota-rules-/.test(one?.metadata.name))!;
      return [job.metadata.name, JSON.stringify(job.spec)];
    });
    expect(after![0] === before![0]).toBe(after![1] === before![1]);
  });

  it('names everything after the release, as secrets.ts does', () => {
    const { stdout } = run(helm!, 'template', 'prod', chart, '-f', least);
    const names = parseAllDocuments(stdout).map((document) => (document.toJS() as Resource).metadata.name);
    expect(names.filter((name) => !/^prod-flota-/.test(name))).toEqual([]);
    expect(stdout).toContain('secretName: prod-flota-ca-seed');
    expect(stdout).toContain('secretName: prod-flota-webhook');
  });

  it('gives each worker room for the largest ELF, or reading one would have the copy evicted', () => {
    for (const workers of [1, 4]) {
      const webhook = find(
        render('-f', least, '--set', `webhook.workers=${workers}`),
        'Deployment',
        'flota-webhook',
      );
      const tmp = podOf(webhook).volumes.find((one: { name: string }) => one.name === 'tmp');
      const [, mebibytes] = /^(\d+)Mi$/.exec(tmp.emptyDir.sizeLimit)!;
      expect(Number(mebibytes) * 2 ** 20).toBeGreaterThan(workers * maxElfBytes);
    }
  });

  it('scales by the autoscaler alone where there is one', () => {
    expect(find(of('large'), 'Deployment', 'flota-webhook').spec).not.toHaveProperty('replicas');
    expect(find(of('large'), 'HorizontalPodAutoscaler', 'flota-webhook').spec).toMatchObject({
      minReplicas: 6,
      maxReplicas: 24,
      scaleTargetRef: { kind: 'Deployment', name: 'flota-webhook' },
    });
    expect(find(of('small'), 'Deployment', 'flota-webhook').spec.replicas).toBe(2);
  });

  it('tells what is missing or wrong in a line', () => {
    expect(refusal()).toContain('publicUrl: is needed, the address of the console');
    expect(refusal('--set', 'publicUrl=https://x.example')).toContain('store.bucket: is needed');
    for (const wrong of [
      'image.tag=latest',
      'webhook.replicas=0',
      'secrets.from=vault',
      'publicUrl=flota.example.org',
      'bogus=1',
      'store.deviceUrl=http://plain.example',
    ])
      expect(refusal('-f', least, '--set', wrong), wrong).toMatch(/values don't meet the specifications/);
    expect(refusal('-f', least, '--set', 'ca.enabled=false')).toContain('ca.url: is needed');
    expect(refusal('-f', least, '--set', 'store.cdn.url=https://d1.cloudfront.net')).toContain(
      'store.cdn.keyPairId: is needed',
    );
  });

  it('has the alarms of deploy/compose, word for word', () => {
    const { spec } = find(of('large'), 'PrometheusRule', 'flota');
    expect(spec).toEqual(parse(readFileSync(join(here, '../compose/prometheus/rules.yaml'), 'utf8')));
  });

  it('seeds the CA once, whole or not at all', () => {
    const seed = containersOf(find(of('least'), 'StatefulSet', 'flota-ca'))[0];
    const [state, from] = [join(dir, 'ca-volume'), join(dir, 'ca-made')];
    const script = (seed.args[0] as string).replaceAll('/seed/', `${dir}/seed/`);
    const start = () =>
      spawnSync('sh', ['-euc', script], { encoding: 'utf8', env: { PATH: process.env.PATH, CA_DIR: state } });
    execFileSync('mkdir', ['-p', join(dir, 'seed'), join(from, 'hierarchy'), join(from, 'records')]);
    expect(start()).toMatchObject({ status: 1, stderr: expect.stringContaining('flota-ca-seed') });
    writeFileSync(join(from, 'hierarchy/root.pem'), 'root');
    writeFileSync(join(from, 'records/1'), 'one');
    execFileSync('tar', ['czf', join(dir, 'seed/ca.tar.gz'), '-C', from, '.']);
    // Killed half-way: records are there, hierarchy is not.
    execFileSync('mkdir', ['-p', join(state, '.new/hierarchy'), join(state, 'records')]);
    writeFileSync(join(state, 'records/0'), 'half');
    expect(start()).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(join(state, 'hierarchy/root.pem'), 'utf8')).toBe('root');
    expect(readFileSync(join(state, 'records/1'), 'utf8')).toBe('one');
    expect(readdirSync(join(state, 'records'))).toEqual(['1']);
    writeFileSync(join(state, 'records/1'), 'later');
    expect(start().status).toBe(0);
    expect(readFileSync(join(state, 'records/1'), 'utf8')).toBe('later');
  });
});
