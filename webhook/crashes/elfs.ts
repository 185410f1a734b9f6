/** The ELF of a firmware: uploaded like a firmware, held against what the image says of it, and read when a crash is symbolised. */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { desc, eq, isNotNull, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import type { Db } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { AppError } from '../errors.ts';
import * as firmware from '../firmware/firmware.ts';
import type { PresignedUrl } from '../firmware/objects.ts';
import { firmwareElfs } from './table.ts';

/** With debugging information an ELF is ten times its image. */
export const maxElfBytes = 256 * 1024 * 1024;
const magic = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

export type FirmwareElf = typeof firmwareElfs.$inferSelect;

const imageOf = (firmwareId: SQLWrapper | string) =>
  sql`(select image.sha256 from firmwares image where image.id = ${firmwareId}::uuid)`;

/**
 * Condition on what a device tells of its program (`elf`): the beginning of this upload's SHA-256 (any firmware's, for it is the same file),
 * or, of a program that does not know its ELF, the digest of that firmware's image.
 */
export function isElfOf(
  elf: SQL,
  { sha256, firmwareId }: { sha256: SQLWrapper | string; firmwareId: SQLWrapper | string },
): SQL {
  return sql`(${elf} = left(${sha256}::text, length(${elf})) or ${elf} = ${imageOf(firmwareId)})`;
}

export async function find(db: Db, firmwareId: string): Promise<FirmwareElf | null> {
  await firmware.get(db, firmwareId);
  const [row] = await db.select().from(firmwareElfs).where(eq(firmwareElfs.firmwareId, firmwareId));
  return row ?? null;
}

export async function presignUpload(
  context: Context,
  firmwareId: string,
  file: { fileName: string; sha256?: string | undefined },
): Promise<PresignedUrl & { headers: Record<string, string>; s3Path: string }> {
  await firmware.get(context.db, firmwareId);
  const s3Path = `elf/${firmwareId}/${randomUUID()}/${file.fileName}`;
  return { ...(await context.objects.presignUpload(s3Path, file.sha256)), s3Path };
}

/** Reads the uploaded ELF once. Throws `elf_invalid`, `elf_differs` when the image names another one, and what `objects.open` throws. */
export async function attach(
  context: Context,
  firmwareId: string,
  s3Path: string,
  actor: string,
  expected = anything,
): Promise<FirmwareElf> {
  const known = await find(context.db, firmwareId);
  const [, fileName] = new RegExp(`^elf/${firmwareId}/[0-9a-f-]{36}/([^/]+)$`).exec(s3Path) ?? [];
  if (!fileName)
    throw new AppError('invalid_request', 's3Path: must be the one that presigned_upload gave for this ELF.');
  const { sha256, sizeBytes, isElf } = await measure(context, s3Path);
  if (!isElf) throw new AppError('elf_invalid', 'The file is no ELF.');
  if (known?.namedByImage && known.sha256 !== sha256) throw differs(known.sha256);
  const values = { sha256, fileName, sizeBytes, s3Path, uploadedBy: actor, uploadedAt: new Date() };
  const row = await context.db.transaction(async (tx) => {
    await firmware.change(tx, firmwareId, expected);
    const [stored] = await tx
      .insert(firmwareElfs)
      .values({ firmwareId, namedByImage: false, ...values })
      .onConflictDoUpdate({ target: firmwareElfs.firmwareId, set: values })
      .returning();
    // What another ELF has said of these addresses.
    await tx.execute(
      sql`update crash_groups set symbols = '{}' where symbols <> '{}' and ${isElfOf(sql`elf`, { sha256, firmwareId })}`,
    );
    const detail = { sha256, fileName };
    await record(tx, { actor, action: 'firmware.elf', subject: firmwareId, detail });
    return stored!;
  });
  if (known?.s3Path && known.s3Path !== s3Path) await context.objects.delete(known.s3Path).catch(() => {});
  context.live.changed('firmware', firmwareId);
  return row;
}

/** The newest upload of what a device tells so. */
export async function findUploaded(db: Db, elf: string): Promise<FirmwareElf | null> {
  const [row] = await db
    .select()
    .from(firmwareElfs)
    .where(sql`${isNotNull(firmwareElfs.s3Path)} and ${isElfOf(sql`${elf}::text`, firmwareElfs)}`)
    .orderBy(desc(firmwareElfs.uploadedAt))
    .limit(1);
  return row ?? null;
}

/** Uploaded ELFs of which a group has no names yet. */
export async function findAwaited(db: Db): Promise<FirmwareElf[]> {
  // What is the beginning of a text lies between its first digits and the text itself: a range of the index.
  return db
    .select()
    .from(firmwareElfs)
    .where(
      sql`${isNotNull(firmwareElfs.s3Path)} and (exists (
        select 1 from crash_groups g where g.symbols = '{}' and g.elf between left(${firmwareElfs.sha256}, 8) and ${firmwareElfs.sha256}
          and g.elf = left(${firmwareElfs.sha256}, length(g.elf)))
        or exists (select 1 from crash_groups g where g.symbols = '{}' and g.elf = ${imageOf(firmwareElfs.firmwareId)}))`,
    )
    .orderBy(firmwareElfs.sha256, desc(firmwareElfs.uploadedAt));
}

/** Puts the file there, and makes sure that it is still the one that was uploaded. */
export async function fetchTo(context: Context, elf: FirmwareElf, path: string): Promise<void> {
  const { stream } = await context.objects.open(elf.s3Path!);
  const hash = createHash('sha256');
  await pipeline(
    stream,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(path, { flags: 'wx', mode: 0o600 }),
  );
  if (hash.digest('hex') !== elf.sha256) throw new Error('the file store has another file than was uploaded');
}

async function measure(context: Context, s3Path: string) {
  const { stream, sizeBytes } = await context.objects.open(s3Path);
  if (sizeBytes === 0 || sizeBytes > maxElfBytes) {
    (stream as Readable).destroy();
    if (sizeBytes === 0) throw new AppError('object_empty', 'The uploaded file is empty.');
    throw new AppError('object_too_large', `The uploaded file is larger than ${maxElfBytes} bytes.`);
  }
  const hash = createHash('sha256');
  let head = Buffer.alloc(0);
  let read = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      hash.update(chunk);
      if (head.length < magic.length) head = Buffer.concat([head, chunk]).subarray(0, magic.length);
      read += chunk.length;
    }
  } catch (cause) {
    throw new AppError('storage_unavailable', 'The file store broke off while the file was read.', { cause });
  }
  if (read !== sizeBytes) throw new AppError('storage_unavailable', 'The file store sent a truncated file.');
  return { sha256: hash.digest('hex'), sizeBytes, isElf: head.equals(magic) };
}

function differs(sha256: string): AppError {
  return new AppError('elf_differs', `The image was made from another ELF, whose SHA-256 is ${sha256}.`);
}
