/** What has happened, in one order that others can follow: a number is given when the rules have been asked, by one copy at a time. */
import { and, asc, gt, isNotNull, ne } from 'drizzle-orm';
import type { Db } from '../db/query.ts';
import { notificationEvents as events } from './table.ts';

/** The next ones after a number; empty when there is none yet. */
export function readFeed(db: Db, after: number, limit: number) {
  return db
    .select({
      number: events.number,
      id: events.id,
      kind: events.kind,
      severity: events.severity,
      regions: events.regionIds,
      at: events.at,
      data: events.data,
    })
    .from(events)
    .where(and(isNotNull(events.number), gt(events.number, after), ne(events.kind, 'test')))
    .orderBy(asc(events.number))
    .limit(limit);
}
