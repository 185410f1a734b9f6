import type { Db } from '../db/connect.ts';
import { auditLog } from './table.ts';

/** Pass the transaction of the act itself, so that neither is ever there without the other. */
export async function record(
  db: Db,
  entry: { actor: string; action: string; subject: string; detail?: Record<string, unknown> },
): Promise<void> {
  await db.insert(auditLog).values({ ...entry, detail: entry.detail ?? null });
}
