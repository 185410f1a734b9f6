/** Small deployments of one image are one large one to the rules of four eyes. */
import { sql } from 'drizzle-orm';
import { type Db, query } from '../db/query.ts';
import type { Firmware } from '../firmware/firmware.ts';
import type { Selected } from './left-out.ts';
import { eligible } from './selection.ts';

/** Deployments that were asked for within so many days are added up. */
export const addedUpDays = 30;

/** Within a transaction, of two who ask for deployments of one image at once the second one waits, and counts the first one's. */
export async function lockImage(tx: Db, { sha256, component }: Firmware): Promise<void> {
  await tx.execute(
    sql`select 1 from firmwares where sha256 = ${sha256} and component = ${component} order by id for no key update`,
  );
}

/**
 * How many devices would have got this image, or are to get it, without a second person's word: by this selection and by the deployments
 * before it, each device once. Whoever registers the same image again has the same image.
 */
export async function countAddedUp(db: Db, image: Firmware, selection: Selected): Promise<number> {
  const [row] = await query<{ n: number }>(
    db,
    sql`select count(*)::int as n from (
          ${eligible(image, selection)}
          union
          select t.device_id from deployments d join firmwares f on f.id = d.firmware_id join targets t on t.deployment_id = d.id
          where f.sha256 = ${image.sha256} and f.component = ${image.component}
            and d.created_at > now() - make_interval(days => ${addedUpDays}) and d.approval is null and d.undoes is null
            and t.state <> 'skipped' and (t.attempt > 0 or d.finished_at is null)) devices`,
  );
  return row!.n;
}
