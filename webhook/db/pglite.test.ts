import { openAsBlob } from 'node:fs';
import { expect, test } from 'vitest';
import { openPglite } from './pglite.ts';

test('a query on PGlite copies no parsers of types that nobody selects, and arrays are read as ever', async () => {
  const kept = process.env.FLOTA_TEST_PGLITE;
  const client = await openPglite(kept ? { loadDataDir: await openAsBlob(kept) } : {});
  try {
    // Each table has brought its own.
    expect(Object.keys(client.parsers).length).toBeLessThan(120);
    const { rows } = await client.query(
      `select array['a', 'b'] as text, array[1, 2] as int, array['{"a": 1}'::jsonb] as json, 5::bigint as big`,
    );
    expect(rows).toEqual([{ text: ['a', 'b'], int: [1, 2], json: [{ a: 1 }], big: 5 }]);
  } finally {
    await client.close();
  }
});
