/** `capture`: what really happens on the broker, for `plan` to try changed rules with. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { readRules } from '../rules.ts';
import type { Settings as Values } from '../schema.ts';
import { parseSql } from '../standin/sql/parser.ts';
import { wholeRow } from '../standin/template.ts';
import type { Command, Online } from './command.ts';
import { writeCaptures } from './events.ts';
import { marker } from './live.ts';
import { CliError } from './output.ts';

export const capture: Command = {
  summary: 'keeps what happens on the broker for a while, for `plan` to try changed rules with',
  help: `For that time the broker gets a connector, an action and a rule of its own (flota-capture-…), which send the events that
the rules select from, whole, to this command; then they are removed. The broker must reach this machine: --listen says where to
listen and --url how the broker gets there. The events, payloads among them, are kept in FLOTA_DATA/emqx-captures.json.`,
  options: {
    seconds: { type: 'string', about: 'how long (10)' },
    max: { type: 'string', about: 'after how many events to stop (100)' },
    listen: { type: 'string', about: 'address and port to listen on (127.0.0.1:0)' },
    url: { type: 'string', about: 'how the broker reaches that (http://<listen>)' },
  },
  needs: 'broker',
  async run(given) {
    const { dir, flags, say, settings } = given;
    const seconds = positive('seconds', flags.seconds ?? '10');
    const max = positive('max', flags.max ?? '100');
    const topics = Object.values(readRules(dir).config.rule_engine.rules).flatMap(
      ({ sql }) => parseSql(sql).from,
    );
    const [host, port] = String(flags.listen ?? '127.0.0.1:0').split(/:(?=\d+$)/);
    const events: Values[] = [];
    const full = new AbortController();
    const server = http.createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      response.writeHead(204).end();
      if (events.length < max) events.push(JSON.parse(text));
      if (events.length >= max) full.abort();
    });
    server.listen(Number(port ?? 0), host);
    await once(server, 'listening');
    const url = String(flags.url ?? `http://${host}:${(server.address() as AddressInfo).port}`);
    try {
      await tapped(given, url, [...new Set(topics)], () => pause(seconds * 1000, full.signal));
    } finally {
      server.closeAllConnections();
      server.close();
    }
    const file = writeCaptures(settings.dataDir, { at: new Date().toISOString(), events });
    say(`${events.length} events in ${file}`);
    return 0;
  },
};

/** The rule is there while it waits, and gone after it whatever happens. */
async function tapped(
  { broker }: Online,
  url: string,
  topics: string[],
  wait: () => Promise<void>,
): Promise<void> {
  const id = `flota-capture-${randomBytes(3).toString('hex')}`;
  const description = `For a moment only ${marker(id)}`;
  const sql = `SELECT * FROM ${topics.map((topic) => `"${topic}"`).join(', ')}`;
  try {
    await broker.create('connector', id, { url, description, pool_size: 1 });
    const parameters = {
      method: 'post',
      path: '/',
      body: wholeRow,
      headers: { 'content-type': 'application/json' },
    };
    const resource_opts = {
      worker_pool_size: 1,
      max_buffer_bytes: '1MB',
      request_ttl: '5s',
      health_check_interval: '1s',
    };
    await broker.create('action', id, { connector: id, description, parameters, resource_opts });
    await broker.create('rule', id, { sql, actions: [`http:${id}`], description });
    await wait();
  } finally {
    for (const kind of ['rule', 'action', 'connector'] as const) await broker.remove(kind, id);
  }
}

/** Ends early, also by Ctrl-C, so that the broker is tidied up. */
function pause(ms: number, full: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      process.off('SIGINT', end).off('SIGTERM', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    process.once('SIGINT', end).once('SIGTERM', end);
    if (full.aborted) end();
    full.addEventListener('abort', end, { once: true });
  });
}

function positive(name: string, value: unknown): number {
  const number = Number(value);
  if (!(number > 0)) throw new CliError(`--${name} needs a number above 0`);
  return number;
}
