import { PgDialect } from 'drizzle-orm/pg-core';
import { expect, test } from 'vitest';
import { concerning } from './store.ts';

test('targets of many devices are asked for in the same words as those of one, so that the statement can be prepared', () => {
  const textFor = (devices: number) => {
    const ids = Array.from({ length: devices }, (_, i) => `dev-${i}`);
    const named = ids.map((deviceId) => ({ deploymentId: 'a', deviceId }));
    return [concerning(ids, []), concerning(ids, named)].map(
      (where) => new PgDialect().sqlToQuery(where).sql,
    );
  };
  expect(textFor(300)).toEqual(textFor(1));
});
