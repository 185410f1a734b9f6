/** Asks the rules who is to be told of what has happened: each event once, and a channel once, however many rules name it. */
import { asc, isNull, sql } from 'drizzle-orm';
import { at, readClock } from '../db/clock.ts';
import { locks, tryLock } from '../db/locks.ts';
import type { Db } from '../db/query.ts';
import * as channels from './channels.ts';
import { addressed } from './deliveries.ts';
import * as rules from './rules.ts';
import { notificationDeliveries, notificationEvents } from './table.ts';

const batch = 100;

/** Returns whether there may be more. Any number of copies; killed anywhere, it has done all of a batch or nothing. */
export async function rule(db: Db): Promise<boolean> {
  return db.transaction(async (tx) => {
    // One at a time, so that nobody who follows the feed sees a number and then a smaller one.
    if (!(await tryLock(tx, locks.ruling))) return false;
    const events = await tx
      .select()
      .from(notificationEvents)
      .where(isNull(notificationEvents.ruledAt))
      .orderBy(asc(notificationEvents.at))
      .limit(batch);
    if (events.length === 0) return false;
    const [all, known, now] = [await rules.list(tx), await channels.list(tx), await readClock(tx)];
    const byId = new Map(known.map((channel) => [channel.id, channel]));
    const rows = events.flatMap((event) => {
      const due = new Map<string, { at: number; rule: string }>();
      for (const one of all.filter((each) => rules.matches(each, event))) {
        const when = rules.dueAt(one, event.severity, now);
        for (const id of one.channels)
          if (when < (due.get(id)?.at ?? Infinity)) due.set(id, { at: when, rule: one.name });
      }
      return [...due].flatMap(([id, first]) => {
        const channel = byId.get(id);
        if (!channel) return [];
        return { eventId: event.id, ...addressed(channel), rule: first.rule, dueAt: at(first.at) };
      });
    });
    if (rows.length > 0) await tx.insert(notificationDeliveries).values(rows).onConflictDoNothing();
    const ids = JSON.stringify(events.map((event) => event.id));
    await tx.execute(sql`
      update notification_events e set ruled_at = now(), number = v.number
      from (select id::uuid, nextval('notification_event_numbers') as number
            from jsonb_array_elements_text(${ids}::jsonb) with ordinality as t(id, place) order by place) v
      where e.id = v.id`);
    return events.length === batch;
  });
}
