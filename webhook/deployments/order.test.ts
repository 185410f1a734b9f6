import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { startSuite } from '../testing-suite.ts';

const { database, webhook } = await startSuite();

test('a deployment made after the clock of the database went back is still the newer one', async () => {
  const device = await webhook.device();
  const [first, second] = [await webhook.firmware(), await webhook.firmware()];
  const older = await webhook.deploy(first.id, device);
  await database.db.execute(sql`update deployments set created_at = now() + interval '1 day'`);
  const newer = await webhook.deploy(second.id, device);
  const stateOf = async ({ id }: { id: string }) => (await webhook.target(id, device)).state;
  await until('one that is superseded', async () =>
    [await stateOf(older), await stateOf(newer)].includes('skipped'),
  );
  expect([await stateOf(older), await stateOf(newer)]).toEqual(['skipped', 'pending']);
});
