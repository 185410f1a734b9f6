import { createHash, randomUUID } from 'node:crypto';
import { and, count, desc, eq, getTableColumns, or, sql } from 'drizzle-orm';
import { type Manifest, manifestSchema } from '#emqx/protocol.ts';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import * as imageElf from '../crashes/image-elf.ts';
import { down, Order, type Paging, readPage, up } from '../db/keyset.ts';
import { type Db, sqlState, uniqueViolation } from '../db/query.ts';
import { anything, type Expected } from '../db/revision.ts';
import { beginsWith, contains } from '../db/search.ts';
import { AppError } from '../errors.ts';
import {
  findImageProblems,
  hardwareOf,
  headBytes,
  type Image,
  maxFirmwareBytes,
  readImage,
  tellImageProblem,
} from './image.ts';
import type { PresignedUrl } from './objects.ts';
import * as sealing from './sealing/sealing.ts';
import { verifyManifest } from './signer.ts';
import { firmwares } from './table.ts';
import * as uploads from './uploads/uploads.ts';

export type Firmware = typeof firmwares.$inferSelect;

export interface NewFirmware {
  version: string;
  fileName: string;
  releaseNote: string;
  s3Path: string;
  name: string;
  author: string;
  /** Absent: what the image says that it is for, else esp32-s3. */
  hardware?: string | undefined;
  component: string;
  /** Absent: what the image says, else 0. */
  securityVersion?: number | undefined;
}

/** First of the three steps: where to put the file. Refuses a (version, fileName) that is there already. */
export async function presignUpload(
  context: Context,
  file: { version: string; fileName: string; sha256?: string | undefined },
): Promise<PresignedUrl & { headers: Record<string, string>; s3Path: string }> {
  await ensureNew(context.db, file);
  const s3Path = `${file.version}/${randomUUID()}/${file.fileName}`;
  return { ...(await context.objects.presignUpload(s3Path, file.sha256)), s3Path };
}

/**
 * Last step: reads the uploaded object once for its size, its digest and what its head says of itself, signs its manifest, and
 * stores the row. Refuses an image that says another version or chip than it is registered with.
 */
export async function register(context: Context, input: NewFirmware, actor: string): Promise<Firmware> {
  const [version, uuid, fileName, ...rest] = input.s3Path.split('/');
  const ours = version === input.version && fileName === input.fileName && rest.length === 0;
  if (!ours || !/^[0-9a-f-]{36}$/.test(uuid ?? '')) {
    throw new AppError(
      'invalid_request',
      's3Path: must be the one that presigned_upload gave for this file.',
    );
  }
  await ensureNew(context.db, input);
  const announced = await uploads.findAnnounced(context.db, input.s3Path, actor);
  const { sizeBytes, sha256, image } = await readObject(context, input.s3Path);
  if (announced && (announced.sha256 !== sha256 || announced.sizeBytes !== sizeBytes)) {
    await uploads.abort(context, announced);
    throw new AppError('upload_differs', 'What was uploaded is not the file that was announced.');
  }
  const [problem] = findImageProblems(image, input);
  if (problem) throw new AppError(problem.code, tellImageProblem(problem));
  const values = {
    ...input,
    hardware: input.hardware ?? hardwareOf(image) ?? 'esp32-s3',
    securityVersion: input.securityVersion ?? image.securityVersion ?? 0,
    sizeBytes,
    sha256,
  };
  const manifest = await context.signer?.sign(toManifest(values));
  const firmware = await context.db
    .transaction(async (tx) => {
      const [row] = await tx
        .insert(firmwares)
        .values({ ...values, manifest: manifest ?? null })
        .returning();
      if (announced) await uploads.forget(tx, announced);
      await imageElf.note(tx, row!.id, image.elfSha256);
      if (await sealing.needsSealing(tx, row!))
        await sealing.want(
          tx,
          sql`select ${sha256}::text as sha256, ${sizeBytes}::bigint as size_bytes, ${input.s3Path}::text as plain_path`,
        );
      await record(tx, {
        actor,
        action: 'firmware.register',
        subject: row!.id,
        detail: { sha256 },
      });
      return row!;
    })
    .catch((error: unknown) => {
      throw sqlState(error) === uniqueViolation ? exists(input) : error;
    });
  context.live.changed('firmware', firmware.id);
  context.wake();
  return firmware;
}

async function readObject(
  context: Context,
  s3Path: string,
): Promise<{ sizeBytes: number; sha256: string; image: Image }> {
  const { stream, sizeBytes } = await context.objects.open(s3Path);
  if (sizeBytes === 0 || sizeBytes > maxFirmwareBytes) {
    stream.destroy();
    if (sizeBytes === 0) throw new AppError('object_empty', 'The uploaded file is empty.');
    throw new AppError('object_too_large', `The uploaded file is larger than ${maxFirmwareBytes} bytes.`);
  }
  const hash = createHash('sha256');
  const head = Buffer.alloc(Math.min(sizeBytes, headBytes));
  let read = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      hash.update(chunk);
      if (read < head.length) chunk.copy(head, read);
      read += chunk.length;
    }
  } catch (cause) {
    throw new AppError('storage_unavailable', 'The file store broke off while the file was read.', { cause });
  }
  if (read !== sizeBytes) throw new AppError('storage_unavailable', 'The file store sent a truncated file.');
  return { sizeBytes, sha256: hash.digest('hex'), image: readImage(head) };
}

