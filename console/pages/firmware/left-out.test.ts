import { expect, it } from 'vitest';
import { parseQuery } from '#webhook/devices/query/grammar.ts';
import { listOfLeftOut } from './left-out.ts';

const firmware = { version: '2.1-rc.1', hardware: 'esp32-s3' };
const queryOf = (href: string | null) => new URL(href!, 'http://x').searchParams.get('q')!;

it('leads to the devices of the query that are pinned to another version or follow another channel', () => {
  const wanted = { query: 'tag = a or tag = b', channels: ['stable', 'beta'] };
  const pinned = queryOf(listOfLeftOut('pinned', firmware, wanted));
  expect(pinned).toBe(
    'hardware = "esp32-s3" and (tag = a or tag = b) and pinned != none and pinned != "2.1-rc.1"',
  );
  const others = queryOf(listOfLeftOut('other_channel', firmware, { all: true, channels: ['beta'] }));
  expect(others).toBe('hardware = "esp32-s3" and pinned = none and not channel in (beta)');
  for (const query of [pinned, others]) expect(() => parseQuery(query)).not.toThrow();
});

it('leads nowhere where no query says it', () => {
  expect(listOfLeftOut('up_to_date', firmware, { all: true })).toBeNull();
  expect(listOfLeftOut('pinned', firmware, { all: true, regions: ['x'] })).toBeNull();
  expect(listOfLeftOut('pinned', firmware, {})).toBeNull();
});
