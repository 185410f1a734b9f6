/** Rules that watch a saved query: told when more devices match it than they allow, and again only after that has been over. */
import { randomUUID } from 'node:crypto';
import { and, eq, isNotNull } from 'drizzle-orm';
import type { Context } from '../context.ts';
import * as groups from '../devices/groups.ts';
import { paced } from '../paced.ts';
import { tell } from './events.ts';
import { notificationRules } from './table.ts';

const everyMs = 60_000;

/** A step of `background.ts`. */
export const createWatchGroups = (pace = { everyMs }) =>
  paced(pace, async function watchGroups(context: Context) {
    await watchOnce(context);
    return 'done';
  });

/** Any number of copies: who has the rule's row tells, and the next one finds that it was told. */
export async function watchOnce({ db, log }: Pick<Context, 'db' | 'log'>): Promise<void> {
  const watching = and(isNotNull(notificationRules.watchedGroupId), eq(notificationRules.enabled, true));
  for (const { id } of await db
    .select({ id: notificationRules.id })
    .from(notificationRules)
    .where(watching)) {
    try {
      await db.transaction(async (tx) => {
        const where = and(eq(notificationRules.id, id), watching);
        const [rule] = await tx
          .select()
          .from(notificationRules)
          .where(where)
          .for('no key update', { skipLocked: true });
        if (!rule) return;
        const { regionId, watchTold, watchAbove: above } = rule;
        const { devices, ...group } = await groups.countMatching(tx, rule.watchedGroupId!, regionId);
        if (devices > above! === watchTold) return;
        await tx.update(notificationRules).set({ watchTold: !watchTold }).where(where);
        if (watchTold) return;
        await tell(tx, [
          {
            ...{ kind: 'group_matches', severity: 'warning', key: `group_matches/${id}/${randomUUID()}` },
            regionIds: regionId === null ? [] : [regionId],
            data: { rule: id, group: group.name, query: group.query, devices, above: above! },
          },
        ]);
      });
    } catch (error) {
      // One that cannot be read any more must not keep the others from being watched.
      log('warn', 'a saved query cannot be watched', { rule: id, error });
    }
  }
}
