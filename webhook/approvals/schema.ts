import { z } from '@hono/zod-openapi';
import { hardwareSchema } from '../devices/fields.ts';

export const ruleFields = {
  /** Of the firmware; null: of any. */
  hardware: hardwareSchema.nullable(),
  /** To more devices than this; 0: to any. */
  aboveDevices: z.int().min(0).max(10_000_000),
};
export const ruleSchema = z.object(ruleFields);
export type ApprovalRule = z.infer<typeof ruleSchema>;

export const decisionSchema = z.object({
  outcome: z.enum(['approved', 'refused']),
  by: z.string(),
  at: z.string(),
  reason: z.string(),
  /** Of the dry run that was approved. */
  digest: z.string().nullable(),
});

/** Of a deployment that waits, or waited, for a second person. */
export const approvalSchema = z.object({ rule: ruleSchema, decision: decisionSchema.nullable() });
export type Approval = z.infer<typeof approvalSchema>;
