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
  await until('gv-b is away', async () => !(await bed.client('gv-b'))?.connected);
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
  await holdTo('HTTP API', vectors, 60, async (vector) => {
    if (vector.name === 'metrics of a rule') await sendTwo();
    return disagreement(vector);
  });
});

/** Of the messages that were recorded here the second was not JSON. */
async function sendTwo(): Promise<void> {
  for (const payload of ['{"x":2}', 'not json']) await bed.publish({ topic: 'gv/api/x', payload });
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
      body: body === null ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    },
  );
  const text = await response.text();
  const got = `${response.status} ${text.slice(0, 300)}`;
  const unsupported = /the stand-in does not support [^"\\]+/.exec(text)?.[0];
  if (unsupported) return { unsupported };
  if (response.status !== wanted.status) return got;
  if (wanted.response === null || wanted.status >= 500) return null;
  return sameAnswer(JSON.parse(text), wanted.response) ? null : got;
}

/** Errors by code, and of what is counted what is counted here. */
function sameAnswer(got: any, wanted: any): boolean {
  if (wanted.code !== undefined) return got.code === wanted.code;
  if (wanted.reason_code !== undefined) return got.reason_code === wanted.reason_code;
  if (wanted.metrics !== undefined)
    return Object.entries(got.metrics).every(([name, count]) => agrees(count, wanted.metrics[name]));
  return agrees(got, wanted);
}
