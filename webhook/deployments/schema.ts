import { z } from '@hono/zod-openapi';
import { targetStates } from './states.ts';

export const deploymentSchema = z
  .object({
    id: z.uuid(),
    firmware: z.object({
      id: z.uuid(),
      name: z.string(),
      version: z.string(),
      fileName: z.string(),
      sizeBytes: z.int(),
    }),
    state: z.enum(['running', 'completed', 'cancelled']),
    createdBy: z.string(),
    createdAt: z.string(),
    finishedAt: z.string().nullable(),
    total: z.int(),
    counts: z.record(z.enum(targetStates), z.int()),
    figures: z.object({
      /** Succeeded among those that ended, without the skipped and cancelled; null before any has. */
      successRate: z.number().nullable(),
      meanDownloadMs: z.number().nullable(),
      /** Targets that went on from a checkpoint at least once. */
      resumedDownloads: z.int(),
    }),
  })
  .openapi('Deployment');

export const targetSchema = z
  .object({
    device: z.string(),
    deviceName: z.string(),
    region: z.string().nullable(),
    division: z.string().nullable(),
    state: z.enum(targetStates),
    attempt: z.int(),
    receivedBytes: z.int(),
    totalBytes: z.int(),
    bytesPerSecond: z.number().nullable(),
    error: z.object({ code: z.string(), message: z.string().optional() }).nullable(),
    updatedAt: z.string(),
  })
  .openapi('Target');

/** A device is chosen when it is in any of the regions or divisions, or is named itself. */
export const selectionSchema = z
  .object({
    firmwareId: z.uuid(),
    regions: z.array(z.uuid()).max(1000).default([]),
    divisions: z.array(z.uuid()).max(1000).default([]),
    devices: z.array(z.string().max(64)).max(10_000).default([]),
  })
  .openapi('Selection');
export type Selection = z.infer<typeof selectionSchema>;
