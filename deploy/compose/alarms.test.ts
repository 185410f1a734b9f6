/**
 * An alarm that is raised arrives: real Prometheus with the files of compose.yaml, real Alertmanager with what `prepare` writes, a mail server and
 * a webhook that listen. Faked is what is scraped, and shortened are the times.
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { spawnGuarded } from '../lab/primitives/guard.ts';
import { holdPort, listen } from '../lab/primitives/listen.ts';
import { until } from '../lab/primitives/until.ts';
import { renderAlertmanager } from './alertmanager.ts';
import { readJob } from './config.ts';

const dir = mkdtempSync(join(tmpdir(), 'flota-alarms-'));
const children: ChildProcess[] = [];
const servers: Server[] = [];
const read = (name: string) => readFileSync(new URL(`prometheus/${name}`, import.meta.url), 'utf8');
const logs = () => children.map((child) => readFileSync(join(dir, `${child.pid}.log`), 'utf8')).join('\n');

/** Each answered with 200 and what `answer` says. */
async function answerAll(answer: (request: IncomingMessage, body: string) => string): Promise<number> {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => response.end(answer(request, body)));
  });
  servers.push(server);
  return listen(server);
}

function run(command: string, args: string[]): void {
  const child = spawnGuarded('sh', ['-c', 'exec "$0" "$@" >"$LOG/$$.log" 2>&1', command, ...args], {
    env: { PATH: process.env.PATH, LOG: dir },
    stdio: 'ignore',
  });
  children.push(child);
  writeFileSync(join(dir, `${child.pid}.log`), '', { flag: 'a' });
}

interface Told {
  authorization: string | undefined;
  status: string;
  alerts: { status: string; labels: Record<string, string>; annotations: Record<string, string> }[];
}
const calls: Told[] = [];
const mails: { to: string[]; text: string }[] = [];
const logins: string[] = [];
const scrapes: string[] = [];
let databaseUp = 1;
let dropped = 0;
let mail: SMTPServer;
let config: string;
let alertmanagerPort: number;

