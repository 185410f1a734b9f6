import { afterAll, beforeAll, test } from 'vitest';
import { decodeJson, encodeJson } from '../json.ts';
import { startTestBed, type TestBed } from './test-broker.ts';
import { agrees, holdTo, readVectors } from './test-vectors.ts';

interface Vector {
  name: string;
  sql: string;
  context: object;
  status: number;
  result?: unknown;
  raw?: string;
  error?: { code: string };
  volatile_fields?: string[];
}

let bed: TestBed;
beforeAll(async () => {
  bed = await startTestBed({});
});
afterAll(() => bed.close());

test('rule SQL answers as EMQX 5.8.9 does', async () => {
  await holdTo('rule SQL', readVectors<Vector>('rule'), 100, async (vector) => {
    const { sql, context } = vector;
    const response = await fetch(`http://127.0.0.1:${bed.broker.apiPort}/api/v5/rule_test`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('key:secret')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ sql, context }),
    });
    const text = await response.text();
    const got = `${response.status} ${text.slice(0, 300)}`;
    const unsupported = /the stand-in does not support [^"]+/.exec(text)?.[0];
    if (unsupported) return { unsupported };
    if (response.status !== vector.status) return got;
    if (vector.status !== 200) return JSON.parse(text).code === vector.error?.code ? null : got;
    // Where JSON.parse would lose the kind of a number, the broker's own text is compared.
    if (vector.raw) return canonical(text) === canonical(vector.raw) ? null : got;
    return agrees(JSON.parse(text), vector.result) ? null : got;
  });
});

function canonical(text: string): string {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, child]) => [key, sorted(child)]),
    );
  };
  return encodeJson(sorted(decodeJson(text)) as never);
}
