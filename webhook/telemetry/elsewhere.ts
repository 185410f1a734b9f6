/**
 * What devices measured (`data/*`), where an operator has the broker write it to a PostgreSQL or Timescale of its own and our rule for it
 * is off: the table of `emqx/recipes/timescale.conf`, by an address that may only read. All else of a device is in our database.
 */
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { mountedTopic } from '#emqx/protocol.ts';
import { type Db, query } from '../db/query.ts';
import { AppError } from '../errors.ts';
import type { Bucket, ChartOf, Latest } from './measurements.ts';
import { dataTopics } from './topics.ts';

export interface TelemetryElsewhere {
  bucket(input: ChartOf): Promise<Bucket[]>;
  /** The newest message of each topic. */
  getLatest(deviceId: string): Promise<Latest[]>;
  close(): Promise<void>;
}

const connections = 3;
/** A screen waits for it, and it is somebody else's database. */
const statementTimeoutMs = 5_000;
/** Older messages are not looked for: chunks of all years would be opened for a device that has sent none. */
const latestDays = 30;

export function connectElsewhere(url: string): TelemetryElsewhere {
  const client = postgres(url, {
    max: connections,
    connect_timeout: 5,
    idle_timeout: 60,
    onnotice: () => {},
    connection: {
      application_name: 'flota',
      default_transaction_read_only: true,
      statement_timeout: statementTimeoutMs,
    },
  });
  const db = drizzle(client) as unknown as Db;
  const ask = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      throw new AppError('database_unavailable', 'The database of telemetry does not answer.', { cause });
    }
  };
  return {
    bucket({ deviceId, topic, value, from, to, bucketMs }) {
      const [since, until] = [from.toISOString(), to.toISOString()];
      return ask(
        query<Bucket>(
          db,
          sql`select (extract(epoch from bucket) * 1000)::float8 as at, min(n) as min, avg(n) as avg, max(n) as max, count(*)::int as count
              from (
                select date_bin(make_interval(secs => ${bucketMs / 1000}::float8), at, ${since}::timestamptz) as bucket,
                  case when jsonb_typeof(payload -> 'values' -> ${value}::text) = 'number'
                    then (payload -> 'values' ->> ${value}::text)::float8 end as n
                from flota_telemetry
                where device = ${deviceId} and topic = ${mountedTopic(deviceId, topic)}
                  and at >= ${since}::timestamptz and at < ${until}::timestamptz) measured
              where n is not null group by bucket order by bucket`,
        ),
      );
    },
    async getLatest(deviceId) {
      const rows = await Promise.all(
        dataTopics.map((topic) =>
          ask(
            query<Latest>(
              db,
              sql`select ${topic}::text as topic, at, payload as body from flota_telemetry
                  where device = ${deviceId} and topic = ${mountedTopic(deviceId, topic)} and jsonb_typeof(payload) = 'object'
                    and at > now() - make_interval(days => ${latestDays}::int)
                  order by at desc limit 1`,
            ),
          ),
        ),
      );
      return rows.flat().map((row) => ({ ...row, at: new Date(row.at) }));
    },
    close: () => client.end({ timeout: 5 }),
  };
}
