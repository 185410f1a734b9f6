import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { TestDevice } from '../../testing.ts';
import { startSuite } from '../../testing-suite.ts';
import { ageMs, complete, parseQuery, QueryError } from './grammar.ts';

const { webhook } = await startSuite();

describe('the grammar', () => {
  /** As the language writes it, with every parenthesis. */
  const show = (query: ReturnType<typeof parseQuery>): string => {
    if (query.is === 'not') return `not ${show(query.of)}`;
    if (query.is !== 'comparison') return `(${query.of.map(show).join(` ${query.is} `)})`;
    const { field, part, operator, values } = query;
    return `${field.name}${part && `.${part}`} ${operator} ${values.join('|')}`;
  };

  test('and binds closer than or, not closest', () => {
    expect(show(parseQuery('id = a or id = b and not id = c and (id = d or id = e)'))).toBe(
      '(id = a or (id = b and not id = c and (id = d or id = e)))',
    );
    expect(show(parseQuery('REGION IN (seoul,"New York") AND Version.arduino<2.1'))).toBe(
      '(region = seoul|New York and version.arduino < 2.1)',
    );
    expect(show(parseQuery('name = and and name = "say \\"or\\""'))).toBe('(name = and and name = say "or")');
    expect(show(parseQuery('metric.battery.soc >= -1.5'))).toBe('metric.battery.soc >= -1.5');
  });

  test('an error tells where it is, and what could stand there', () => {
    const failure = (text: string) => {
      try {
        parseQuery(text);
        return null;
      } catch (error) {
        if (!(error instanceof QueryError)) throw error;
        return [error.at, error.message];
      }
    };
    expect(failure('')).toEqual([0, expect.stringMatching(/^it ends too early, expected id, name/)]);
    expect(failure('hardwear = x')).toEqual([0, 'there is no field hardwear']);
    expect(failure('id = a b')).toEqual([7, 'unexpected b, expected and, or']);
    expect(failure('id > a')).toEqual([3, 'unexpected >, expected =, !=, ~, in']);
    expect(failure('id = a and')).toEqual([10, expect.stringContaining('it ends too early')]);
    expect(failure('(id = a')).toEqual([7, 'it ends too early, expected ), and, or']);
    expect(failure('id = "a')).toEqual([5, 'a quote is opened and never closed']);
    expect(failure('id ! a')).toEqual([3, 'unexpected !']);
    expect(failure('online = maybe')).toEqual([9, 'there is no maybe here']);
    expect(failure('last_seen > 7')).toEqual([12, expect.stringContaining('is not an age')]);
    expect(failure('last_seen > never')).toEqual([12, expect.stringContaining('is not an age')]);
    expect(failure('metric.t > warm')).toEqual([11, 'warm is not a number']);
    expect(failure('metric > 1')).toEqual([0, 'metric is written metric.NAME']);
    expect(failure('id.x = 1')).toEqual([2, 'id has no parts']);
    expect(failure('region in ()')).toEqual([11, expect.stringContaining('unexpected )')]);
  });

  test('an age is none that reaches back before there were dates', () => {
    expect(ageMs('300000w')).not.toBeNull();
    for (const text of ['999999w', '9999999d', '300001w']) expect(ageMs(text)).toBeNull();
  });

  test('is bounded: length, depth and number of comparisons', () => {
    expect(() => parseQuery(`id = ${'x'.repeat(1_000)}`)).toThrow('longer than');
    expect(() => parseQuery(`${'('.repeat(400)}id = a`)).toThrow('nests deeper');
    expect(() => parseQuery(`${'not '.repeat(200)}id = a`)).toThrow('nests deeper');
    expect(() => parseQuery(Array(60).fill('id = a').join(' or '))).toThrow('more than 50');
  });

  test('completes what is begun', () => {
    expect(complete('ver')).toEqual({ at: 0, words: ['version'] });
    expect(complete('online = ')).toEqual({ at: 9, words: ['yes', 'no'] });
    expect(complete('online = y').words).toEqual(['yes']);
    expect(complete('online = yes a').words).toEqual(['and']);
    expect(complete('tag ').words).toEqual(['=', '!=', 'in']);
    expect(complete('id = ').words).toEqual([]);
    expect(complete('nothing = x and id').words).toEqual([]);
    expect([ageMs('7d'), ageMs('90min'), ageMs('1y')]).toEqual([604_800_000, 5_400_000, null]);
  });
});

