/** Moving everybody out of a region or division, so that it can be deleted. */
import { eq } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { type Db, foreignKeyViolation, sqlState } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { AppError } from '../errors.ts';
import type { Place } from './places.ts';
import { devices, divisions, regions } from './table.ts';

/** To another of its kind, or (null) to none. Answers how many. Throws `unknown_reference`. */
export async function moveAll(
  db: Db,
  place: Place,
  from: string,
  to: string | null,
  actor: string,
  expected = anything,
): Promise<number> {
  const [column, change] =
    place === 'regions' ? [devices.regionId, { regionId: to }] : [devices.divisionId, { divisionId: to }];
  try {
    return await db.transaction(async (tx) => {
      await expected.ensure(tx, place === 'regions' ? regions : divisions, from);
      const moved = await tx
        .update(devices)
        .set(change)
        .where(eq(column, from))
        .returning({ id: devices.id });
      const detail = { to, devices: moved.length };
      await record(tx, { actor, action: `${place}.move_devices`, subject: from, detail });
      return moved.length;
    });
  } catch (error) {
    if (sqlState(error) !== foreignKeyViolation) throw error;
    throw new AppError('unknown_reference', 'There is no such place to move them to.', { cause: error });
  }
}
