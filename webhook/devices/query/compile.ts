/** A query as a condition on `devices` (or on a row of it that the statement calls otherwise), with every value a parameter. */
import {
  and,
  eq,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  lte,
  ne,
  not,
  or,
  type SQL,
  sql,
} from 'drizzle-orm';
import { mainComponent } from '#emqx/protocol.ts';
import { contains } from '../../db/search.ts';
import { hasNewest, type NumberOperator } from '../../telemetry/newest.ts';
import { devices, divisions, hasDrifted, hourOf, regions } from '../table.ts';
import { ageMs, type Operator, type Query, unpinned } from './grammar.ts';

type Devices = typeof devices;
type Comparison = Extract<Query, { is: 'comparison' }>;

/**
 * What nobody knows of a device is no match, neither of a comparison nor of its opposite; `not` turns every other device into one. Only there
 * are nulls made false, so that elsewhere the planner is free to join.
 */
export function compile(query: Query, row: Devices = devices): SQL {
  // Without it the planner can look for what is not there, instead of reading all that is.
  if (query.is === 'not' && isNeverNull(query.of)) return sql`not ${compile(query.of, row)}`;
  if (query.is === 'not') return sql`not coalesce(${compile(query.of, row)}, false)`;
  if (query.is === 'comparison') return comparison(query, row);
  const all = query.of.map((one) => compile(one, row));
  return (query.is === 'and' ? and(...all) : or(...all))!;
}

/** Fields whose condition asks whether a row exists. */
const existing: string[] = ['version', 'sha256', 'drifted', 'metric'];

function isNeverNull(query: Query): boolean {
  if (query.is === 'comparison') return existing.includes(query.field.name);
  return query.is === 'not' || query.of.every(isNeverNull);
}

function comparison(query: Comparison, row: Devices): SQL {
  const { field, part, operator, values } = query;
  switch (field.name) {
    case 'id':
      return text(sql`${row.id}`, operator, values);
    case 'name':
      return text(sql`${row.name}`, operator, values);
    case 'hardware':
      return text(sql`${row.hardware}`, operator, values);
    case 'region':
      return place(row.regionId, regions, operator, values);
    case 'division':
      return place(row.divisionId, divisions, operator, values);
    case 'tag': {
      const has = sql`${row.tags} && ${array(values)}`;
      return operator === '!=' ? not(has) : has;
    }
    case 'version':
      return component(row, part, versions(part, operator, values));
    case 'sha256':
      return component(
        row,
        part,
        text(
          sql`c.sha256`,
          operator,
          values.map((value) => value.toLowerCase()),
        ),
      );
    case 'pinned':
      return pin(row, operator, values);
    case 'channel':
      return text(sql`${row.channel}`, operator, values);
    case 'drifted':
      return flag(
        sql`exists (select from components c where c.device_id = ${row.id} and ${hasDrifted})`,
        operator,
        values,
      );
    case 'online':
      return flag(sql`${row.online}`, operator, values);
    case 'blocked':
      return flag(sql`${row.blocked}`, operator, values);
    case 'health':
      return health(row, operator, values[0]!);
    case 'last_seen':
      return seen(row, operator, values[0]!);
    case 'created':
      return age(row.createdAt, operator, values[0]!);
    case 'metric':
      return hasNewest(row.id, part, operator as NumberOperator, Number(values[0]));
    default:
      throw new Error(`no condition for ${field.name}`);
  }
}

const compared = { '=': eq, '!=': ne, '<': lt, '<=': lte, '>': gt, '>=': gte } as const;
const array = (values: string[]) =>
  sql`array[${sql.join(
    values.map((value) => sql`${value}`),
    sql`, `,
  )}]::text[]`;

function text(column: SQL, operator: Operator, values: string[]): SQL {
  if (operator === '~') return contains(column, values[0]!);
  return operator === '!=' ? ne(column, values[0]!) : inArray(column, values);
}

/** By name, whatever its case. One without a place is in no place of that name. */
function place(
  column: Devices['regionId'] | Devices['divisionId'],
  table: typeof regions | typeof divisions,
  operator: Operator,
  values: string[],
): SQL {
  const named = sql`${column} in (select p.id from ${table} p where lower(p.name) = any(${array(values.map((value) => value.toLowerCase()))}))`;
  return operator === '!=' ? sql`${named} is not true` : named;
}

function component(row: Devices, part: string, holds: SQL): SQL {
  return sql`exists (select from components c
    where c.device_id = ${row.id} and c.component = ${part || mainComponent} and ${holds})`;
}

/**
 * Versions are compared by their numbers, left to right, missing ones as 0; one with a hyphen (2.1.0-rc.1) comes before the one without, as in
 * SemVer. A fleet has few versions: those are compared, not the devices.
 */
function versions(part: string, operator: Operator, values: string[]): SQL {
  if (operator === '=') return inArray(sql`c.version`, values);
  if (operator === '!=') return ne(sql`c.version`, values[0]!);
  const key = (version: SQL) => sql`(case when ${version} ~ '^[vV]?[0-9]{1,18}([.][0-9]{1,18})*' then
    (string_to_array(substring(${version} from '^[vV]?([0-9]{1,18}(?:[.][0-9]{1,18})*)'), '.')::bigint[] || '{0,0,0,0}'::bigint[])[1:4]
      || (case when position('-' in ${version}) > 0 then 0 else 1 end)::bigint end)`;
  // From each version to the next one by the index, or every device's would be read to make them distinct.
  const next = (after: SQL) => sql`select version from components
    where component = ${part || mainComponent} ${after} order by version limit 1`;
  return sql`c.version = any(array(
    with recursive v as (
      (${next(sql``)})
      union all select (${next(sql`and version > v.version`)}) from v where v.version is not null)
    select v.version from v where ${compared[operator as '<'](key(sql`v.version`), key(sql`${values[0]}::text`))}))`;
}

/** One that is pinned to nothing is pinned to no other version either. */
function pin(row: Devices, operator: Operator, values: string[]): SQL {
  if (operator === '!=' && values[0] === unpinned) return isNotNull(row.pinned);
  const named = values.filter((value) => value !== unpinned);
  const is = named.length > 0 ? text(sql`${row.pinned}`, operator, named) : undefined;
  return or(is, values.includes(unpinned) ? isNull(row.pinned) : undefined)!;
}

function flag(column: SQL, operator: Operator, [value]: string[]): SQL {
  return (value === 'yes') === (operator === '=') ? column : sql`not (${column})`;
}

function health(row: Devices, operator: Operator, value: string): SQL {
  const state = sql`${row.health}->>'state'`;
  const is = value === 'none' ? isNull(row.health) : sql`${state} = ${value}`;
  return operator === '=' ? is : sql`${is} is not true`;
}

const ago = (value: string) => sql`(now() - ${ageMs(value)!}::float8 * interval '1 millisecond')`;

/** `> 7d`: longer ago than that. */
function age(column: Devices['lastSeenAt'] | Devices['createdAt'], operator: Operator, value: string): SQL {
  return operator.startsWith('>') ? lt(column, ago(value)) : gt(column, ago(value));
}

/** By the index of hours. `= never`: not yet. */
function seen(row: Devices, operator: Operator, value: string): SQL {
  if (operator === '=') return isNull(row.seenHour);
  const hour = hourOf(ago(value));
  const byHour = operator.startsWith('>') ? lte(row.seenHour, hour) : gte(row.seenHour, hour);
  return and(byHour, age(row.lastSeenAt, operator, value))!;
}
