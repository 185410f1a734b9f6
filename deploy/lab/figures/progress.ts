/** What a report of progress costs the database: how many updates of targets touch no index (HOT), and how much is written ahead for one. */
import { mountedTopic } from '#emqx/protocol.ts';
import type { Figures } from './figures.ts';
import {
  createDatabase,
  deafBroker,
  fillDevices,
  firmware,
  startCopy,
  tell,
  webhookToken,
  withPostgresql,
} from './webhook-copy.ts';

const devices = 300;
/** Of each, until its last chunk but one. */
const reports = 63;
const promisedHot = 0.9;

export async function measureProgress(): Promise<Figures> {
  return withPostgresql(async (server) => {
    const copy = await startCopy(await createDatabase(server), deafBroker());
    const { sql } = copy;
    const count = async () => {
      // What the backends have counted is told when they have been idle for some seconds.
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      const [row] = await sql<{ updates: number; hot: number; wal: number }[]>`
        select n_tup_upd::int as updates, n_tup_hot_upd::int as hot, (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8 as wal
        from pg_stat_user_tables where relname = 'targets'`;
      return row!;
    };
    try {
      const region = await fillDevices(sql, devices);
      const { id } = (await copy.api('POST', '/api/deployments', {
        firmwareId: firmware.id,
        regions: [region],
        policy: { ackTimeoutMs: 86_400_000 },
      })) as { id: string };
      for (let sent = 0; sent < devices; ) {
        const [row] = await sql`select count(*)::int as n from targets where state = 'sent'`;
        sent = row!.n;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const report = async (device: number, n: number) => {
        const payload = {
          ...{ id: `m-${device}-${n}`, at: null, deployment: id, attempt: 1, stage: 'downloading' },
          ...{
            receivedBytes: n * 16_384,
            totalBytes: firmware.sizeBytes,
            chunkBytes: 16_384,
            bytesPerSecond: 50_000,
          },
        };
        const { status } = await fetch(`http://127.0.0.1:${copy.internalPort}/emqx/events`, {
          method: 'POST',
          headers: { authorization: `Bearer ${webhookToken}`, 'content-type': 'application/json' },
          body: JSON.stringify({
            ...{
              event: 'message',
              clientid: `dev-${device}`,
              cert: `SERIALNUMBER=0A1B,CN=dev-${device}`,
              payload: JSON.stringify(payload),
            },
            ...{
              topic: mountedTopic(`dev-${device}`, 'firmware/download/progress'),
              received_at: Date.now(),
            },
          }),
        });
        if (status !== 204) throw new Error(`progress was answered ${status}`);
      };
      const round = async (n: number) => {
        for (let first = 1; first <= devices; first += 50)
          await Promise.all(Array.from({ length: 50 }, (_, i) => report(first + i, n)));
      };
      // The first ends a state, which is in indexes.
      await round(1);
      await sql`checkpoint`;
      const before = await count();
      for (let n = 2; n <= reports; n++) await round(n);
      const after = await count();
      const updates = after.updates - before.updates;
      const hot = (after.hot - before.hot) / updates;
      const walEach = (after.wal - before.wal) / (devices * (reports - 1));
      tell(
        `${updates} updates of targets, ${(hot * 100).toFixed(1)} % HOT, ${walEach.toFixed(0)} bytes of WAL a report`,
      );
      return {
        'progress.hot': {
          value: Number((hot * 100).toFixed(1)),
          unit: '% of the updates of targets by progress that touch no index; baseline: as promised',
          baseline: promisedHot * 100,
          ratio: Number((hot / promisedHot).toFixed(3)),
          aim: 1,
        },
        'progress.wal': {
          value: Math.round(walEach),
          unit: 'bytes of WAL a report, all that is written with it included',
          baseline: 0,
          ratio: 0,
          aim: null,
        },
      };
    } finally {
      await copy.close();
    }
  });
}