beforeAll(async () => {
  const receiver = await answerAll((request, body) => {
    calls.push({ authorization: request.headers.authorization, ...JSON.parse(body) });
    return '';
  });
  const scraped = await answerAll(({ url }) => {
    scrapes.push(url!);
    return `flota_database_up ${databaseUp}\nemqx_action_dropped{id="http:critical"} ${dropped}\n`;
  });
  mail = new SMTPServer({
    authMethods: ['PLAIN'],
    hideSTARTTLS: true,
    allowInsecureAuth: true,
    onAuth({ username, password }, _, done) {
      logins.push(`${username}:${password}`);
      done(null, { user: username });
    },
    onData(stream, session, done) {
      let text = '';
      stream.on('data', (chunk) => {
        text += chunk;
      });
      stream.on('end', () => {
        mails.push({ to: session.envelope.rcptTo.map((one) => one.address), text });
        done();
      });
    },
  });
  const mailPort = await listen(mail.server);

  const secret = (name: string, value: string) => {
    writeFileSync(join(dir, name), value);
    return join(dir, name);
  };
  config = join(dir, 'alertmanager.yaml');
  const rendered = renderAlertmanager(
    readJob('prepare', {
      FLOTA_ALARM_EMAIL: 'night@example.org, day@example.org',
      FLOTA_ALARM_FROM: 'flota@example.org',
      FLOTA_ALARM_WEBHOOK: `http://127.0.0.1:${receiver}/alarms`,
      FLOTA_SMTP: `127.0.0.1:${mailPort}`,
      FLOTA_SMTP_USER: 'flota',
      FLOTA_SMTP_TLS: 'false',
    }),
    {
      smtpPassword: secret('smtp', 'mail-password'),
      webhookToken: secret('token', 'webhook-token'),
    },
  );
  expect(rendered).not.toMatch(/mail-password|webhook-token/);
  const quick = { group_wait: '1s', group_interval: '1s' };
  const { route, ...rest } = JSON.parse(rendered);
  const routes = route.routes.map((one: object) => ({ ...one, ...quick }));
  writeFileSync(config, JSON.stringify({ ...rest, route: { ...route, ...quick, routes } }));

  alertmanagerPort = holdPort().port;
  run('prometheus-alertmanager', [
    `--config.file=${config}`,
    `--storage.path=${join(dir, 'alertmanager')}`,
    `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
    '--cluster.listen-address=',
  ]);

  writeFileSync(join(dir, 'rules.yaml'), read('rules.yaml').replace(/for: \d+[mh]/g, 'for: 1s'));
  const prometheus = parse(read('prometheus.yaml'));
  const targets = {
    webhook: scraped,
    emqx: scraped,
    'emqx-actions': scraped,
    alertmanager: alertmanagerPort,
  };
  writeFileSync(
    join(dir, 'prometheus.yaml'),
    stringify({
      ...prometheus,
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [join(dir, 'rules.yaml')],
      alerting: JSON.parse(
        JSON.stringify(prometheus.alerting).replace('alertmanager:9093', `127.0.0.1:${alertmanagerPort}`),
      ),
      scrape_configs: prometheus.scrape_configs
        .filter((job: { job_name: string }) => job.job_name in targets)
        .map((job: { job_name: keyof typeof targets }) => ({
          ...job,
          static_configs: [{ targets: [`127.0.0.1:${targets[job.job_name]}`] }],
        })),
    }),
  );
  mkdirSync(join(dir, 'prometheus'));
  run('prometheus', [
    `--config.file=${join(dir, 'prometheus.yaml')}`,
    `--storage.tsdb.path=${join(dir, 'prometheus')}`,
    `--web.listen-address=127.0.0.1:${holdPort().port}`,
  ]);
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const server of servers) server.close().closeAllConnections();
  await new Promise<void>((resolve) => (mail ? mail.close(resolve) : resolve()));
  rmSync(dir, { recursive: true, force: true });
});

const told = (name: string, status: string) =>
  calls.find((call) => call.status === status && call.alerts[0]!.labels.alertname === name);
const mailed = (subject: string) => mails.find((one) => one.text.includes(`Subject: ${subject}`));
const arrives = (what: () => unknown) =>
  until(
    () => (what() ? true : logs()),
    (found) => found === true,
  );

test('a critical and a lesser alarm reach the webhook and everybody of the e-mail addresses, and so does their end', async () => {
  // What grows must have been seen before it does, by each job.
  for (const path of ['/metrics', '/api/v5/prometheus/data_integration'])
    await arrives(() => scrapes.filter((one) => one === path).length > 1);
  expect([calls.length, mails.length]).toEqual([0, 0]);

  databaseUp = 0;
  dropped = 6;
  await arrives(() => told('DatabaseDown', 'firing') && mailed('[FIRING] Flota: DatabaseDown (critical)'));
  expect(told('DatabaseDown', 'firing')).toMatchObject({
    authorization: 'Bearer webhook-token',
    alerts: [
      {
        labels: { severity: 'critical' },
        annotations: {
          summary: 'No copy reaches the database',
          runbook: 'deploy/OPERATIONS.md#databasedown',
        },
      },
    ],
  });
  const { to, text } = mailed('[FIRING] Flota: DatabaseDown (critical)')!;
  expect(to.sort()).toEqual(['day@example.org', 'night@example.org']);
  expect(text).toContain('From: flota@example.org');
  expect(text.replaceAll('=\r\n', '')).toContain('What to do: deploy/OPERATIONS.md#databasedown');
  expect(new Set(logins)).toEqual(new Set(['flota:mail-password']));
  await arrives(
    () => told('CriticalRowsDropped', 'firing') && mailed('[FIRING] Flota: CriticalRowsDropped (warning)'),
  );

  databaseUp = 1;
  await arrives(
    () => told('DatabaseDown', 'resolved') && mailed('[RESOLVED] Flota: DatabaseDown (critical)'),
  );
});

test('amtool takes what prepare writes, for every choice of roads', () => {
  const none = {};
  const webhook = { FLOTA_ALARM_WEBHOOK: 'https://chat.example.org/hook' };
  const email = { FLOTA_ALARM_EMAIL: 'a@example.org', FLOTA_SMTP: 'smtp.example.org:587' };
  for (const env of [none, webhook, email, { ...webhook, ...email, FLOTA_SMTP_USER: 'flota' }]) {
    const file = join(dir, 'checked.yaml');
    writeFileSync(file, renderAlertmanager(readJob('prepare', env)));
    expect(execFileSync('amtool', ['check-config', file], { encoding: 'utf8' })).toContain('SUCCESS');
  }
});

test('settings that would tell nobody are refused', () => {
  const problems = (env: Record<string, string>) => {
    try {
      readJob('prepare', env);
      return [];
    } catch (error) {
      return (error as { problems: string[] }).problems;
    }
  };
  expect(problems({ FLOTA_ALARM_EMAIL: 'a@example.org' })).toEqual([
    'FLOTA_SMTP: is needed to send to FLOTA_ALARM_EMAIL',
  ]);
  expect(problems({ FLOTA_ALARM_EMAIL: 'nobody', FLOTA_SMTP: 'smtp.example.org' })).toEqual([
    'FLOTA_ALARM_EMAIL: must be e-mail addresses, separated by commas',
    'FLOTA_SMTP: must be host:port of a mail server',
  ]);
});
