import { afterAll, beforeAll, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { type Sink, startSink, startTestBed, type TestBed } from './test-broker.ts';
import { agrees, holdTo, type Result, readVectors } from './test-vectors.ts';

interface Vector {
  name: string;
  method: string;
  path: string;
  query: string | null;
  headers: Record<string, string>;
  body: unknown;
  status: number;
  response: unknown;
  allow?: string;
}

let bed: TestBed;
let sink: Sink;
beforeAll(async () => {
  bed = await startTestBed({});
  sink = await startSink();
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const client = await bed.online(await bed.ca.leaf(`gv-${name}`), { clean: name !== 'b' });
    if ('abd'.includes(name)) await client.subscribeAsync('ack', { qos: 1 });
    if (name === 'b') await client.endAsync();
  }
  await until('gv-b is away', async () => !(await bed.api('GET', '/clients/gv-b')).body.connected);
});
afterAll(async () => {
  await bed.close();
  await sink.close();
});

test('the HTTP API answers as EMQX 5.8.9 does, each request in the state that those before it left', async () => {
  // Where the webhook was when the answers were recorded.
  const vectors = JSON.parse(
    JSON.stringify(readVectors<Vector>('api')).replaceAll('http://127.0.0.1:18991', sink.url),
  ) as Vector[];
  await holdTo('HTTP API', vectors, 80, async (vector) => {
    if (vector.name === 'metrics of a rule') await sendTwo();
    return disagreement(vector);
  });
});

/** Of the messages that were recorded here the second was not JSON. */
async function sendTwo(): Promise<void> {
  for (const payload of ['{"x":2}', 'not json'])
    await bed.api('POST', '/publish', { topic: 'gv/api/x', payload });
  await until('the row', () => bed.broker.rules.ruleMetrics('gvr')?.['actions.success'] === 1);
}

async function disagreement({ method, path, query, headers, body, ...wanted }: Vector): Promise<Result> {
  const sent: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    sent[name] = value.replace('<good key>', `Basic ${btoa('key:secret')}`);
  const response = await fetch(
    `http://127.0.0.1:${bed.broker.apiPort}/api/v5${path}${query ? `?${query}` : ''}`,
    {
      method,
      headers: sent,
      body: body === null ? undefined : Buffer.from(textOf(body)),
    },
  );
  const text = await response.text();
  const got = `${response.status} ${text.slice(0, 300)}`;
  const unsupported = /the stand-in does not support [^"\\]+/.exec(text)?.[0];
  if (unsupported) return { unsupported };
  if (response.status !== wanted.status) return got;
  if (wanted.allow !== undefined && response.headers.get('allow') !== wanted.allow)
    return `allow ${response.headers.get('allow')}`;
  if (wanted.response === null || wanted.status >= 500) return null;
  if (typeof wanted.response === 'string' && wanted.response.startsWith('<'))
    return text === wanted.response ? null : got;
  if (typeof wanted.response === 'string')
    return text.startsWith('Node ') && text.endsWith(' is started\nemqx is running') ? null : got;
  return sameAnswer(JSON.parse(text), wanted.response) ? null : got;
}

/** Errors by code, lists of clients by id, and of a client the columns that mean something here. */
function sameAnswer(got: any, wanted: any): boolean {
  if (wanted.code !== undefined) return got.code === wanted.code && agrees(got.rules, wanted.rules);
  if (wanted.errors !== undefined) return sameErrors(got.errors, wanted.errors);
  if (wanted.reason_code !== undefined) return got.reason_code === wanted.reason_code;
  if (Array.isArray(wanted.data)) {
    const sorted = (rows: any[]) =>
      rows.sort((a, b) => ((a.id ?? a.who ?? a) < (b.id ?? b.who ?? b) ? -1 : 1));
    // The order is not promised, so a page holds as many as it should, and a whole list those that it should.
    const paged = wanted.meta.limit === 2;
    const ids = (rows: any[]) => sorted(rows.map((row) => row.clientid ?? row));
    return (
      agrees(got.meta, wanted.meta) &&
      got.data.length === wanted.data.length &&
      (paged || agrees(ids(got.data), ids(wanted.data)))
    );
  }
  if (wanted.clientid !== undefined && wanted.mountpoint !== undefined) {
    const own = [
      'clientid',
      'connected',
      'mountpoint',
      'clean_start',
      'is_persistent',
      'proto_name',
      'proto_ver',
      'username',
    ];
    const more = [
      'subscriptions_cnt',
      'keepalive',
      'connected_at',
      'disconnected_at',
      'mqueue_max',
      'ip_address',
      'port',
    ];
    return [...own, ...more].every((name) => !(name in wanted) || agrees(got[name], wanted[name]));
  }
  return agrees(got, wanted);
}

/** Which root, or which line; of a bad value also its path. The words are the broker's own. */
function sameErrors(got: any, wanted: any): boolean {
  if (typeof wanted === 'string' || wanted.line !== undefined)
    return typeof got === typeof wanted && got.line === wanted.line && got.type === wanted.type;
  return Object.keys(wanted).every(
    (root) => typeof got[root] === typeof wanted[root] && got[root].path === wanted[root].path,
  );
}

function textOf(body: unknown): string {
  if (typeof body !== 'string') return JSON.stringify(body);
  const repeated = /^\{"topic":"([^"]+)","payload":"x" repeated ([\d,]+) times\}$/.exec(body);
  return repeated
    ? JSON.stringify({ topic: repeated[1], payload: 'x'.repeat(Number(repeated[2]!.replaceAll(',', ''))) })
    : body;
}