/** Brings in a manifest that was signed elsewhere. */
export async function attachManifest(
  context: Context,
  id: string,
  jws: string,
  actor: string,
  expected = anything,
): Promise<Firmware> {
  const firmware = await get(context.db, id);
  await verifyManifest(jws, toManifest(firmware), context.trustedKeys);
  const row = await context.db.transaction(async (tx) => {
    await expected.ensure(tx, firmwares, id);
    const [updated] = await tx
      .update(firmwares)
      .set({ manifest: jws, updatedAt: new Date() })
      .where(eq(firmwares.id, id))
      .returning();
    await record(tx, { actor, action: 'firmware.sign', subject: id });
    return updated!;
  });
  context.live.changed('firmware', id);
  return row;
}

/** For what hangs on a firmware: it changes with it. Throws `changed_meanwhile`. */
export async function change(tx: Db, id: string, expected: Expected): Promise<void> {
  await expected.ensure(tx, firmwares, id);
  await tx.update(firmwares).set({ updatedAt: new Date() }).where(eq(firmwares.id, id));
}

/** Signed again by ourselves. */
export async function setManifest(tx: Db, id: string, manifest: string): Promise<void> {
  await tx.update(firmwares).set({ manifest, updatedAt: new Date() }).where(eq(firmwares.id, id));
}

/** Of one that was verified when it was stored. */
export function readManifest(jws: string): Manifest {
  return manifestSchema.parse(JSON.parse(Buffer.from(jws.split('.')[1]!, 'base64url').toString()));
}

export function toManifest(
  f: Pick<
    Firmware,
    'component' | 'hardware' | 'version' | 'securityVersion' | 'fileName' | 'sizeBytes' | 'sha256'
  >,
): Manifest {
  return {
    component: f.component,
    hardware: f.hardware,
    version: f.version,
    securityVersion: f.securityVersion,
    fileName: f.fileName,
    size: f.sizeBytes,
    sha256: f.sha256,
  };
}

const newest = new Order('firmwares', [down(firmwares.createdAt), up(firmwares.id)]);

export async function list(
  db: Db,
  filter: { search?: string | undefined } & Partial<Paging>,
): Promise<{ items: Firmware[]; total: number; next: string | null }> {
  const { search, limit, offset = 0, cursor } = filter;
  const where = search
    ? or(contains(firmwares.name, search), contains(firmwares.version, search))
    : undefined;
  if (!limit) {
    const items = await db
      .select()
      .from(firmwares)
      .where(where)
      .orderBy(...newest.by);
    return { items, total: items.length, next: null };
  }
  const { rows: items, next } = await readPage(newest, { limit, offset, cursor }, (behind, some, from) =>
    db
      .select({ ...getTableColumns(firmwares), key: newest.key })
      .from(firmwares)
      .where(and(where, behind))
      .orderBy(...newest.by)
      .limit(some)
      .offset(from),
  );
  const [total] = await db.select({ value: count() }).from(firmwares).where(where);
  return { items, total: total!.value, next };
}

/** By name, version, file name, or the beginning of the digest; newest first. */
export async function find(db: Db, text: string, limit: number): Promise<Firmware[]> {
  return db
    .select()
    .from(firmwares)
    .where(
      or(
        contains(firmwares.name, text),
        contains(firmwares.version, text),
        contains(firmwares.fileName, text),
        beginsWith(firmwares.sha256, sql`${text.toLowerCase()}::text`),
      ),
    )
    .orderBy(desc(firmwares.createdAt), firmwares.id)
    .limit(limit);
}

export async function get(db: Db, id: string): Promise<Firmware> {
  const [row] = await db.select().from(firmwares).where(eq(firmwares.id, id));
  if (!row) throw new AppError('not_found', 'There is no such firmware.');
  return row;
}

export async function findByFile(db: Db, version: string, fileName: string): Promise<Firmware | undefined> {
  const [row] = await db
    .select()
    .from(firmwares)
    .where(and(eq(firmwares.version, version), eq(firmwares.fileName, fileName)));
  return row;
}

/** Throws `firmware_exists`. */
export async function ensureNew(db: Db, file: { version: string; fileName: string }): Promise<void> {
  if (await findByFile(db, file.version, file.fileName)) throw exists(file);
}

function exists(file: { version: string; fileName: string }): AppError {
  return new AppError(
    'firmware_exists',
    `Version ${file.version} of ${file.fileName} is registered already.`,
  );
}
