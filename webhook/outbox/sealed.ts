/** Of requests for images that are kept encrypted: whether the object is there, and its key for the device. */
import type { X509Certificate } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { Context } from '../context.ts';
import type { Unsendable } from '../deployments/machine.ts';
import type { PatchState } from '../firmware/patches/table.ts';
import { deviceKeyOf, readIssuing } from '../firmware/sealing/device-keys.ts';
import { wrapFor } from '../firmware/sealing/format.ts';
import { keyOf, want } from '../firmware/sealing/sealing.ts';
import { type SealedState, sealedObjects } from '../firmware/sealing/table.ts';

export const imageSeal = alias(sealedObjects, 'image_seal');
export const patchSeal = alias(sealedObjects, 'patch_seal');
/** Of the compressed image. */
export const packedSeal = alias(sealedObjects, 'packed_seal');

/** Columns of one of them. */
export function sealedOne<T extends typeof imageSeal | typeof patchSeal | typeof packedSeal>(
  of: T,
): Pick<T, keyof SealedOne> {
  return { sha256: of.sha256, state: of.state, s3Path: of.s3Path, wrappedKey: of.wrappedKey };
}

export interface SealedOne {
  sha256: string;
  state: SealedState;
  s3Path: string | null;
  wrappedKey: string | null;
}

/** What of a request is about that. */
export interface Sealable {
  deviceId: string;
  deploymentId: string | null;
  undoManifest: string | null;
  result: string | null;
  patch: Sendable | null;
  packed: Sendable | null;
  isSealed: boolean | null;
  canOpen: boolean;
  certificate: string | null;
  sealedImage: SealedOne | null;
  sealedPatch: SealedOne | null;
  sealedPacked: SealedOne | null;
}

/** What is sent instead of the image, once it is ready. */
export interface Sendable {
  state: PatchState;
  s3Path: string | null;
}

export const isReady = (patch: Sendable | null): boolean => patch?.state === 'ready';

const isMeant = (row: Sealable) => row.isSealed === true && row.undoManifest === null;

function objectOf(row: Sealable): SealedOne | null {
  if (isReady(row.patch)) return row.sealedPatch;
  return isReady(row.packed) ? row.sealedPacked : row.sealedImage;
}

/**
 * Has sealed what is not, and splits off the requests that wait for it. Those for which there is nothing to wait for (the device cannot open it,
 * it could not be made, there is no master key) go on, and are told of by `sealFor`. Without the CA nobody's key is known: they wait, too.
 */
export async function holdForSealing<R extends Sealable>(
  context: Context,
  rows: R[],
): Promise<{ now: R[]; later: R[]; issuing: X509Certificate[] }> {
  const meant = rows.filter((row) => isMeant(row) && row.canOpen && context.masterKeys);
  if (meant.length === 0) return { now: rows, later: [], issuing: [] };
  const missing = meant.filter((row) => (objectOf(row)?.state ?? 'failed') === 'failed');
  if (missing.length > 0) {
    const json = (values: (string | null)[]) =>
      sql`jsonb_array_elements_text(${JSON.stringify(values)}::jsonb)`;
    const patchOf = (row: R) => [row.patch, row.packed].find(isReady);
    await want(
      context.db,
      sql`select sha256, size_bytes, s3_path as plain_path from firmwares
            where sha256 in (select ${json(missing.filter((row) => !patchOf(row)).map(({ result }) => result))}) and not sealed
          union all
          select sha256, size_bytes, s3_path from patches
            where s3_path in (select ${json(missing.flatMap((row) => patchOf(row)?.s3Path ?? []))})`,
    );
  }
  const issuing = await readIssuing(context).catch(() => null);
  const among = new Set(meant);
  const waits = (row: R) =>
    among.has(row) && (issuing === null || (objectOf(row)?.state ?? 'wanted') === 'wanted');
  return {
    now: rows.filter((row) => !waits(row)),
    later: rows.filter(waits),
    issuing: issuing ?? [],
  };
}

/** Null: it is sent as it is. Else where the object is, and what to put behind its URL; or why it cannot be sent. */
export function sealFor(
  context: Pick<Context, 'masterKeys' | 'log'>,
  row: Sealable,
  issuing: X509Certificate[],
): { s3Path: string; fragment: string } | Unsendable | null {
  if (!isMeant(row)) return null;
  const { deviceId } = row;
  const device = row.canOpen && row.certificate ? deviceKeyOf(row.certificate, { deviceId, issuing }) : null;
  const sealed = objectOf(row);
  if (!row.canOpen || (context.masterKeys && !device)) return 'cannot_decrypt';
  if (!device || sealed?.state !== 'ready') return 'sealing_failed';
  const { sha256, s3Path, wrappedKey } = sealed;
  try {
    const key = keyOf(context, { sha256, wrappedKey: wrappedKey! });
    const fragment = wrapFor(device, { key, deployment: row.deploymentId!, sha256 });
    return { s3Path: s3Path!, fragment };
  } catch (error) {
    context.log('error', 'the key of an encrypted object cannot be used', { sha256, error });
    return 'sealing_failed';
  }
}
