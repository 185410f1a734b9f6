/** `certificates_in_use`, which triggers keep, against what the certificates say. */
import { isNotNull, sql } from 'drizzle-orm';
import { afterAll, expect, test } from 'vitest';
import { Random } from '#deploy/lab/primitives/random.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { type Db, query } from '../db/query.ts';
import { openDatabase } from '../testing.ts';
import { certificates, certificatesInUse } from './table.ts';

const database = await openDatabase();
const { db } = database;
afterAll(() => database.close());
const day = 86_400_000;

test('is what their certificates say, whatever becomes of them', async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const random = new Random(seed);
    const some = () => sql`mod(hashtext(serial || ${String(random.int(0, 999))}), 4) = 0`;
    const inDays = () => new Date(Date.now() + random.int(0, 90) * day);
    const set = (values: Partial<typeof certificates.$inferInsert>) =>
      db.update(certificates).set(values).where(some());
    const steps = [
      () => add(db, `device-${random.int(1, 5)}`, inDays()),
      () => add(db, `device-${random.int(1, 5)}`, inDays()),
      () => add(db, 'a-broker', inDays(), 'broker'),
      () => set({ firstSeenAt: inDays() }),
      () => set({ revokedAt: new Date() }),
      () => set({ expiryTold: 3, revocationConfirmedAt: new Date() }),
      () => set({ notAfter: inDays() }),
      () => db.delete(certificates).where(some()),
    ];
    for (let step = 1; step <= 60; step++) {
      await random.pick(steps)();
      expect(await listInUse(), `seed ${seed}, step ${step}`).toEqual(
        inUse(await db.select().from(certificates)),
      );
    }
    await db.delete(certificates);
  }
});

test('follows two changes of the same moment, neither of which sees the other', async () => {
  await add(db, 'two-at-once', new Date(Date.now() + 60 * day));
  const another = await database.another();
  let second: Promise<unknown> = Promise.resolve();
  await db.transaction(async (tx) => {
    await add(tx, 'two-at-once', new Date(Date.now() + 30 * day));
    const inUseNow = sql`serial = (select serial from certificates_in_use where common_name = 'two-at-once')`;
    // PGlite has one connection: it begins there when this one is over.
    second = another.db.update(certificates).set({ revokedAt: new Date() }).where(inUseNow).execute();
    if (database.kind === 'postgresql')
      await until('the second to wait for the first', async () => {
        const waiting = sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
        return (await query(db, waiting)).length > 0;
      });
  });
  await second;
  await another.close();
  const all = await db.select().from(certificates);
  expect(all.filter(({ revokedAt }) => revokedAt)).toHaveLength(1);
  expect(inUse(all)).toHaveLength(1);
  expect(await listInUse()).toEqual(inUse(all));
});

let made = 0;
function add(on: Db, commonName: string, notAfter: Date, profile: 'device' | 'broker' = 'device') {
  const serial = String(made++).padStart(8, '0');
  const notBefore = new Date(notAfter.getTime() - 90 * day);
  return on
    .insert(certificates)
    .values({ serial, profile, commonName, certificate: 'c', chain: 'c', notBefore, notAfter });
}

const listInUse = () =>
  db
    .select()
    .from(certificatesInUse)
    .where(isNotNull(certificatesInUse.serial))
    .orderBy(certificatesInUse.commonName);

/** Of each name the one that it was last seen with, or else the one that ends last; revoked ones do not count. */
function inUse(all: (typeof certificates.$inferSelect)[]) {
  const held = all.filter(({ profile, revokedAt }) => profile === 'device' && !revokedAt);
  const seen = ({ firstSeenAt }: (typeof held)[number]) => firstSeenAt?.getTime() ?? 0;
  held.sort((a, b) => seen(b) - seen(a) || +b.notAfter - +a.notAfter || (a.serial < b.serial ? 1 : -1));
  return [...new Set(held.map(({ commonName }) => commonName))]
    .sort()
    .map((name) => held.find(({ commonName }) => commonName === name)!)
    .map(({ commonName, serial, notAfter }) => ({ commonName, serial, notAfter }));
}
