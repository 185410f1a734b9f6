import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestBed, type TestBed, until } from './test-broker.ts';
import { agrees, readVectors } from './test-vectors.ts';

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

/** What `apply` will need; until then the stand-in has no bans and takes its configuration when it starts. */
const notHere = ['/banned', '/connectors', '/actions', '/rules', '/configs'];

let bed: TestBed;
beforeAll(async () => {
  bed = await startTestBed({});
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const client = await bed.online(await bed.ca.leaf(`gv-${name}`), { clean: name !== 'b' });
    if ('abd'.includes(name)) await client.subscribeAsync('ack', { qos: 1 });
    if (name === 'b') await client.endAsync();
  }
  await until('gv-b is away', async () => !(await bed.api('GET', '/clients/gv-b')).body.connected);
});
afterAll(() => bed.close());

test('the HTTP API answers as EMQX 5.8.9 does', async () => {
  const vectors = readVectors<Vector[]>('api');
  const wrong: string[] = [];
  const leftOut: string[] = [];
  for (const vector of vectors) {
    if (notHere.some((path) => vector.path.startsWith(path))) {
      leftOut.push(vector.name);
      // A ban also kicks, and later cases need that.
      if (vector.name === 'ban a client id') await bed.api('DELETE', '/clients/gv-d');
      // What is not here says so: it never pretends to have done anything.
      else if (!/metrics/.test(vector.path)) {
        const { status } = await bed.api(
          vector.method,
          vector.path,
          vector.method === 'GET' ? undefined : {},
        );
        if (status !== 404) wrong.push(`${vector.name}: ${status}`);
      }
      continue;
    }
    const difference = await disagreement(vector);
    if (difference) wrong.push(`${vector.name}: ${difference}`);
  }
  console.log(
    `HTTP API: ${vectors.length - leftOut.length - wrong.length} of ${vectors.length} vectors agree; left out by name:\n${leftOut
      .map((name) => `  - ${name}`)
      .join('\n')}`,
  );
  expect(wrong).toEqual([]);
});

async function disagreement({
  method,
  path,
  query,
  headers,
  body,
  ...wanted
}: Vector): Promise<string | null> {
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
  if (wanted.code !== undefined) return got.code === wanted.code;
  if (wanted.reason_code !== undefined) return got.reason_code === wanted.reason_code;
  if (Array.isArray(wanted.data)) {
    // The order is not promised, so a page holds as many as it should, and a whole list those that it should.
    const paged = wanted.meta.limit === 2;
    const ids = (rows: any[]) => rows.map((row) => row.clientid).sort();
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

function textOf(body: unknown): string {
  if (typeof body !== 'string') return JSON.stringify(body);
  const repeated = /^\{"topic":"([^"]+)","payload":"x" repeated ([\d,]+) times\}$/.exec(body);
  return repeated
    ? JSON.stringify({ topic: repeated[1], payload: 'x'.repeat(Number(repeated[2]!.replaceAll(',', ''))) })
    : body;
}
