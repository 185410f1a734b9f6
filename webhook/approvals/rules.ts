/** Which deployments need a second person: of some hardware, or to many devices. Without rules none does. */
import { sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Db } from '../db/query.ts';
import { anything, digestOf } from '../db/revision.ts';
import type { ApprovalRule } from './schema.ts';
import { approvalRules } from './table.ts';

/** Those of any hardware first, then by hardware. */
export async function list(db: Db): Promise<ApprovalRule[]> {
  return db
    .select({ hardware: approvalRules.hardware, aboveDevices: approvalRules.aboveDevices })
    .from(approvalRules)
    .orderBy(sql`hardware nulls first`);
}

/** These, and no others. What waits goes on waiting, and what runs goes on. */
export async function replace(
  db: Db,
  rules: ApprovalRule[],
  actor: string,
  expected = anything,
): Promise<ApprovalRule[]> {
  return db.transaction(async (tx) => {
    // One at a time, or two would add theirs up.
    await tx.execute(sql`lock table ${approvalRules} in share row exclusive mode`);
    const before = await list(tx);
    expected.ensureIs(digestOf(JSON.stringify(before)));
    await tx.delete(approvalRules);
    if (rules.length > 0)
      await tx.insert(approvalRules).values(rules.map((rule) => ({ ...rule, createdBy: actor })));
    const detail = { before, after: rules };
    await record(tx, { actor, action: 'approval_rules.change', subject: 'approval_rules', detail });
    return list(tx);
  });
}

/** The rule by which it needs a second person; null: none does. `count`: of devices; null: how many is not known before it starts. */
export async function findRule(
  db: Db,
  hardware: string,
  count: (() => Promise<number>) | null,
): Promise<ApprovalRule | null> {
  const rules = (await list(db)).filter((rule) => rule.hardware === null || rule.hardware === hardware);
  if (rules.length === 0) return null;
  const devices = count ? await count() : Number.POSITIVE_INFINITY;
  return rules.find((rule) => devices > rule.aboveDevices) ?? null;
}
