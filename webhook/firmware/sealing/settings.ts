/** Firmware of which hardware is kept, and sent, encrypted only. */
import { sql } from 'drizzle-orm';
import { record } from '../../audit/audit.ts';
import type { Context } from '../../context.ts';
import type { Db } from '../../db/query.ts';
import { anything, digestOf } from '../../db/revision.ts';
import { unavailable, wantAllOf } from './sealing.ts';
import { sealedHardware } from './table.ts';

interface Settings {
  hardware: string[];
  /** A master key is set; without one nothing can be encrypted. */
  available: boolean;
}

export async function read(db: Db, masterKeys: Context['masterKeys']): Promise<Settings> {
  const rows = await db.select().from(sealedHardware).orderBy(sealedHardware.hardware);
  return { hardware: rows.map(({ hardware }) => hardware), available: Boolean(masterKeys) };
}

/**
 * These, and no others. What is there of them already is encrypted now; what was encrypted stays so, also of hardware that is left out.
 * Throws `sealing_unavailable` without a master key, and `changed_meanwhile`.
 */
export async function replace(
  context: Context,
  hardware: string[],
  actor: string,
  expected = anything,
): Promise<Settings> {
  const { masterKeys } = context;
  if (hardware.length > 0 && !masterKeys) throw unavailable();
  const after = [...new Set(hardware)].sort();
  const settings = await context.db.transaction(async (tx) => {
    // One at a time, or two would add theirs up.
    await tx.execute(sql`lock table ${sealedHardware} in share row exclusive mode`);
    const before = await read(tx, masterKeys);
    expected.ensureIs(digestOf(JSON.stringify(before)));
    await tx.delete(sealedHardware);
    if (after.length > 0)
      await tx.insert(sealedHardware).values(after.map((one) => ({ hardware: one, createdBy: actor })));
    await wantAllOf(tx, after);
    await record(tx, {
      actor,
      action: 'encryption.change',
      subject: 'encryption',
      detail: { before: before.hardware, after },
    });
    return read(tx, masterKeys);
  });
  context.wake();
  return settings;
}
