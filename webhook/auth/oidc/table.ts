import { index, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** What counts once: the states of logins and the `jti` of logout tokens. */
export const oidcUsed = pgTable(
  'oidc_used',
  {
    key: text().primaryKey(),
    forgetAt: timestamp('forget_at', { withTimezone: true }).notNull(),
  },
  (t) => [index('oidc_used_forget').on(t.forgetAt)],
);
