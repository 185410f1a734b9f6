/** Which hints somebody gets: those of what is within reach, asked of the features that know. */
import type { Db } from '../db/query.ts';
import { findThere as findDeployments } from '../deployments/reached.ts';
import { findKnown } from '../devices/known.ts';
import type { Reach } from '../devices/reach.ts';
import { findThere as findJobs } from '../jobs/jobs.ts';
import type { Change, LiveKind } from './live.ts';

type Find = (db: Db, reach: Reach, ids: string[]) => Promise<{ id: string }[]>;

/** `closed`: to nobody whose reach is limited, for who did something, and how much goes on, tells of others' devices. */
const finds: Record<LiveKind, Find | 'everybody' | 'closed'> = {
  device: findKnown,
  command: findKnown,
  log: findKnown,
  deployment: findDeployments,
  job: findJobs,
  firmware: 'everybody',
  audit: 'closed',
  dead_letter: 'closed',
  notification: 'closed',
};

export async function keepWithin(db: Db, reach: Reach, changes: Change[]): Promise<Change[]> {
  if (reach.limits === null) return changes;
  const kept = await Promise.all(
    [...new Set(changes.map(({ kind }) => kind))].map(async (kind) => {
      const find = finds[kind];
      const mine = changes.filter((change) => change.kind === kind);
      if (find === 'closed') return [];
      if (find === 'everybody') return mine;
      const ids = mine.map(({ id }) => id);
      const found = new Set((await find(db, reach, ids)).map(({ id }) => id));
      return mine.filter(({ id }) => found.has(id));
    }),
  );
  return kept.flat();
}
