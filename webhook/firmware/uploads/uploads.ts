/**
 * Firmware that comes in parts, so that what breaks off goes on where it stood: begun again by the same caller with the same file, it is the
 * same upload, and whatever part the store has is not sent again.
 */
import { randomUUID } from 'node:crypto';
import { and, eq, isNull, lt } from 'drizzle-orm';
import type { Context } from '../../context.ts';
import type { Db } from '../../db/query.ts';
import { AppError } from '../../errors.ts';
import { paced } from '../../paced.ts';
import type { PartsOf, StoredPart } from '../parts.ts';
import { uploads } from './table.ts';

export type Upload = typeof uploads.$inferSelect;

/** The least that S3 takes: so little is lost of what breaks off. */
export const partBytes = 5 * 1024 ** 2;
export const keptHours = 72;
const partLifetimeS = 3600;
const hourMs = 3600_000;

type Parts = Pick<Context, 'db' | 'objects'>;

export interface Announced {
  version: string;
  fileName: string;
  sizeBytes: number;
  sha256: string;
}

export const partsOf = ({ sizeBytes }: Pick<Upload, 'sizeBytes'>): number => Math.ceil(sizeBytes / partBytes);
const numbersOf = (upload: Upload): number[] => Array.from({ length: partsOf(upload) }, (_, i) => i + 1);
const sizeOf = ({ sizeBytes }: Upload, number: number): number =>
  Math.min(partBytes, sizeBytes - (number - 1) * partBytes);
export const expiryOf = ({ createdAt }: Upload): Date => new Date(createdAt.getTime() + keptHours * hourMs);
const inStore = ({ s3Path, uploadId }: Upload): PartsOf => ({ key: s3Path, uploadId });

/** The caller's own that is under way, else a new one; and which parts of it the store has whole. */
export async function begin(
  context: Parts,
  file: Announced,
  actor: string,
): Promise<{ upload: Upload; stored: number[] }> {
  const { db, objects } = context;
  const { version, fileName, sizeBytes, sha256 } = file;
  const same = { version, fileName, sizeBytes, sha256, createdBy: actor };
  const known = await db
    .select()
    .from(uploads)
    .where(and(...Object.entries(same).map(([name, is]) => eq(uploads[name as keyof typeof same], is))));
  const open = known.find((one) => expiryOf(one).getTime() > Date.now() + hourMs);
  // The store may have given it up by a rule of its own.
  const stored = open && (await findStored(context, open));
  if (open && stored) return { upload: open, stored };
  const s3Path = `${version}/${randomUUID()}/${fileName}`;
  const uploadId = await objects.parts.begin(s3Path);
  const [row] = await db
    .insert(uploads)
    .values({ ...same, s3Path, uploadId })
    .returning();
  return { upload: row!, stored: [] };
}

/** Another caller's is as if it were not there. */
export async function get(db: Db, id: string, actor: string): Promise<Upload> {
  const [row] = await db
    .select()
    .from(uploads)
    .where(and(eq(uploads.id, id), eq(uploads.createdBy, actor)));
  if (!row || expiryOf(row).getTime() <= Date.now()) throw missing();
  return row;
}

/** Numbers of the parts that the store has whole. */
export async function listStored(context: Parts, upload: Upload): Promise<number[]> {
  const stored = await findStored(context, upload);
  if (!stored) throw missing();
  return stored;
}

/** Null: the store knows of no such upload. */
async function findStored({ objects }: Parts, upload: Upload): Promise<number[] | null> {
  if (upload.completedAt) return numbersOf(upload);
  const parts = await objects.parts.list(inStore(upload));
  return parts && whole(upload, parts).map(({ number }) => number);
}

function whole(upload: Upload, parts: StoredPart[]): StoredPart[] {
  return parts.filter(({ number, sizeBytes }) => sizeBytes === sizeOf(upload, number));
}

/** Throws `invalid_request` for a number that the file has no part of. */
export async function presignParts(context: Parts, upload: Upload, numbers: number[]) {
  if (upload.completedAt) throw new AppError('upload_completed', 'This upload has been completed.');
  const last = partsOf(upload);
  for (const [at, number] of numbers.entries())
    if (number > last) {
      const message = `must be at most ${last}`;
      const error = { path: `numbers.${at}`, message, rule: 'too_big', values: { maximum: last } };
      throw new AppError('invalid_request', `numbers.${at}: ${message}`, { errors: [error] });
    }
  return Promise.all(
    numbers.map(async (number) => {
      const sizeBytes = sizeOf(upload, number);
      const url = await context.objects.parts.presign(inStore(upload), number, sizeBytes, partLifetimeS);
      return { number, offset: (number - 1) * partBytes, sizeBytes, url };
    }),
  );
}

export const partsExpireAt = (): Date => new Date(Date.now() + partLifetimeS * 1000);

/** Throws `upload_incomplete` while parts are missing. One that has been completed stays so. */
export async function complete(context: Parts, upload: Upload): Promise<Upload> {
  if (upload.completedAt) return upload;
  const { objects, db } = context;
  const found = await objects.parts.list(inStore(upload));
  const parts = found && whole(upload, found);
  if (parts) {
    const there = new Set(parts.map(({ number }) => number));
    const lacking = numbersOf(upload).filter((n) => !there.has(n));
    if (lacking.length > 0)
      throw new AppError('upload_incomplete', `${lacking.length} parts are missing, or have another size.`, {
        data: { missing: lacking },
      });
  }
  await objects.parts.complete(inStore(upload), parts ?? []);
  const [row] = await db
    .update(uploads)
    .set({ completedAt: new Date() })
    .where(and(eq(uploads.id, upload.id), isNull(uploads.completedAt)))
    .returning();
  return row ?? { ...upload, completedAt: new Date() };
}

/** And all of it that the store has goes. Who registers it at the same moment comes first, or is told that it is gone. */
export async function abort({ objects, db }: Parts, upload: Upload): Promise<void> {
  await db.transaction(async (tx) => {
    await forget(tx, upload);
    await objects.parts.abort(inStore(upload));
    // Whether or not the answer to its completion has come.
    await objects.delete(upload.s3Path);
  });
}

/** What was announced of the object at this path; undefined: it came in one PUT. Throws `object_missing` for another caller's. */
export async function findAnnounced(db: Db, s3Path: string, actor: string): Promise<Upload | undefined> {
  const [row] = await db.select().from(uploads).where(eq(uploads.s3Path, s3Path));
  if (row && (row.createdBy !== actor || !row.completedAt))
    throw new AppError('object_missing', 'The file was never uploaded: no such object.');
  return row;
}

/** It is a firmware now, or nothing. */
export async function forget(tx: Db, upload: Upload): Promise<void> {
  const gone = await tx.delete(uploads).where(eq(uploads.id, upload.id)).returning({ id: uploads.id });
  if (gone.length === 0) throw missing();
}

function missing(): AppError {
  return new AppError('not_found', 'There is no such upload.');
}

/** A step of `background.ts`: what was begun and given up. */
export const createForgetUploads = () =>
  paced({ everyMs: 10 * 60_000 }, async function forgetUploads(context: Parts) {
    const old = await context.db
      .select()
      .from(uploads)
      .where(lt(uploads.createdAt, new Date(Date.now() - keptHours * hourMs)))
      .limit(100);
    for (const upload of old) await abort(context, upload);
    return old.length === 100 ? 'more' : 'done';
  });
