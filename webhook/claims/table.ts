import { pgTable, text, timestamp, unique, uuid } from 'drizzle-orm/pg-core';

/** What a fleet file can hold. */
export const claimKinds = [
  'region',
  'division',
  'group',
  'policy',
  'channel',
  'rule',
  'approval',
  'encryption',
] as const;

/** What a fleet file has made, so that it removes nothing else. */
export const claims = pgTable(
  'claims',
  {
    id: uuid().primaryKey().defaultRandom(),
    /** The file's name for itself. */
    owner: text().notNull(),
    kind: text({ enum: claimKinds }).notNull(),
    name: text().notNull(),
    /** The id of what was made; null from before the making until it is told, and of what has none but its name. */
    subject: uuid(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [unique('claims_kind_name').on(t.kind, t.name)],
);
