/** Tells that the broker loses rows: what its rules and actions count as lost is compared with what was told of it before. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { EmqxError } from '#emqx/api.ts';
import type { Inspection } from '#emqx/inspect.ts';
import type { Context } from '../context.ts';
import { locks, tryLock } from '../db/locks.ts';
import { type Db, query } from '../db/query.ts';
import { tell } from '../notifications/events.ts';
import { paced } from '../paced.ts';
import { brokerLosses } from './table.ts';

const everyMs = 300_000;
const retryMs = 60_000;
/** A broker that goes on losing is told of so often. */
const tellEveryS = 3_600;

type Place = Pick<Context, 'db' | 'inspector'>;

/** A step of `background.ts`. Copies start at any moment of the first minutes, so that they do not all ask at once. */
export const createTellLosses = (firstMs = Math.random() * everyMs) =>
  paced({ everyMs, retryMs, firstMs }, async function tellLosses({ db, inspector }: Place) {
    if (!inspector) return 'done';
    try {
      await compare(db, await inspector.inspect());
      return 'done';
    } catch (error) {
      // Whether the broker is there, others tell.
      if (!(error instanceof EmqxError)) throw error;
      return 'failed';
    }
  });

/** What is counted and what was told change together; a count that went back has begun anew. */
export async function compare(
  db: Db,
  { rules, actions }: Pick<Inspection, 'rules' | 'actions'>,
): Promise<void> {
  const of = (kind: 'rule' | 'action', all: { id: string; lost: { why: string; count: number }[] }[]) =>
    all.flatMap(({ id, lost }) => lost.map((one) => ({ kind, id, ...one })));
  const now = [...of('rule', rules), ...of('action', actions)];
  await db.transaction(async (tx) => {
    if (!(await tryLock(tx, locks.losses))) return;
    const [turn] = await query<{ rests: boolean }>(
      tx,
      sql`select exists (select from broker_losses where told_at > now() - make_interval(secs => ${tellEveryS})) as rests`,
    );
    if (turn!.rests) return;
    const before = await tx.select().from(brokerLosses);
    const losses = now.flatMap((one) => {
      const known = before.find((row) => row.kind === one.kind && row.id === one.id && row.why === one.why);
      const count = known && known.count <= one.count ? one.count - known.count : one.count;
      return count > 0 ? [{ ...one, count }] : [];
    });
    if (losses.length === 0) return;
    await tx.delete(brokerLosses);
    await tx.insert(brokerLosses).values(now.map((one) => ({ ...one, toldAt: sql`now()` })));
    const key = `broker_losing_rows/${randomUUID()}`;
    await tell(tx, [
      { kind: 'broker_losing_rows', severity: 'critical', key, regionIds: [], data: { losses } },
    ]);
  });
}
