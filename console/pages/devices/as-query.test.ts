import { expect, it } from 'vitest';
import { parseQuery } from '#webhook/devices/query/grammar.ts';
import { asQuery } from './as-query.ts';

it('writes every filter of the page as one query that can be read', () => {
  const filter = {
    ...{ q: 'version < 2 or tag = a', search: 'say "hi"\\', region: 'r1', division: 'd1' },
    ...{ hardware: 'esp32-s3', tag: 'x', online: 'false', sort: '-name' },
  };
  const query = asQuery(filter, { region: 'New York', division: 'Ops' });
  expect(query).toBe(
    '(version < 2 or tag = a) and (id ~ "say \\"hi\\"\\\\" or name ~ "say \\"hi\\"\\\\") and region = "New York" and ' +
      'division = "Ops" and hardware = "esp32-s3" and tag = "x" and online = no',
  );
  const parsed = parseQuery(query);
  expect(parsed.is === 'and' && parsed.of.length).toBe(7);
});

it('leaves a query that is alone as it is, and is empty without filters', () => {
  expect(asQuery({ q: 'tag = a or tag = b', search: '', sort: 'id' }, {})).toBe('tag = a or tag = b');
  expect(asQuery({ q: '', search: '' }, {})).toBe('');
});