describe('devices by a query', async () => {
  const run = `q${randomUUID().slice(0, 6)}`;
  const region = (await webhook.api('POST', '/api/regions', { name: `${run} Seoul` })).body;
  const made: Record<string, TestDevice> = {};
  for (const [name, more] of Object.entries({
    old: { tags: [run, 'pilot'], region: region.id },
    candidate: { tags: [run] },
    fresh: { tags: [run], hardware: 'esp32-c3', name: `100%_${run}` },
    silent: { tags: [run] },
  })) {
    made[name] = await webhook.device(more);
  }
  for (const [name, version] of Object.entries({ old: '2.0.9', candidate: '2.1.0-rc.1', fresh: '2.10' })) {
    await made[name]!.connect();
    const running = [{ ...made[name]!.running('a'.repeat(64)), version }];
    await made[name]!.send('status/health', {
      seq: [1, 1],
      state: name === 'old' ? 'degraded' : 'ok',
      running,
    });
  }
  await made.old!.send('data/metrics', { values: { battery: 12.5 } });
  await made.old!.send('data/metrics', { values: { battery: 80, 'a"b': 1 } });
  await made.fresh!.send('data/sensors', { values: { battery: 31 } });

  const found = async (q: string): Promise<string> => {
    const { status, body } = await webhook.api(
      'GET',
      `/api/devices?q=${encodeURIComponent(`tag = ${run} and (${q})`)}`,
    );
    expect([q, status, body.detail]).toEqual([q, 200, undefined]);
    const names = Object.entries(made).filter(([, device]) =>
      body.some(({ id }: { id: string }) => id === device.id),
    );
    return names.map(([name]) => name).join(' ');
  };

  test.each([
    ['version < 2.1', 'old candidate'],
    ['version <= 2.1.0', 'old candidate'],
    ['version >= 2.1', 'fresh'],
    ['version > 2.1.0', 'fresh'],
    ['version = 2.10', 'fresh'],
    ['version in (2.10, 2.0.9)', 'old fresh'],
    ['not version < 2.1', 'fresh silent'],
    ['version != 2.10', 'old candidate'],
    ['version.arduino < 9', ''],
    [`region = "${run} seoul"`, 'old'],
    [`region != "${run} SEOUL"`, 'candidate fresh silent'],
    ['tag = pilot', 'old'],
    ['tag != pilot', 'candidate fresh silent'],
    ['tag in (pilot, none)', 'old'],
    ['hardware = esp32-c3 or hardware ~ "s3"', 'old candidate fresh silent'],
    ['hardware != esp32-s3', 'fresh'],
    ['name ~ "100%_"', 'fresh'],
    ['name ~ "0_%"', ''],
    ['online = yes', 'old candidate fresh'],
    ['online != yes', 'silent'],
    ['health = degraded', 'old'],
    ['health != ok', 'old silent'],
    ['health = none', 'silent'],
    ['blocked = no', 'old candidate fresh silent'],
    ['last_seen = never', 'silent'],
    ['last_seen < 1h', 'old candidate fresh'],
    ['last_seen > 1h', ''],
    ['created < 1h', 'old candidate fresh silent'],
    ['metric.battery > 30', 'old fresh'],
    ['metric.battery > 31.5', 'old'],
    ['not metric.battery > 30', 'candidate silent'],
    ['metric.a"b" = 1', null],
    ['id = "\'; drop table devices; --"', ''],
    [`sha256 = ${'A'.repeat(64)}`, 'old candidate fresh'],
    ['last_seen > 300000w', ''],
    ['created > 999999w', null],
    ['id = "a\0b"', null],
    ['metric.a\0b = 1', null],
  ])('%s', async (q, expected) => {
    if (expected !== null) expect(await found(q)).toBe(expected);
    else expect((await webhook.api('GET', `/api/devices?q=${encodeURIComponent(q)}`)).status).toBe(400);
  });

  test('goes with the other filters, pages and totals; a bad one is 400 with its place', async () => {
    const q = encodeURIComponent(`tag = ${run}`);
    const { body } = await webhook.api('GET', `/api/devices?q=${q}&hardware=esp32-s3&limit=1`);
    expect([body.items.length, body.total]).toEqual([1, 3]);
    const bad = await webhook.api('GET', `/api/devices?q=${encodeURIComponent('id = a b')}`);
    expect([bad.status, bad.body.code]).toEqual([400, 'invalid_request']);
    expect(JSON.stringify(bad.body)).toContain('at character 8: unexpected b');
  });
});
